"""Look for secrets in files: `python tests/supply/secret_scan.py [FILE…]`, without names in all that git tracks.

Exit codes: 0 none; 1 some, each told by file, line and kind, never by value.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from detect_secrets.__version__ import VERSION
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CLEAN = ROOT / "build" / "secret_scan.clean"
NOT_OURS = "src/kai_erp/api/static/swagger-ui/"
DETECTORS = (
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "Base64HighEntropyString",
    "BasicAuthDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "HexHighEntropyString",
    "JwtTokenDetector",
    "KeywordDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SlackDetector",
)
FILTERS = (
    "allowlist.is_line_allowlisted",
    "heuristic.is_indirect_reference",
    "heuristic.is_likely_id_string",
    "heuristic.is_lock_file",
    "heuristic.is_prefixed_with_dollar_sign",
    "heuristic.is_sequential_string",
    "heuristic.is_templated_secret",
)
MADE_UP = (
    # credentials of the simulator and of tests
    "correct horse battery staple",
    "hunter2",
    "kai_0123456789abcdefghijklmnopqrstuvwxyzABC",
    "not-a-real-[a-z-]+",
    "not-the-right-one",
    "p4ssw0rd",
    "pass%40word",
    "s3cr3t-[a-z]+",
    "wrong",
    # what only looks like one
    "/DEMO_TRN/LN/IDORequestService/ido/load/SLJobs",
    "SL10_TIMEZONE=America/Chicago",
    "chmod 600",
    "right",
    "sl10_password",
)
"""What may stand in the tree, as patterns of the whole value; or mark the line `pragma: allowlist secret`."""


def findings(names: Sequence[str], root: Path = ROOT) -> list[str]:
    """Return a line for each secret in files below a folder."""
    plugins = [
        *({"name": name} for name in DETECTORS),
        {"name": "IonapiDetector", "path": f"file://{HERE / 'ionapi_secrets.py'}"},
    ]
    allowed = {
        "path": "detect_secrets.filters.regex.should_exclude_secret",
        "pattern": [rf"\A(?:{one})\Z" for one in MADE_UP],
    }
    filters = [*({"path": f"detect_secrets.filters.{name}"} for name in FILTERS), allowed]
    found = SecretsCollection(root=str(root))
    with transient_settings({"plugins_used": plugins, "filters_used": filters}):
        found.scan_files(*names, num_processors=min(len(names), os.cpu_count() or 1))
    return sorted(f"{name}:{secret.line_number}: {secret.type}" for name, secret in found)


def tracked() -> list[str]:
    """Return the files of ours that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603  # fixed above
    listed = done.stdout.split("\0")
    return [name for name in listed if name and not name.startswith(NOT_OURS) and (ROOT / name).is_file()]


def scan_changed(names: Sequence[str]) -> list[str]:
    """Return what is found in the files whose content was not found clean by this scanner before."""
    rules = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py"))))
    marks = {name: _mark(rules, ROOT / name) for name in names}
    clean = set(CLEAN.read_text(encoding="ascii").split()) if CLEAN.exists() else set()
    changed = [name for name in names if marks[name] not in clean]
    found = findings(changed) if changed else []
    bad = {line.split(":", 1)[0] for line in found}
    CLEAN.parent.mkdir(exist_ok=True)
    CLEAN.write_text("\n".join(mark for name, mark in marks.items() if name not in bad), encoding="ascii")
    return found


def _mark(rules: hashlib._Hash, path: Path) -> str:
    """Return what changes whenever the scanner or the file does; its name counts, since some rules look at it."""
    mark = rules.copy()
    mark.update(f"{VERSION} {path}".encode())
    mark.update(path.read_bytes())
    return mark.hexdigest()


def main(names: Sequence[str]) -> int:
    """Scan, and tell."""
    found = findings([str(Path(name).resolve()) for name in names]) if names else scan_changed(tracked())
    if found:
        advice = (
            "Take it out and make it void; if it is made up, add it to MADE_UP in tests/supply/secret_scan.py."
        )
        sys.stdout.write("\n".join((*found, advice, "")))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
