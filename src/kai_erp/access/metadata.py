"""What clients are told about the way in: the challenge of a refusal, and the metadata of RFC 9728."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kai_erp.access.modes import access_mode
from kai_erp.config import Settings
from kai_erp.errors import AuthRequired, Forbidden

METADATA_PATH = "/.well-known/oauth-protected-resource"


def public_url(settings: Settings) -> str:
    """Return the address that clients use."""
    return settings.public_url or f"http://{settings.host}:{settings.port}"


def challenge(settings: Settings, refusal: object, *, path: str = "", sent: bool) -> str | None:
    """Return the `WWW-Authenticate` of a refusal; None for one that needs none.

    Args:
        settings: which way in there is.
        refusal: why.
        path: the resource that was asked for, where it has metadata of its own.
        sent: whether a key or token was sent.
    """
    oauth = access_mode(settings) == "oauth"
    parts = [f'resource_metadata="{public_url(settings)}{METADATA_PATH}{path}"'] if oauth else ['realm="kai-erp"']
    match refusal:
        case AuthRequired():
            parts += ['error="invalid_token"'] if sent else []
        case Forbidden():
            parts += ['error="insufficient_scope"', f'scope="{refusal.scope}"']
        case _:
            return None
    return f"Bearer {', '.join(parts)}"


def resource_metadata(settings: Settings, scopes: Iterable[str], path: str = "") -> dict[str, Any] | None:
    """Return the protected-resource metadata for a path of ours; None where tokens are not asked for."""
    if access_mode(settings) != "oauth":
        return None
    return {
        "resource": f"{public_url(settings)}{path}",
        "authorization_servers": [settings.oauth_issuer],
        "scopes_supported": sorted(scopes),
        "bearer_methods_supported": ["header"],
        "resource_name": "kai-erp",
    }
