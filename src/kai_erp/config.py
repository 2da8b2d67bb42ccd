"""Settings, read once at the entrance from the environment and `.env`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from kai_erp.errors import InvalidSetting

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
CLOUD = ("sl10_ionapi_file",)
DIRECT = ("sl10_base_url", "sl10_username", "sl10_password")
_SECRET_WORDS = ("password", "secret", "redis_url")


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name means this machine."""
    return host in LOOPBACK_HOSTS


def check_upstream_url(url: str) -> str:
    """Return an upstream's address; raise ValueError unless it is https, or http to this machine."""
    parts = urlsplit(url)
    if not url.isascii() or not _has_good_port(parts):
        raise ValueError("an address in ASCII, its port, if any, a number up to 65535")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("an address that begins with https://")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("https:// (http:// goes only to this machine)")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("an address without user, password, query or fragment")
    return url.rstrip("/")


def _has_good_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError("an IANA zone such as Europe/Berlin or America/Chicago") from None
    return name


def _names(text: object) -> object:
    return (
        tuple(part for part in (piece.strip() for piece in text.split(",")) if part)
        if isinstance(text, str)
        else text
    )


UpstreamUrl = Annotated[str, AfterValidator(check_upstream_url)]
Zone = Annotated[str, AfterValidator(_zone)]
Names = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Every setting; the variable is the field's name in capitals. `.env.example` explains each."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    # the ERP
    sl10_ionapi_file: Path | None = None
    sl10_config_name: str | None = Field(None, pattern=r"^[A-Za-z0-9_.\- ]{1,128}$")
    sl10_base_url: UpstreamUrl | None = None
    sl10_username: str | None = None
    sl10_password: SecretStr | None = None
    sl10_timezone: Zone | None = None
    sl10_suite: str = Field("CSI", pattern=r"^[A-Za-z0-9_.\-]{1,64}$")
    sl10_request_timeout_seconds: float = Field(30, gt=0, le=600)
    sl10_query_timeout_seconds: float = Field(60, gt=0, le=3600)
    sl10_max_concurrency: int = Field(6, ge=1, le=64)
    sl10_requests_per_minute: int = Field(1000, ge=1, le=100_000)
    sl10_page_size: int = Field(1000, ge=1, le=100_000)
    sl10_key_ranges: int = Field(1, ge=1, le=64)
    sl10_ca_bundle: Path | None = None
    token_refresh_minutes: float = Field(55, gt=0, le=1440)
    redis_url: SecretStr | None = None

    # the data lake
    lake_enabled: bool = False
    lake_ionapi_file: Path | None = None
    lake_compass_url: UpstreamUrl | None = None
    lake_ion_client_id: str | None = None
    lake_ion_client_secret: SecretStr | None = None
    lake_table_template: str = Field("{table}", pattern=r"^[\w.\"]*\{table\}[\w.\"]*$")
    lake_site: str | None = None
    lake_timestamps: Literal["utc", "wall_clock"] = "utc"
    lake_query_timeout_minutes: float = Field(60, gt=0, le=60)
    lake_page_rows: int = Field(100_000, ge=1, le=100_000)

    # routing and kept answers
    rest_preferred_max: int = Field(5000, ge=1)
    rest_hard_max: int = Field(10_000, ge=1)
    snapshot_ttl_seconds: float = Field(600, gt=0, le=86_400)
    snapshot_max_mb: int = Field(512, ge=1)
    cache_ttl_seconds: float = Field(0, ge=0, le=86_400)
    reference_ttl_seconds: float = Field(0, ge=0, le=86_400)

    # who may ask
    host: str = "127.0.0.1"
    port: int = Field(8100, ge=0, le=65_535)
    public_url: UpstreamUrl | None = None
    allowed_hosts: Names = ()
    auth_mode: Literal["auto", "none", "api_key", "oauth"] = "auto"
    allow_anonymous: bool = False
    api_keys_file: Path | None = None
    oauth_issuer: UpstreamUrl | None = None
    oauth_audience: str | None = None
    oauth_jwks_url: UpstreamUrl | None = None
    inbound_per_minute: int = Field(120, ge=1)
    inbound_concurrency: int = Field(8, ge=1)
    max_body_bytes: int = Field(1_000_000, ge=1)
    hidden_fields: Names = ()
    cors_origins: Names = ()

    # what is written down
    audit_log: str | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    log_format: Literal["console", "json"] = "console"

    @model_validator(mode="before")
    @classmethod
    def _split_lists(cls, values: dict[str, Any]) -> dict[str, Any]:
        lists = ("allowed_hosts", "hidden_fields", "cors_origins")
        return {name: _names(value) if name in lists else value for name, value in values.items()}

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Refuse settings that contradict each other."""
        direct = [name.upper() for name in DIRECT if getattr(self, name) is not None]
        if self.sl10_ionapi_file is not None and direct:
            raise ValueError(f"SL10_IONAPI_FILE and {direct[0]} are both set: use one way in, cloud or direct")
        if self.rest_hard_max < self.rest_preferred_max:
            allowed = f"REST_PREFERRED_MAX ({self.rest_preferred_max}) or more"
            raise ValueError(f"REST_HARD_MAX is {self.rest_hard_max}, allowed is {allowed}")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the ERP server's wall clock."""
        return ZoneInfo(self.sl10_timezone or "UTC")

    def missing(self) -> tuple[str, ...]:
        """Return what is not set and must be before a question can be asked."""
        direct = [name for name in DIRECT if getattr(self, name) is not None]
        way_in = DIRECT if direct else CLOUD
        needed = (*way_in, "sl10_config_name", "sl10_timezone")
        return tuple(name.upper() for name in needed if getattr(self, name) is None)


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings of the environment, `.env` and, before both, `overrides`.

    Raises InvalidSetting with one line that names the variable, its value (secrets masked) and what is allowed.
    """
    try:
        return Settings(**dict(overrides or {}))
    except ValidationError as failure:
        raise InvalidSetting(_one_line(failure)) from None
    except (OSError, UnicodeDecodeError) as failure:
        raise InvalidSetting(f".env cannot be read: {failure}", suggestion="Save it as UTF-8 text.") from None


def keys_file(settings: Settings) -> Path:
    """Return where inbound API keys are kept."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return settings.api_keys_file or home / "kai-erp" / "keys.json"


def _without_user(address: str) -> str:
    """Return a text without the user and password that an address in it may hold."""
    return re.sub(r"//[^/@]*@", "//***@", address)


def _one_line(failure: ValidationError) -> str:
    error = failure.errors(include_url=False)[0]
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name = str(error["loc"][0])
    shown = "***" if any(word in name for word in _SECRET_WORDS) else _without_user(repr(error["input"]))
    if error["type"] == "string_pattern_mismatch":
        message = f"what matches {error['ctx']['pattern']}"
    return f"{name.upper()} is {shown}, allowed is {message.removeprefix('Input should be ')}"
