"""An OAuth issuer of the tests' own: keys that rotate, metadata, and tokens of every kind."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

ISSUER = "https://issuer.example"
AUDIENCE = "kai-erp"


@dataclass
class Issuer:
    """Signs tokens, and answers for its keys as an HTTP server would."""

    keys: dict[str, Key] = field(
        default_factory=lambda: {
            "rsa": RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
            "ec": ECKey.generate_key("P-256", {"kid": "ec"}),
            "ed": OKPKey.generate_key("Ed25519", {"kid": "ed"}),
        }
    )
    asked: list[str] = field(default_factory=list)
    answer: Callable[[httpx2.Request], httpx2.Response] | None = None

    def http(self) -> httpx2.AsyncClient:
        """Return a client whose requests reach the issuer."""
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer))

    def token(self, kid: str = "rsa", algorithm: str = "RS256", **changes: Any) -> str:  # noqa: ANN401  # any claim
        """Return a good token, but for what is changed: None leaves a claim out, times are seconds from now."""
        header = {"alg": algorithm, "kid": kid}
        return jwt.encode(header, self.claims(**changes), self.keys[kid], algorithms=[algorithm])

    def claims(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401  # any claim
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "anna",
            "iat": now,
            "exp": now + 600,
            "scope": "customers:read orders:read",
        }
        for name in {"exp", "nbf", "iat"} & changes.keys():
            if isinstance(changes[name], int):
                changes[name] += now
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        if self.answer is not None:
            return self.answer(request)
        if request.url.path == "/.well-known/openid-configuration":
            return httpx2.Response(200, json={"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"})
        if request.url.path == "/keys":
            return httpx2.Response(200, json={"keys": [key.as_dict(private=False) for key in self.keys.values()]})
        return httpx2.Response(404)
