"""Spans, for whoever runs a collector of OpenTelemetry; without one, none is made.

The variables are those of OpenTelemetry: `OTEL_EXPORTER_OTLP_ENDPOINT` turns spans on, `OTEL_SERVICE_NAME`,
`OTEL_TRACES_SAMPLER` and the others do what its documentation says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace

from kai_erp import __version__
from kai_erp.errors import InvalidSetting

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@contextmanager
def tracing() -> Iterator[None]:
    """Send the spans of this process to the collector that the environment names, until the context ends.

    Raises InvalidSetting when a collector is named but the extra `otel` is not installed.
    """
    named = next((name for name in _ENDPOINTS if os.environ.get(name)), None)
    if named is None:
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  # an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  # likewise
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  # likewise
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415  # likewise
    except ImportError:
        raise InvalidSetting(
            f"{named} is set, but spans need the extra otel", suggestion="pip install 'kai-erp[otel]'"
        ) from None
    about = {"service.name": os.environ.get("OTEL_SERVICE_NAME", "kai-erp"), "service.version": __version__}
    provider = TracerProvider(resource=Resource.create(about))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()
