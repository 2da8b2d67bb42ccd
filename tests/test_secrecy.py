"""The lookout that every test runs under sees a secret wherever it may leak."""

import time

import pytest
import structlog
from pydantic import SecretStr

from kai_erp.audit import AuditLog
from kai_erp.core.auth import Token
from kai_erp.errors import InvalidParameter, UpstreamAuth
from kai_erp.metrics import Metrics
from tests.secrecy import Lookout

SECRET = "correct horse battery staple"


def test_it_knows_the_secrets_of_settings_and_the_tokens(lookout: Lookout) -> None:
    SecretStr(SECRET)
    Token("token-of-the-erp", None)
    assert {SECRET, "token-of-the-erp"} <= lookout.secrets


@pytest.mark.parametrize("way", ["error", "inner error", "log", "audit", "metrics", "key"])
def test_it_sees_a_secret_on_every_way_out(lookout: Lookout, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    lookout.learn(SECRET)
    match way:
        case "error":
            UpstreamAuth(f"refused {SECRET}")
        case "inner error":
            InvalidParameter("job", SECRET)
        case "log":
            structlog.wrap_logger(structlog.PrintLogger()).warning("failed", reason=SECRET)
            capsys.readouterr()
        case "audit":
            AuditLog(None).write({"filters": {"job": SECRET}})
        case "metrics":
            metrics = Metrics(time.monotonic)
            metrics.asked("production_schedule", SECRET, "answered", 0.1)
            metrics.exposed()
        case "key":
            UpstreamAuth("kai_0123456789abcdefghijklmnopqrstuvwxyzABC")
    leaks, lookout.leaks = lookout.leaks, []  # made on purpose, so no fault of this test
    assert len(leaks) == 1


def test_it_does_not_cry_without_need(lookout: Lookout) -> None:
    lookout.learn(SECRET)
    UpstreamAuth("The ERP refuses user and password: HTTP 401")
    assert lookout.leaks == []
