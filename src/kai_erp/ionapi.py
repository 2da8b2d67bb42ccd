"""The `.ionapi` file of a backend service app: where the gateway is, and the keys to it."""

from __future__ import annotations

import codecs
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from kai_erp.config import check_upstream_url
from kai_erp.errors import InvalidSetting


class IonapiFile(BaseModel):
    """The members that we need; Infor's names are short: `iu` the gateway, `pu` + `ot` the token endpoint."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tenant: str = Field(alias="ti", pattern=r"^[A-Za-z0-9_.\-]+$")
    gateway: str = Field(alias="iu")
    authorisation: str = Field(alias="pu")
    token_path: str = Field(alias="ot")
    client_id: str = Field(alias="ci", min_length=1)
    client_secret: SecretStr = Field(alias="cs", min_length=1)
    account_key: SecretStr | None = Field(None, alias="saak")
    account_secret: SecretStr | None = Field(None, alias="sask")

    @field_validator("gateway", "authorisation")
    @classmethod
    def _safe(cls, url: str) -> str:
        return check_upstream_url(url)

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return f"{self.authorisation}/{self.token_path.lstrip('/')}"

    def service_url(self, suite: str) -> str:
        """Return the base of the IDO Request Service on the gateway."""
        return f"{self.gateway}/{self.tenant}/{suite}/IDORequestService/ido"

    @property
    def compass_url(self) -> str:
        """The base of Compass, the query service of the data lake, on the gateway."""
        return f"{self.gateway}/{self.tenant}/DATAFABRIC/compass/v2"


def read_ionapi(path: Path, variable: str = "SL10_IONAPI_FILE") -> IonapiFile:
    """Return the file's content. Raises InvalidSetting that names `variable` and the member that is wrong."""
    try:
        return IonapiFile.model_validate_json(path.read_bytes().removeprefix(codecs.BOM_UTF8))
    except OSError as failure:
        raise InvalidSetting(f"{variable} is '{path}', which cannot be read: {failure.strerror}") from None
    except ValidationError as failure:
        error = failure.errors(include_url=False, include_input=False)[0]
        member = ".".join(str(part) for part in error["loc"]) or "content"
        raise InvalidSetting(f"{variable} is '{path}', whose {member} is wrong: {error['msg']}") from None
