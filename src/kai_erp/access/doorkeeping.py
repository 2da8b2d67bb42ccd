"""Letting callers in: from the headers of a request to whoever sent it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Protocol

import structlog

from kai_erp.access.jwks import open_issuer_keys
from kai_erp.access.keyring import Keyring
from kai_erp.access.keys import KeysFile
from kai_erp.access.modes import AccessMode, access_mode
from kai_erp.access.tokens import BearerTokens
from kai_erp.callers import ANYBODY, Caller
from kai_erp.config import Settings, keys_file
from kai_erp.core.types import Clock, Now
from kai_erp.errors import AuthRequired

Headers = Iterable[tuple[bytes, bytes]]
_BEARER = re.compile(rb"bearer +(.*)", re.IGNORECASE)
_CREDENTIAL = re.compile(rb"[\x21-\x7e]{1,8192}")
log = structlog.get_logger(__name__)


class Credentials(Protocol):
    """Tells whose key or token it is."""

    async def caller(self, credential: str) -> Caller:
        """Return who presents a credential. Raises AuthRequired when it is not good."""
        ...


class _Keys:
    """Keys as credentials."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def caller(self, credential: str) -> Caller:
        return self._keyring.caller(credential)


class Doorkeeper:
    """Lets callers in by the headers of a request; without credentials to ask for, everybody.

    Args:
        mode: how callers are asked who they are.
        credentials: what tells keys or tokens apart; None where nobody is asked for any.
    """

    def __init__(self, mode: AccessMode, credentials: Credentials | None) -> None:
        self.mode, self._credentials = mode, credentials

    async def admit(self, headers: Headers) -> Caller:
        """Return who sent a request. Raises AuthRequired when there is no good key or token in it."""
        if self._credentials is None:
            return ANYBODY
        return await self._credentials.caller(presented(headers, keys=self.mode == "api_key"))


def presented(headers: Headers, *, keys: bool) -> str:
    """Return the one credential that a request carries. Raises AuthRequired when there is none, or several."""
    headers = list(headers)
    given = [value.strip() for name, value in headers if name == b"authorization"]
    bearers = [match[1] if (match := _BEARER.fullmatch(value)) else b"" for value in given]
    own = [value.strip() for name, value in headers if name == b"x-api-key"] if keys else []
    if len(bearers) > 1 or len(own) > 1 or (bearers and own and bearers != own):
        raise AuthRequired("Several keys or tokens were sent: send one")
    credential = next(iter((*own, *bearers)), None)
    if credential is None:
        raise AuthRequired("No key was sent" if keys else "No token was sent")
    if not _CREDENTIAL.fullmatch(credential):
        raise AuthRequired("What was sent is no key" if keys else "What was sent is no bearer token")
    return credential.decode("ascii")


@asynccontextmanager
async def open_doorkeeper(settings: Settings, clock: Clock, now: Now) -> AsyncIterator[Doorkeeper]:
    """Open what the settings ask callers for, and close it again."""
    mode = access_mode(settings)
    if mode == "api_key":
        keyring = Keyring(KeysFile(keys_file(settings)), now)
        if not keyring.usable():
            log.warning("no key is good yet, so nobody is let in", make_one="kai-erp keys create NAME --scope '*'")
        try:
            yield Doorkeeper(mode, _Keys(keyring))
        finally:
            await keyring.close()
    elif mode == "oauth":
        async with open_issuer_keys(settings, clock) as issuer_keys:
            tokens = BearerTokens(issuer_keys, str(settings.oauth_issuer), str(settings.oauth_audience), now)
            yield Doorkeeper(mode, tokens)
    else:
        yield Doorkeeper(mode, None)
