"""How callers are asked who they are, decided at the start and never weakened while running."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from kai_erp.config import Settings, is_loopback, keys_file
from kai_erp.errors import InvalidSetting

AccessMode = Literal["none", "api_key", "oauth"]


def access_mode(settings: Settings) -> AccessMode:
    """Return how callers are asked who they are.

    A keys file that is there turns keys on, whatever is in it: one that was emptied must not open the server.
    """
    if settings.auth_mode != "auto":
        return settings.auth_mode
    named = settings.api_keys_file is not None
    return "api_key" if named or _is_there(keys_file(settings)) else "none"


def _is_there(path: Path) -> bool:
    """Tell whether there is anything of a name, were it a link to nowhere; where nobody may look, there may be."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def check_supported(settings: Settings) -> None:
    """Raise InvalidSetting when tokens are asked for and what they need is missing, or the other way round."""
    oauth = settings.auth_mode == "oauth"
    for name in ("oauth_issuer", "oauth_audience"):
        if oauth and getattr(settings, name) is None:
            raise InvalidSetting(f"AUTH_MODE is 'oauth', which needs {name.upper()}")
    for name in ("oauth_issuer", "oauth_audience", "oauth_jwks_url"):
        if not oauth and getattr(settings, name) is not None:
            raise InvalidSetting(f"{name.upper()} is set, which protects nothing unless AUTH_MODE is oauth")


def check_bind(settings: Settings) -> tuple[str, ...]:
    """Return warnings for the operator.

    Raises InvalidSetting when a server that asks nobody for a key would listen beyond this machine.
    """
    if access_mode(settings) != "none" or is_loopback(settings.host):
        return ()
    if not settings.allow_anonymous:
        raise InvalidSetting(
            f"HOST is '{settings.host}': without access control only this machine may ask, allowed is 127.0.0.1",
            suggestion="Make a key with: kai-erp keys create NAME --scope '*'. Or set AUTH_MODE=oauth; or set "
            "ALLOW_ANONYMOUS=true to answer everybody who can reach it.",
        )
    return (f"everybody who reaches {settings.host} port {settings.port} may read the ERP (ALLOW_ANONYMOUS=true)",)
