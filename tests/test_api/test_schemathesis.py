"""The API keeps to its own description, whatever it is sent: made-up requests over every route.

A cursor cannot be made up, so the answer to one is 410, as the description says.
"""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok

from kai_erp.api.main import create_app
from kai_erp.simulator import RunningSimulator
from tests.conftest import SettingsFor

ACCEPTABLE = {
    "checks": {
        "positive_data_acceptance": {"expected-statuses": ["2XX", "400", "410", "5XX"]},
        "negative_data_rejection": {"expected-statuses": ["400", "404", "405", "406", "410", "422", "5XX"]},
    }
}


@pytest.fixture
def description(simulator: RunningSimulator, settings_for: SettingsFor) -> Iterator[schemathesis.BaseSchema]:
    """What a server on a socket says about itself."""
    server = uvicorn.Server(uvicorn.Config(create_app(settings_for(simulator)), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    config = SchemathesisConfig.from_dict(ACCEPTABLE)
    yield schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json", config=config)
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("mode", GenerationMode)
def test_whatever_is_sent_the_answer_is_one_of_those_described(
    description: schemathesis.BaseSchema, mode: GenerationMode
) -> None:
    operations = [found.ok() for found in description.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) >= 7
    sent = 0
    for operation in operations:

        @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: schemathesis.Case[Any]) -> None:
            nonlocal sent
            sent += 1
            case.call_and_validate()

        if mode is GenerationMode.POSITIVE or operation.query.items:
            send()
    assert sent > 50
