"""Settings come from the environment and `.env`; a wrong one is refused in one line that says what is allowed."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from kai_erp.config import Settings, is_loopback, keys_file, load_settings
from kai_erp.errors import InvalidSetting

WRONG = {
    "SL10_TIMEZONE": ["Chicago", "CST6", "+01:00", "../UTC", " "],
    "SL10_CONFIG_NAME": ["a/b", "a\tb", "x" * 129],
    "SL10_BASE_URL": ["erp.example", "ftp://erp", "https://", "https://erp?x=1", "https://erp#x"],
    "SL10_SUITE": ["a/b", "CSI suite", "x" * 65],
    "SL10_REQUEST_TIMEOUT_SECONDS": ["0", "-1", "soon", "601", "nan"],
    "SL10_QUERY_TIMEOUT_SECONDS": ["0", "3601", "inf"],
    "SL10_MAX_CONCURRENCY": ["0", "65", "1.5", "many"],
    "SL10_REQUESTS_PER_MINUTE": ["0", "100001"],
    "SL10_PAGE_SIZE": ["0", "-1", "100001"],
    "SL10_KEY_RANGES": ["0"],
    "TOKEN_REFRESH_MINUTES": ["0", "1441"],
    "LAKE_ENABLED": ["perhaps"],
    "LAKE_COMPASS_URL": ["http://lake.example"],
    "LAKE_TABLE_TEMPLATE": ["table", "{table}; drop", "{tables}"],
    "LAKE_TIMESTAMPS": ["local"],
    "LAKE_QUERY_TIMEOUT_MINUTES": ["61"],
    "LAKE_PAGE_ROWS": ["0", "100001"],
    "REST_PREFERRED_MAX": ["0", "x"],
    "REST_HARD_MAX": ["0", "4999"],
    "SNAPSHOT_TTL_SECONDS": ["0", "86401"],
    "SNAPSHOT_MAX_MB": ["0"],
    "CACHE_TTL_SECONDS": ["-1"],
    "REFERENCE_TTL_SECONDS": ["-1"],
    "PORT": ["-1", "65536", "http"],
    "PUBLIC_URL": ["http://kai.example"],
    "AUTH_MODE": ["open", "API-KEY"],
    "ALLOW_ANONYMOUS": ["maybe"],
    "OAUTH_ISSUER": ["http://issuer.example"],
    "INBOUND_PER_MINUTE": ["0"],
    "INBOUND_CONCURRENCY": ["0"],
    "MAX_BODY_BYTES": ["0"],
    "LOG_LEVEL": ["TRACE", "7"],
    "LOG_FORMAT": ["xml"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_in_one_line(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSetting) as caught:
        load_settings()
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(f"{name} is ")
    assert value.strip("\t") in said or repr(value)[1:-1] in said
    assert "allowed is " in said


@pytest.mark.parametrize("name", ["SL10_PASSWORD", "REDIS_URL", "LAKE_ION_CLIENT_SECRET"])
def test_a_secret_is_in_no_text_of_the_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "hunter2")
    settings = load_settings()
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert isinstance(getattr(settings, name.lower()), SecretStr)


def test_the_value_of_a_wrong_secret_is_masked() -> None:
    with pytest.raises(InvalidSetting) as caught:
        load_settings({"sl10_password": ["hunter2"]})
    assert str(caught.value).startswith("SL10_PASSWORD is ***, allowed is ")
    assert "hunter2" not in str(caught.value)


def test_a_password_in_an_address_is_refused_without_being_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SL10_BASE_URL", "https://admin:hunter2@erp.example")
    with pytest.raises(InvalidSetting) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["SL10_BASE_URL", "SL10_USERNAME", "SL10_PASSWORD"])
def test_both_ways_in_at_once_are_refused_and_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SL10_IONAPI_FILE", "tenant.ionapi")
    monkeypatch.setenv(name, "https://erp.example")
    with pytest.raises(InvalidSetting, match=f"SL10_IONAPI_FILE and {name} are both set"):
        load_settings()


@pytest.mark.parametrize(
    "address", ["http://erp.example", "http://10.0.0.1", "http://localhost.example", "http://[::2]"]
)
def test_plain_http_goes_to_this_machine_only(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SL10_BASE_URL", address)
    with pytest.raises(InvalidSetting, match="https://"):
        load_settings()


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("https://erp.example/csi//", "https://erp.example/csi"),
    ],
)
def test_an_address_is_kept_without_its_last_slash(
    address: str, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SL10_BASE_URL", address)
    assert load_settings().sl10_base_url == kept


def test_without_any_variable_everything_has_its_documented_default() -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8100)
    assert (settings.sl10_request_timeout_seconds, settings.sl10_query_timeout_seconds) == (30, 60)
    assert (settings.sl10_max_concurrency, settings.sl10_requests_per_minute) == (6, 1000)
    assert (settings.sl10_page_size, settings.sl10_suite, settings.token_refresh_minutes) == (1000, "CSI", 55)
    assert (settings.rest_preferred_max, settings.rest_hard_max) == (5000, 10_000)
    assert (settings.snapshot_ttl_seconds, settings.snapshot_max_mb) == (600, 512)
    assert (settings.auth_mode, settings.log_level, settings.log_format) == ("auto", "INFO", "console")
    assert settings.missing() == ("SL10_IONAPI_FILE", "SL10_CONFIG_NAME", "SL10_TIMEZONE")


def test_a_blank_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "")
    assert load_settings() == Settings.model_construct(**load_settings().model_dump())
    assert load_settings().missing() == ("SL10_IONAPI_FILE", "SL10_CONFIG_NAME", "SL10_TIMEZONE")


def test_the_env_file_is_read_and_the_environment_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("PORT=9001\nSL10_USERNAME=Jörg\nHOST=\nUNKNOWN=1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert (load_settings().port, load_settings().sl10_username) == (9001, "Jörg")
    assert load_settings().host == "127.0.0.1"
    monkeypatch.setenv("PORT", "9002")
    assert load_settings().port == 9002
    assert load_settings({"port": 9003}).port == 9003


def test_names_of_variables_may_be_written_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("sl10_config_name", "PROD")
    assert load_settings().sl10_config_name == "PROD"


def test_lists_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", " kai.example , erp.example,,")
    monkeypatch.setenv("HIDDEN_FIELDS", "unit_cost")
    settings = load_settings()
    assert settings.allowed_hosts == ("kai.example", "erp.example")
    assert settings.hidden_fields == ("unit_cost",)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"SL10_USERNAME": "u"}, ("SL10_BASE_URL", "SL10_PASSWORD", "SL10_CONFIG_NAME", "SL10_TIMEZONE")),
        (
            {"SL10_BASE_URL": "https://e", "SL10_USERNAME": "u", "SL10_PASSWORD": "p", "SL10_CONFIG_NAME": "c"},
            ("SL10_TIMEZONE",),
        ),
        ({"SL10_IONAPI_FILE": "f", "SL10_CONFIG_NAME": "c", "SL10_TIMEZONE": "UTC"}, ()),
    ],
)
def test_what_is_missing_is_that_of_the_way_in_which_was_begun(
    given: dict[str, str], missing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load_settings().missing() == missing


def test_the_hard_limit_may_equal_the_preferred_one() -> None:
    assert load_settings({"rest_preferred_max": 7, "rest_hard_max": 7}).rest_hard_max == 7


def test_keys_live_in_the_configuration_folder_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/etc/xdg")
    assert keys_file(load_settings()) == Path("/etc/xdg/kai-erp/keys.json")
    assert keys_file(load_settings({"api_keys_file": Path("/k.json")})) == Path("/k.json")


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", True), ("::1", True), ("127.0.0.2", False), ("::", False), (None, False)]
)
def test_loopback_is_this_machine_only(host: str | None, expected: bool) -> None:
    assert is_loopback(host) is expected
