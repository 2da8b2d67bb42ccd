"""What replicas share, opened from the settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from kai_erp import __version__
from kai_erp.config import Settings
from kai_erp.connectors import BaseConnector
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import Now
from kai_erp.core.watching import Upstream, Watch
from kai_erp.ionapi import read_ionapi
from kai_erp.shared.answers import SharedAnswers
from kai_erp.shared.link import Link, check_url
from kai_erp.shared.rates import SharedRates
from kai_erp.shared.roll import Roll
from kai_erp.shared.sealing import Vault
from kai_erp.shared.tokens import SharedTokens
from kai_erp.shared.window import SharedWindow

_TOLD_BY = ("hidden_fields", "sl10_timezone", "lake_site", "lake_table_template", "lake_timestamps")


@dataclass(frozen=True, slots=True)
class Shared:
    """What replicas share of one ERP configuration."""

    link: Link
    vault: Vault
    settings: Settings

    def tokens(self, upstream: Upstream, *way_in: str, one_for_all: bool = True) -> SharedTokens:
        """Return the token of a way in, which its addresses, names and secrets tell from others."""
        return SharedTokens(self.link, self.vault, (upstream, *way_in), one_for_all=one_for_all)

    def window(self, upstream: Upstream) -> SharedWindow:
        """Return the request budget of an upstream; it holds whatever the credentials."""
        return SharedWindow(self.link, f"{self.vault.namespace}:budget:{upstream}")

    def rates(self) -> SharedRates:
        """Return what callers ask of all replicas."""
        return SharedRates(self.link, self.vault)

    def roll(self, now: Now) -> Roll:
        """Return the roll of replicas."""
        return Roll(self.link, self.vault, now)

    def answers(self, connectors: Mapping[str, BaseConnector[ConnectorQuery]]) -> SharedAnswers:
        """Return the kept answers of some connectors."""
        told_by = json.dumps([getattr(self.settings, name) for name in _TOLD_BY])
        return SharedAnswers(self.link, self.vault, connectors, told_by, self.settings.snapshot_max_mb)


async def open_shared(stack: AsyncExitStack, settings: Settings, now: Now, watch: Watch) -> Shared | None:
    """Return what replicas share; None without REDIS_URL, or without an ERP. The stack closes it.

    A Redis that does not answer is no obstacle. Raises InvalidSetting for a REDIS_URL that cannot be one.
    """
    if settings.redis_url is None:
        return None
    url = check_url(settings.redis_url.get_secret_value())
    if settings.missing():
        return None
    address, secrets = _credentials(settings)
    place = json.dumps([*address, settings.sl10_config_name])
    namespace = f"kai-erp:{__version__}:{hashlib.sha256(place.encode()).hexdigest()[:16]}"
    vault = Vault(namespace, secrets, now)
    link = await stack.enter_async_context(Link(url, f"{namespace}:probe", watch))
    return Shared(link, vault, settings)


def _credentials(settings: Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return where the ERP is, and the secrets that let us in."""
    if settings.sl10_ionapi_file is None:
        password = settings.sl10_password.get_secret_value() if settings.sl10_password else ""
        return (str(settings.sl10_base_url),), (str(settings.sl10_username), password)
    file = read_ionapi(settings.sl10_ionapi_file)
    secrets = (file.client_secret, file.account_key, file.account_secret)
    return (
        (file.gateway, file.tenant, settings.sl10_suite),
        (file.client_id, *(secret.get_secret_value() if secret else "" for secret in secrets)),
    )
