"""Reference pages say what the declarations say, and those in the docs are up to date."""

from pathlib import Path

import pytest

from kai_erp.plugins import all_connectors
from kai_erp.reference import reference_page

DOCS = Path(__file__).parent.parent / "docs" / "reference"
CONNECTORS = {connector.verb: connector for connector in all_connectors()}


@pytest.mark.parametrize("verb", CONNECTORS)
def test_the_page_in_the_docs_is_the_one_made_from_the_declaration(verb: str) -> None:
    assert (DOCS / f"{verb}.md").read_text() == reference_page(CONNECTORS[verb]), "run: make fix"


@pytest.mark.parametrize("verb", CONNECTORS)
def test_every_parameter_field_and_collection_has_a_line(verb: str) -> None:
    connector, page = CONNECTORS[verb], reference_page(CONNECTORS[verb])
    for model in (connector.query, connector.record, connector.summary):
        for name in model.model_fields:
            assert f"| `{name}` |" in page
    assert connector.path in page
    assert "Required." in page or not any(field.is_required() for field in connector.query.model_fields.values())


def test_the_docs_have_no_page_of_a_connector_that_is_gone() -> None:
    assert {page.stem for page in DOCS.glob("*.md")} == set(CONNECTORS)
