"""The `.ionapi` file: what is taken from it, and how a wrong one is refused."""

import json
from pathlib import Path

import pytest

from kai_erp.errors import InvalidSetting
from kai_erp.ionapi import read_ionapi
from kai_erp.simulator import SimulatorOptions, ionapi_document

DOCUMENT = ionapi_document("https://gateway.example", SimulatorOptions())


def written(folder: Path, **changes: object) -> Path:
    file = folder / "tenant.ionapi"
    members = {name: value for name, value in (DOCUMENT | changes).items() if value is not ...}
    file.write_text(json.dumps(members))
    return file


def test_the_file_gives_gateway_token_endpoint_and_keys(tmp_path: Path) -> None:
    file = read_ionapi(written(tmp_path))
    assert file.token_url == "https://gateway.example/DEMO_TRN/as/token.oauth2"
    assert file.service_url("CSI") == "https://gateway.example/DEMO_TRN/CSI/IDORequestService/ido"
    assert file.client_id == DOCUMENT["ci"]
    assert file.account_key is not None
    assert file.account_key.get_secret_value() == DOCUMENT["saak"]


def test_slashes_at_the_seams_do_not_double(tmp_path: Path) -> None:
    changes = {"iu": "https://gateway.example/", "pu": "https://sso.example/T/as", "ot": "/token.oauth2"}
    file = read_ionapi(written(tmp_path, **changes))
    assert file.token_url == "https://sso.example/T/as/token.oauth2"
    assert file.service_url("X") == "https://gateway.example/DEMO_TRN/X/IDORequestService/ido"


def test_a_file_without_a_service_account_is_taken(tmp_path: Path) -> None:
    file = read_ionapi(written(tmp_path, saak=..., sask=...))
    assert (file.account_key, file.account_secret) == (None, None)


def test_no_secret_is_in_the_text_of_a_file(tmp_path: Path) -> None:
    file = read_ionapi(written(tmp_path))
    for name in ("cs", "saak", "sask"):
        assert DOCUMENT[name] not in repr(file)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("ti", ...),
        ("ti", "a/b"),
        ("ti", ""),
        ("iu", ...),
        ("iu", "http://gateway.example"),
        ("iu", "gateway"),
        ("pu", "http://sso.example"),
        ("ot", ...),
        ("ci", ""),
        ("cs", ""),
        ("cs", ["not-a-real-secret"]),
    ],
)
def test_a_wrong_member_is_named_in_one_line_without_secrets(member: str, value: object, tmp_path: Path) -> None:
    path = written(tmp_path, **{member: value})
    with pytest.raises(InvalidSetting) as caught:
        read_ionapi(path)
    said = str(caught.value)
    assert f"SL10_IONAPI_FILE is '{path}', whose {member} is wrong" in said
    assert "\n" not in said
    assert "not-a-real" not in said


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "not-a-real-secret", "\ufeff\x00"])
def test_a_file_that_is_no_json_object_is_refused_without_being_quoted(content: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.ionapi"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidSetting) as caught:
        read_ionapi(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "not-a-real" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused_under_the_name_of_its_variable(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"LAKE_IONAPI_FILE is '.*none', which cannot be read: No such file"):
        read_ionapi(tmp_path / "none", "LAKE_IONAPI_FILE")
    with pytest.raises(InvalidSetting, match="Is a directory"):
        read_ionapi(tmp_path)


def test_a_byte_order_mark_before_the_file_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "bom.ionapi"
    path.write_text(json.dumps(DOCUMENT), encoding="utf-8-sig")
    assert read_ionapi(path).tenant == "DEMO_TRN"
