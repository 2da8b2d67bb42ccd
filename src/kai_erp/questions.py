"""A question as the app is asked it, and the page of an answer that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from kai_erp.callers import ANYBODY, Caller
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import Freshness
from kai_erp.models.result import Meta

DEFAULT_LIMIT = 500
LARGEST_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody looks at an answer that all who look share.

    Args:
        within: seconds; an answer that was read at most so long ago will do.
        as_of: that of the answer which is being looked at, to see more of the same; then no other will do.
    """

    within: float
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a page of an answer.

    With a `cursor` the page comes from the kept answer; `given` names the parameters that were put beside it and
    must then be those of the first request. With a `look` the whole answer is given, as it is shown to others.
    """

    connector: str
    query: ConnectorQuery
    freshness: Freshness = Freshness.REALTIME
    limit: int = DEFAULT_LIMIT
    cursor: str | None = None
    caller: Caller = ANYBODY
    given: frozenset[str] = field(default_factory=frozenset)
    look: Look | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A page of an answer: records as columns, the summary of the whole, and the meta of the envelope."""

    records: pa.Table
    summary: Mapping[str, object]
    meta: Meta
