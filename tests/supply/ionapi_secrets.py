"""The detector of what an .ionapi file holds, which no detector of the scanner knows."""

from __future__ import annotations

import re

from detect_secrets.plugins.base import RegexBasedDetector


class IonapiDetector(RegexBasedDetector):
    """Finds the client secret and the service account's keys, written as JSON members or Python items."""

    secret_type = "Key of an .ionapi file"  # pragma: allowlist secret
    denylist = (re.compile(r"""["'](?:cs|saak|sask)["']\s*:\s*["']([^"'\s]{8,})["']"""),)
