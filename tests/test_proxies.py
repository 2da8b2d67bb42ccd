"""Which proxy leads to an upstream."""

from __future__ import annotations

import pytest

from kai_erp.errors import InvalidSetting
from kai_erp.proxies import proxy_for

PROXY = "http://proxy.test:3128"
VARIABLES = [f"{name}_proxy" for name in ("http", "https", "all", "no")]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "address", "proxy"),
    [
        ({}, "https://erp.test", None),
        ({"HTTPS_PROXY": PROXY}, "https://erp.test", PROXY),
        ({"HTTPS_PROXY": PROXY}, "http://erp.test", None),
        ({"ALL_PROXY": PROXY}, "https://erp.test", PROXY),
        ({"HTTPS_PROXY": PROXY, "ALL_PROXY": "http://other.test"}, "https://erp.test/x?y", PROXY),
        ({"HTTPS_PROXY": "proxy.test:3128"}, "https://erp.test", PROXY),
        ({"HTTPS_PROXY": "https://u:p4ssw0rd@proxy.test"}, "https://erp.test", "https://u:p4ssw0rd@proxy.test"),
        ({"HTTPS_PROXY": ""}, "https://erp.test", None),
        ({"HTTP_PROXY": PROXY, "ALL_PROXY": PROXY}, "http://127.0.0.1:8080", None),
        ({"HTTP_PROXY": PROXY, "ALL_PROXY": PROXY}, "http://localhost", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "erp.test"}, "https://erp.test", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "other.test, .test"}, "https://erp.test", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*.test"}, "https://erp.test", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*.test"}, "https://erptest", PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, "https://erp.test", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8"}, "https://10.1.2.3", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8"}, "https://11.1.2.3", PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "fd00::/8"}, "https://[fd00::1]:8443", None),
    ],
)
def test_the_environment_names_a_proxy(
    environment: pytest.MonkeyPatch, variables: dict[str, str], address: str, proxy: str | None
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    assert proxy_for(address) == proxy


@pytest.mark.parametrize(
    "value", ["socks5://u:p4ssw0rd@proxy.test", "http://u:p4ssw0rd@proxy.test:99999", "http://:80", "http://"]
)
def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(
    environment: pytest.MonkeyPatch, value: str
) -> None:
    environment.setenv("HTTPS_PROXY", value)
    with pytest.raises(InvalidSetting, match="HTTPS_PROXY") as raised:
        proxy_for("https://erp.test")
    assert "p4ssw0rd" not in str(raised.value)
