"""Tokens: the OAuth endpoint of the gateway, and the direct tokens of the IDO service."""

import base64
import binascii
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from kai_erp.simulator.options import SimulatorOptions
from kai_erp.simulator.refusals import SessionDeleted

_BEARER = "bearer "


class GrantRefused(Exception):
    """The token endpoint refuses: an OAuth error code, its description and the HTTP status."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


@dataclass(slots=True)
class Tokens:
    """The tokens that are valid now."""

    options: SimulatorOptions
    _bearers: dict[str, float] = field(default_factory=dict, repr=False)
    _direct: dict[str, str] = field(default_factory=dict, repr=False)
    _busy: set[str] = field(default_factory=set, repr=False)
    _ended: set[str] = field(default_factory=set, repr=False)

    def grant(self, form: Mapping[str, str], authorization: str) -> dict[str, str | int | float]:
        """Return the answer of the token endpoint, or raise GrantRefused."""
        self._check_client(form, authorization)
        kind = form.get("grant_type", "")
        if kind == "password":
            if (form.get("username"), form.get("password")) != (self.options.saak, self.options.sask):
                raise GrantRefused("invalid_grant", "The service account or its key is not valid.")
        elif kind != "client_credentials" or not self.options.accept_client_credentials:
            raise GrantRefused("unsupported_grant_type", f"The grant type {kind} is not supported.")
        token = secrets.token_urlsafe(24)
        self._bearers[token] = time.monotonic() + self.options.token_seconds
        return {"access_token": token, "token_type": "Bearer", "expires_in": self.options.token_seconds}

    def _check_client(self, form: Mapping[str, str], authorization: str) -> None:
        pair: tuple[str, str] | None = None
        if authorization and self.options.accept_basic:
            pair = _read_basic(authorization)
        elif "client_id" in form and self.options.accept_body:
            pair = (form["client_id"], form.get("client_secret", ""))
        if pair != (self.options.client_id, self.options.client_secret):
            raise GrantRefused("invalid_client", "Client authentication failed.", 401)

    def accepts(self, authorization: str) -> bool:
        """Whether an Authorization header of the gateway carries a valid bearer token."""
        if not authorization.lower().startswith(_BEARER):
            return False
        return self._bearers.get(authorization[len(_BEARER) :].strip(), 0.0) > time.monotonic()

    def revoke(self, token: str) -> None:
        """End one bearer token."""
        self._bearers.pop(token, None)

    def revoke_all(self) -> int:
        """End every token and return how many there were."""
        count = len(self._bearers) + len(self._direct)
        self._bearers.clear()
        self._direct.clear()
        return count

    def log_on(self, configuration: str, username: str, password: str) -> str | None:
        """Return a direct token for a configuration, or None when the user is not let in."""
        known = configuration in self.options.configurations
        if not known or (username, password) != (self.options.username, self.options.password):
            return None
        token = f"b/{base64.b64encode(secrets.token_bytes(46)).decode()}"
        self._direct[token] = configuration
        return token

    def configuration_of(self, token: str) -> str | None:
        """Return the configuration that a direct token was issued for, None when it is not valid."""
        return self._direct.get(token.strip())

    @contextmanager
    def session(self, token: str) -> Iterator[None]:
        """Use a direct token alone, or raise SessionDeleted: then it ends, with the request that has it."""
        token = token.strip()
        if token in self._busy:
            self._ended.add(token)
            raise SessionDeleted
        self._busy.add(token)
        try:
            yield
        finally:
            self._busy.discard(token)
            if token in self._ended:
                self._ended.discard(token)
                self._direct.pop(token, None)


def _read_basic(authorization: str) -> tuple[str, str] | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, secret
