"""Who may ask: what a server refuses to start with, rather than let anybody in."""

from __future__ import annotations

from kai_erp.config import Settings, is_loopback, keys_file
from kai_erp.errors import InvalidSetting

_LATER = ("hidden_fields", "cors_origins", "audit_log", "redis_url", "lake_enabled")


def check_access(settings: Settings) -> tuple[str, ...]:
    """Return warnings for the operator.

    Raises InvalidSetting when access control is asked for that this version cannot give, or when a server that
    asks nobody for a key would listen beyond this machine.
    """
    if settings.auth_mode in {"api_key", "oauth"} or settings.api_keys_file or settings.oauth_issuer:
        raise InvalidSetting("AUTH_MODE: this version has no access control yet, allowed is none on this machine")
    if settings.auth_mode == "auto" and keys_file(settings).exists():
        raise InvalidSetting(f"{keys_file(settings)} holds keys, but this version has no access control yet")
    for name in _LATER:
        if getattr(settings, name):
            raise InvalidSetting(f"{name.upper()} is set, which this version does not act on yet: leave it unset")
    if is_loopback(settings.host):
        return ()
    if not settings.allow_anonymous:
        raise InvalidSetting(
            f"HOST is {settings.host!r}: without access control only this machine may ask, allowed is 127.0.0.1",
            suggestion="Listen on 127.0.0.1, or set ALLOW_ANONYMOUS=true to answer everybody who can reach it.",
        )
    return (f"everybody who reaches {settings.host} port {settings.port} may read the ERP (ALLOW_ANONYMOUS=true)",)
