import asyncio
from collections.abc import Callable, Iterator, Mapping

import hypothesis
import pytest
import stamina

from tests.test_core.virtual_time import VirtualTimeLoop

hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture(autouse=True)
def four_attempts_without_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=4, cap=True):  # stamina's own signature
        yield


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run coroutines in virtual time, but those that speak over a socket in real time."""
    over_a_socket = "simulator" in getattr(item, "fixturenames", ())
    return {"real": asyncio.SelectorEventLoop} if over_a_socket else {"virtual": VirtualTimeLoop}
