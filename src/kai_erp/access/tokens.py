"""Bearer tokens of an OAuth issuer (JWT, RFC 9068): whose they are, after every check that there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import extract_compact

from kai_erp.callers import Caller
from kai_erp.core.types import Now
from kai_erp.errors import AuthRequired

_KINDS: Mapping[str, type[Key]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSAKey),
    **dict.fromkeys(("ES256", "ES384", "ES512"), ECKey),
    "Ed25519": OKPKey,
}
ALGORITHMS = tuple(_KINDS)
_SKEW_SECONDS = 60
_LONGEST = 8_192
_NOT_GOOD = "This token is not good"


class IssuerKeys(Protocol):
    """The public keys of the issuer."""

    async def named(self, kid: str | None, /) -> tuple[Key, ...]:
        """Return the keys of that name; all of them for None."""
        ...


class BearerTokens:
    """Tells whose token it is.

    Args:
        keys: those of the issuer.
        issuer, audience: what the token must say.
        now: the present moment.
    """

    def __init__(self, keys: IssuerKeys, issuer: str, audience: str, now: Now) -> None:
        self._keys, self._issuer, self._now = keys, issuer.rstrip("/"), now
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now().timestamp()),
            leeway=_SKEW_SECONDS,
            iss={"essential": True},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )

    async def caller(self, token: str) -> Caller:
        """Return who presents a token.

        Raises AuthRequired when it is forged, foreign, lapsed or not for us, UpstreamUnavailable when the issuer's
        keys cannot be had.
        """
        if len(token) > _LONGEST:
            raise AuthRequired(_NOT_GOOD)
        header = _header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        kind = _KINDS.get(algorithm) if isinstance(algorithm, str) else None
        if kind is None or not isinstance(kid, str | None):
            raise AuthRequired(_NOT_GOOD)
        for key in await self._keys.named(kid):
            if isinstance(key, kind) and _is_for(key, str(algorithm)):
                claims = self._checked(token, key, str(algorithm))
                if claims is not None:
                    return _caller(claims)
        raise AuthRequired(_NOT_GOOD)

    def _checked(self, token: str, key: Key, algorithm: str) -> dict[str, Any] | None:
        """Return the claims of a token that a key signed and that is for us; None when another key may have."""
        try:
            claims = jwt.decode(token, key, algorithms=[algorithm]).claims
        except (JoseError, ValueError):
            return None
        try:
            self._claims.validate(claims)
        except (JoseError, ValueError, TypeError, OverflowError):
            raise AuthRequired(_NOT_GOOD) from None
        issuer = claims.get("iss")
        if not isinstance(issuer, str) or issuer.rstrip("/") != self._issuer:
            raise AuthRequired(_NOT_GOOD)
        return claims


def _header(token: str) -> Mapping[str, Any]:
    """Return the header of a token, which nothing vouches for yet."""
    try:
        return extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError, RecursionError):
        raise AuthRequired(_NOT_GOOD) from None


def _is_for(key: Key, algorithm: str) -> bool:
    """Tell whether a key is meant for signatures by an algorithm."""
    said = key.as_dict(private=False)
    return said.get("use", "sig") == "sig" and said.get("alg", algorithm) == algorithm


def _caller(claims: Mapping[str, Any]) -> Caller:
    """Return who a token is of: a person, or a program. Raises AuthRequired when it does not say."""
    name = next((claims[c] for c in ("sub", "client_id", "azp") if isinstance(claims.get(c), str)), "")
    if not name.strip():
        raise AuthRequired(_NOT_GOOD)
    return Caller(f"oauth:{name}", frozenset(_scopes(claims)))


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    """Return the scopes that a token grants: `scope`, or `scp` as some issuers call it, a text or a list."""
    granted = claims.get("scope", claims.get("scp", ""))
    if isinstance(granted, str):
        return granted.split()
    return [scope for scope in granted if isinstance(scope, str)] if isinstance(granted, list) else []
