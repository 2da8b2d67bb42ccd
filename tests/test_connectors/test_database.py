"""An app opens a staging database of its own and closes it; the apps of all other tests share one."""

from datetime import datetime

import duckdb
import pytest

from kai_erp import tenant
from kai_erp.app import open_app
from kai_erp.config import Settings
from kai_erp.core.staging import StagingDatabase
from tests.test_connectors.asking import ask


async def test_an_app_answers_from_a_database_that_is_closed_with_it(
    settings: Settings, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[StagingDatabase] = []

    def open_another() -> StagingDatabase:
        opened.append(StagingDatabase())
        return opened[-1]

    monkeypatch.setattr(tenant, "StagingDatabase", open_another)
    async with open_app(settings, now=lambda: now) as app:
        assert (await ask(app)).records.num_rows > 0
    (database,) = opened
    with pytest.raises(duckdb.ConnectionException):
        database.area()
