"""Who may ask: what is refused at the start, rather than let anybody in."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from kai_erp.config import LOOPBACK_HOSTS, Settings, is_loopback, keys_file
from kai_erp.errors import InvalidSetting

_MISSED_DEARLY = (
    "api_keys_file",
    "oauth_audience",
    "oauth_issuer",
    "oauth_jwks_url",
)
_MISSED = (
    "cache_ttl_seconds",
    "cors_origins",
    "inbound_concurrency",
    "inbound_per_minute",
    "max_body_bytes",
    "redis_url",
    "reference_ttl_seconds",
    "sl10_key_ranges",
)


def check_supported(settings: Settings) -> None:
    """Raise InvalidSetting when a setting would protect the ERP's data in a way that this version cannot."""
    if settings.auth_mode in {"api_key", "oauth"}:
        raise InvalidSetting(
            f"AUTH_MODE is '{settings.auth_mode}', which this version cannot do yet, allowed is none"
        )
    if settings.auth_mode == "auto" and keys_file(settings).exists():
        raise InvalidSetting(f"{keys_file(settings)} holds keys, but this version has no access control yet")
    for name in _changed(settings, _MISSED_DEARLY):
        raise InvalidSetting(f"{name} is set, which this version does not act on yet: leave it unset")


def not_acted_on(settings: Settings) -> tuple[str, ...]:
    """Return a warning for each setting that this version knows but does not act on."""
    return tuple(f"{name} is set, but this version does not act on it yet" for name in _changed(settings, _MISSED))


def _changed(settings: Settings, names: tuple[str, ...]) -> list[str]:
    return [name.upper() for name in names if getattr(settings, name) != Settings.model_fields[name].default]


def check_bind(settings: Settings) -> tuple[str, ...]:
    """Return warnings for the operator.

    Raises InvalidSetting when a server that asks nobody for a key would listen beyond this machine.
    """
    if is_loopback(settings.host):
        return ()
    if not settings.allow_anonymous:
        raise InvalidSetting(
            f"HOST is '{settings.host}': without access control only this machine may ask, allowed is 127.0.0.1",
            suggestion="Listen on 127.0.0.1, or set ALLOW_ANONYMOUS=true to answer everybody who can reach it.",
        )
    return (f"everybody who reaches {settings.host} port {settings.port} may read the ERP (ALLOW_ANONYMOUS=true)",)


class HostGuard:
    """Which host names are served: a page from elsewhere must not reach us under a name of its own.

    Addresses are always served, since a name that is made to point here is what such a page needs.
    """

    def __init__(self, settings: Settings) -> None:
        public = urlsplit(settings.public_url).hostname if settings.public_url else None
        names = {*LOOPBACK_HOSTS, settings.host, public, *settings.allowed_hosts}
        self._names = {name.casefold() for name in names if name}

    def serves(self, host: str) -> bool:
        """Tell whether a Host header, with or without a port, is served."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._names or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
