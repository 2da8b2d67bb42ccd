"""Spans and logs of a running server, as a collector and a log shipper get them."""

import json
import re
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.test_cli.commands import started


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ExportTraceServiceRequest]]:
    """A collector that the environment names, and what it was sent."""
    received: list[ExportTraceServiceRequest] = []

    class Collecting(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that the library calls
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Collecting) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        yield received
        server.shutdown()
        thread.join()


def test_a_collector_gets_the_spans_of_a_question(collector: list[ExportTraceServiceRequest]) -> None:
    with started("serve", "--demo", "--port", "0") as server:
        address = server.until("http").split(" on ")[1].split()[0]
        assert httpx2.get(f"{address}/bedrock/schedule?work_center=WELD", timeout=60).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
    spans = {
        span.name: {entry.key: entry.value.string_value or entry.value.int_value for entry in span.attributes}
        for export in collector
        for resource in export.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
    assert spans["ask production_schedule"]["kai_erp.outcome"] == "answered"
    assert spans["ask production_schedule"]["kai_erp.source"] == "rest"
    assert int(spans["ask production_schedule"]["kai_erp.rows"]) > 0
    assert "GET /bedrock/schedule" in spans
    (service,) = {
        entry.value.string_value
        for export in collector
        for resource in export.resource_spans
        for entry in resource.resource.attributes
        if entry.key == "service.name"
    }
    assert service == "kai-erp"


def test_in_json_every_line_of_a_server_is_json_with_the_request_it_is_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    with started("serve", "--demo", "--port", "0") as server:
        line = server.until("http")
        address = re.findall(r"http://[^ ]+", line)[0]
        headers = {"X-Request-ID": "of-this-test"}
        assert httpx2.get(f"{address}/bedrock/schedule?limit=0", headers=headers).status_code == 422
        assert httpx2.get(f"{address}/customers/search?query=inc", headers=headers, timeout=60).status_code == 200
        server.until("/customers/search")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        assert server.process.stderr is not None
        said = [json.loads(text) for text in (*server.said, *server.process.stderr) if text.strip()]
    about = [entry for entry in said if entry.get("request_id") == "of-this-test"]
    assert {entry["path"] for entry in about if entry["event"] == "request"} == {
        "/bedrock/schedule",
        "/customers/search",
    }
    assert all({"event", "level", "timestamp"} <= entry.keys() for entry in said)
