"""A dlt pipeline as a careful user tunes it: four collections at once to Parquet, into DuckDB, joined to JSON."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

TUNED = {
    "EXTRACT__WORKERS": "8",
    "NORMALIZE__WORKERS": "1",
    "LOAD__WORKERS": "8",
    "SCHEMA__NAMING": "direct",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
}
os.environ.update(TUNED)

import dlt  # type: ignore[import-not-found,unused-ignore]  # noqa: E402  # reads the environment
import duckdb  # noqa: E402
from dlt.sources.helpers.rest_client.paginators import (  # type: ignore[import-not-found,unused-ignore]  # noqa: E402
    JSONResponseCursorPaginator,
)
from dlt.sources.rest_api import rest_api_source  # type: ignore[import-not-found,unused-ignore]  # noqa: E402

from benchmarks.rivals.serving import serve  # noqa: E402


def main() -> None:
    """Serve rounds; the first argument is what is asked, as JSON: base, walks and SQL."""
    asked = json.loads(sys.argv[1])
    source = make_source(asked["base"], asked["walks"])
    serve(lambda: answer(source, asked["sql"]))


def make_source(base: str, walks: list[tuple[str, dict[str, str]]]) -> Callable[[], Any]:
    """Return what makes the source; a source is used once."""

    def resource(collection: str, params: dict[str, str]) -> dict[str, Any]:
        paginator = JSONResponseCursorPaginator(
            cursor_path="Bookmark", cursor_param="bookmark", has_more_path="MoreRowsExist"
        )
        endpoint = {"path": collection, "params": params, "data_selector": "Items", "paginator": paginator}
        return {"name": collection, "endpoint": endpoint, "max_table_nesting": 0}

    def source() -> Any:  # noqa: ANN401  # dlt has no types here
        config = {"client": {"base_url": f"{base}/load/"}, "resources": [resource(*walk) for walk in walks]}
        made = rest_api_source(config, max_table_nesting=0)
        for one in made.resources.values():
            one.parallelize()  # the flag of the configuration has no effect here
        return made

    return source


def answer(source: Callable[[], Any], sql: str) -> bytes:
    """Return the joined records as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/staged.duckdb"
        pipeline = dlt.pipeline(
            "schedule", pipelines_dir=folder, destination=dlt.destinations.duckdb(file), dataset_name="erp"
        )
        pipeline.run(source(), loader_file_format="parquet")
        with duckdb.connect(file, read_only=True) as connection:
            connection.execute("USE erp")
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description or ()]
            records = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return json.dumps(records, default=str).encode()


if __name__ == "__main__":
    main()
