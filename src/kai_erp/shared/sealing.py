"""What lies in Redis is sealed: without the ERP's credentials it can be neither read, nor made, nor moved."""

from __future__ import annotations

import hmac
import json
import os
import struct
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kai_erp.core.types import Now

_KEY_BYTES = 32
_NONCE_BYTES = 12
_SKEW_SECONDS = 60.0
_UNTIL = struct.Struct(">d")


class Vault:
    """Seals contents under names, and makes the names.

    AES-256-GCM with a random nonce; the name is authenticated with the content, so that a value that was moved to
    another name does not open, and neither does one that is older than it was made for.

    Args:
        namespace: what every name begins with.
        secrets: the credentials from which the keys are derived.
        now: the present moment.
    """

    def __init__(self, namespace: str, secrets: Sequence[str], now: Now) -> None:
        material = json.dumps(list(secrets)).encode()
        self._cipher = AESGCM(_derived(material, b"kai-erp seal"))
        self._naming = _derived(material, b"kai-erp names")
        self._now = now
        self.namespace = namespace
        self._own = f"{namespace}:{self._digest('vault')[:16]}"

    def __repr__(self) -> str:
        return f"Vault({self.namespace})"

    def name(self, kind: str, *parts: str) -> str:
        """Return a name that shows its kind, and of its parts nothing; other credentials make other names."""
        return f"{self._own}:{kind}:{self._digest(kind, *parts)}" if parts else f"{self._own}:{kind}"

    def seal(self, name: str, content: bytes, seconds: float) -> bytes:
        """Return the content, to be kept under a name for so long."""
        nonce = os.urandom(_NONCE_BYTES)
        until = _UNTIL.pack(self._now().timestamp() + seconds)
        return nonce + self._cipher.encrypt(nonce, until + content, name.encode())

    def open(self, name: str, sealed: bytes | None) -> bytes | None:
        """Return the content that was sealed under a name; None when it was not, or for an earlier time."""
        try:
            opened = self._cipher.decrypt(
                (sealed or b"")[:_NONCE_BYTES], (sealed or b"")[_NONCE_BYTES:], name.encode()
            )
        except (InvalidTag, ValueError):
            return None
        (until,) = _UNTIL.unpack_from(opened)
        return opened[_UNTIL.size :] if self._now().timestamp() <= until + _SKEW_SECONDS else None

    def _digest(self, *parts: str) -> str:
        return hmac.digest(self._naming, json.dumps(parts).encode(), "sha256").hex()[:32]


def _derived(material: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=purpose).derive(material)
