"""What a server refuses to start with, rather than let anybody in."""

from pathlib import Path

import pytest

from kai_erp.access import HostGuard, access_mode, check_bind
from kai_erp.api.main import create_app
from kai_erp.app import open_app
from kai_erp.config import Settings, load_settings
from kai_erp.errors import InvalidSetting

ANYWHERE = "0.0.0.0"  # noqa: S104  # nothing is bound


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_this_machine_nobody_is_asked_for_a_key(host: str) -> None:
    assert check_bind(load_settings({"host": host})) == ()


@pytest.mark.parametrize("host", [ANYWHERE, "::", "192.168.1.5", "kai.example"])
def test_beyond_this_machine_nothing_is_served_to_everybody(host: str) -> None:
    with pytest.raises(InvalidSetting, match=f"HOST is '{host}'") as caught:
        check_bind(load_settings({"host": host}))
    assert "ALLOW_ANONYMOUS=true" in caught.value.suggestion


def test_whoever_insists_is_warned_at_every_start() -> None:
    (warning,) = check_bind(load_settings({"host": ANYWHERE, "allow_anonymous": True}))
    assert "everybody" in warning


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"keys": []}'])
def test_a_keys_file_of_any_content_turns_keys_on(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert access_mode(load_settings()) == "none"
    file = tmp_path / "kai-erp" / "keys.json"
    file.parent.mkdir()
    file.write_text(content)
    assert access_mode(load_settings()) == "api_key"
    assert check_bind(load_settings({"host": ANYWHERE})) == ()
    assert access_mode(load_settings({"auth_mode": "none"})) == "none"


def test_a_named_keys_file_turns_keys_on_before_it_is_there(tmp_path: Path) -> None:
    assert access_mode(load_settings({"api_keys_file": tmp_path / "keys.json"})) == "api_key"


@pytest.mark.parametrize("missing", ["oauth_issuer", "oauth_audience"])
async def test_tokens_need_an_issuer_and_an_audience(missing: str) -> None:
    given = {"auth_mode": "oauth", "oauth_issuer": "https://issuer.example", "oauth_audience": "kai"}
    settings = load_settings({name: value for name, value in given.items() if name != missing})
    with pytest.raises(InvalidSetting, match=missing.upper()):
        create_app(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("oauth_audience", "kai"),
        ("oauth_issuer", "https://issuer.example"),
        ("oauth_jwks_url", "https://issuer.example/keys"),
    ],
)
async def test_settings_for_tokens_that_would_protect_nothing_stop_every_surface(name: str, value: str) -> None:
    settings = load_settings({name: value})
    with pytest.raises(InvalidSetting, match=name.upper()):
        create_app(settings)
    with pytest.raises(InvalidSetting, match=name.upper()):
        async with open_app(settings):
            pass


SERVED = [
    "localhost",
    "localhost:8100",
    "127.0.0.1:8100",
    "[::1]:8100",
    "KAI.example:443",
    "erp.example",
    "10.1.2.3",
]
FOREIGN = ["", "evil.example", "localhost.evil.example", "evil.example:8100", "[", "127.0.0.1.evil.example", "kai"]


@pytest.mark.parametrize("host", SERVED)
def test_own_names_and_addresses_are_served(host: str) -> None:
    assert HostGuard(guarded()).serves(host)


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign_names_are_not_served(host: str) -> None:
    assert not HostGuard(guarded()).serves(host)


def guarded() -> Settings:
    return load_settings({"public_url": "https://kai.example", "allowed_hosts": "erp.example"})
