"""`kai-erp connectors`: what can be asked, for people and for programs."""

import json

from kai_erp.catalogue import catalogue
from kai_erp.plugins import all_connectors
from tests.test_cli.commands import Run


def test_the_catalogue_names_parameters_record_fields_and_collections(run: Run) -> None:
    outcome = run("connectors")
    assert outcome.code == 0
    for connector in all_connectors():
        assert connector.path in outcome.out
        for name in (*connector.query.model_fields, *connector.record.model_fields):
            assert name in outcome.out
    for name in ("SLJobs", "SLJobRoutes", "SLJrtSchs", "SLItems", "SLItemwhses", "SLWcs"):
        assert name in outcome.out


def test_the_catalogue_as_json_is_that_of_the_api(run: Run) -> None:
    given = json.loads(run("connectors", "--json").out)
    assert given == [entry.model_dump(mode="json") for entry in catalogue(all_connectors())]
