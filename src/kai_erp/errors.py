"""Everything kai-erp raises on purpose.

```text
KaiErpError
├── ConfigurationError        the operator can mend it
│   ├── InvalidSetting        a variable has a wrong value
│   └── NotConfigured         no ERP is set up
├── QueryError                the caller can mend it
│   ├── InvalidParameter      a parameter is wrong
│   ├── TooManyRows           the answer would pass the row budget
│   └── CursorExpired         a cursor no longer leads anywhere
├── AccessError               who asks was not let in, or not to this
│   ├── AuthRequired          no key or token, or none that is good
│   ├── Forbidden             the key or token does not allow this
│   └── RateLimited           this caller asks too often, or too much at once
├── Overloaded                this process has no room now
└── UpstreamError             the ERP or its gateway
    ├── UpstreamAuth          our credentials are refused
    │   └── TokenRejected     this token is refused; a new one may not be
    ├── UpstreamDenied        the account may not read a collection
    ├── UpstreamFault         it answered, but with a fault or nonsense
    │   ├── PropertyMissing   the collection lacks a property
    │   ├── CollectionMissing the tenant lacks the collection
    │   ├── FilterRefused     the filter is not accepted
    │   ├── Nonsense              the body is cut or no JSON
    │   ├── RequestRefused        the gateway does not take the request
    │   ├── QueryTooLong      the request would pass the URL limit
    │   ├── BookmarkLoop      paging does not come to an end
    │   ├── QueryFailed       the data lake could not run the query
    │   ├── PageTooLarge      a page of the lake passes its limit; a smaller one may not
    │   └── JobLost           the lake no longer knows the job
    └── UpstreamUnavailable   unreachable, throttled or too slow
        └── PageTimedOut      a page took too long; a smaller one may not
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self


class KaiErpError(Exception):
    """Root of the tree: `code` is stable, the text is for people, `suggestion` says what to do next."""

    code = "internal_error"
    suggestion = "Report it with the request id."

    def __init__(self, message: str, *, suggestion: str | None = None) -> None:
        super().__init__(message)
        if suggestion is not None:
            self.suggestion = suggestion

    def anew(self) -> Self:
        """Return the same failure without what has become of it, to be raised to somebody else."""
        copy = type(self).__new__(type(self))
        copy.args = self.args
        vars(copy).update(vars(self))
        return copy


class ConfigurationError(KaiErpError):
    """The installation is not set up as it must be."""

    code = "not_configured"
    suggestion = "Mend the setting in the environment or in .env and start again."


class InvalidSetting(ConfigurationError):
    """A variable has a value that is not allowed, or two contradict each other."""


class NotConfigured(ConfigurationError):
    """No ERP is set up."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(f"No ERP is configured: {', '.join(missing)} not set")
        self.missing = tuple(missing)
        self.suggestion = "Set it in the environment or in .env, or start with --demo for the simulator."


class QueryError(KaiErpError):
    """The question cannot be answered as it was put."""

    code = "invalid_parameter"
    suggestion = "Change the parameter and ask again."


class InvalidParameter(QueryError):
    """A parameter is unknown, malformed or out of range."""

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(f"{parameter}: {problem}")
        self.parameter, self.problem = parameter, problem


class TooManyRows(QueryError):
    """The answer would pass the row budget."""

    code = "volume_exceeded"

    def __init__(self, estimated: int, limit: int, filters: Sequence[str] = (), *, lake: bool = False) -> None:
        super().__init__(f"The answer takes {estimated:,} rows or more, the limit is {limit:,}")
        self.estimated, self.limit = estimated, limit
        narrower = f"Narrow it with {' or '.join(filters)}" if filters else "Narrow it further"
        self.suggestion = f"{narrower}, or ask with freshness=near_realtime." if lake else f"{narrower}."


class CursorExpired(QueryError):
    """A cursor is unknown, lapsed, or belongs to another question."""

    code = "cursor_expired"
    suggestion = "Ask the question again without a cursor."

    def __init__(self) -> None:
        super().__init__("This cursor no longer leads to a kept answer")


class AccessError(KaiErpError):
    """Who asks is not let in, or not to what was asked, or not now."""


class AuthRequired(AccessError):
    """No key or token was given, or none that is good."""

    code = "auth_required"
    suggestion = (
        "Send a key as X-API-Key or Authorization: Bearer; the operator makes one with kai-erp keys create."
    )


class Forbidden(AccessError):
    """The key or token does not allow what was asked."""

    code = "forbidden"

    def __init__(self, scope: str) -> None:
        super().__init__(f"This key or token lacks the scope {scope}")
        self.scope = scope
        self.suggestion = f"Ask the operator for a key or token with the scope {scope}."


class RateLimited(AccessError):
    """This caller asks too often, or too much at once."""

    code = "rate_limited"
    suggestion = "Wait as long as Retry-After says; one question with a filter often does in place of many."

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Overloaded(KaiErpError):
    """This process has no room for the question now."""

    code = "overloaded"
    suggestion = "Try again in a moment, or narrow the question."
    retry_after = 5.0


class UpstreamError(KaiErpError):
    """The ERP, or the gateway before it, did not give what was asked for.

    `tried_out` tells that trying again has been tried.
    """

    code = "upstream_error"
    tried_out = False
    suggestion = "Try again later; if it stays, the ERP administrator finds the fault in the Mongoose log."


class UpstreamAuth(UpstreamError):
    """Our credentials, or our app, are refused."""

    code = "upstream_auth"
    suggestion = "The operator checks the service account, its Mongoose user and SL10_CONFIG_NAME."


class TokenRejected(UpstreamAuth):
    """The upstream refuses this token; a renewed one may be accepted."""


class UpstreamDenied(UpstreamError):
    """The service account has no right to read a collection."""

    code = "upstream_denied"

    def __init__(self, collection: str, said: str) -> None:
        super().__init__(f"The ERP does not let the service account read {collection}: {said}")
        self.collection = collection
        self.suggestion = f"Ask the ERP administrator for Read privilege on the IDO {collection}."


class UpstreamFault(UpstreamError):
    """The ERP answered with a fault, or with something that is no answer."""


class PropertyMissing(UpstreamFault):
    """The tenant's collection lacks a property."""

    def __init__(self, collection: str, property_name: str) -> None:
        super().__init__(f"{collection} has no property {property_name} on this tenant")
        self.collection, self.property_name = collection, property_name
        self.suggestion = f"The ERP administrator compares the IDO {collection} with the standard one."


class CollectionMissing(UpstreamFault):
    """The tenant lacks the collection."""

    def __init__(self, collection: str) -> None:
        super().__init__(f"The tenant has no IDO {collection}")
        self.collection = collection


class FilterRefused(UpstreamFault):
    """The ERP does not accept the filter."""

    def __init__(self, collection: str, said: str) -> None:
        super().__init__(f"{collection} refuses the filter: {said}")
        self.collection = collection


class RequestRefused(UpstreamFault):
    """The gateway, or the web server, does not take the request; it would not take it again."""


class Nonsense(UpstreamFault):
    """The body is cut, or is no JSON at all; the next one may be good."""

    def __init__(self, source: str, excerpt: str) -> None:
        super().__init__(f"{source} gave no usable answer: {excerpt or 'nothing'}")
        self.excerpt = excerpt


class QueryTooLong(UpstreamFault):
    """The request would pass the length that the ERP's web server takes."""

    def __init__(self, collection: str, size: int, limit: int) -> None:
        super().__init__(f"A request for {collection} takes {size:,} bytes of query, the limit is {limit:,}")
        self.collection = collection


class BookmarkLoop(UpstreamFault):
    """The ERP says that rows remain but gives no new bookmark."""

    def __init__(self, collection: str) -> None:
        super().__init__(f"{collection} has further rows, but its bookmark does not move on")
        self.collection = collection


class QueryFailed(UpstreamFault):
    """The data lake could not run the query; the message says what it said."""

    suggestion = "The operator compares the lake's tables and columns with LAKE_TABLE_TEMPLATE and LAKE_SITE."

    def __init__(self, said: str) -> None:
        super().__init__(f"The data lake could not run the query: {said}")
        self.said = said


class PageTooLarge(UpstreamFault):
    """A page of the data lake passes the size that it gives at once; a smaller one may not."""

    def __init__(self, rows: int) -> None:
        super().__init__(f"The data lake does not give {rows:,} rows at once: they are too large")
        self.rows = rows


class JobLost(UpstreamFault):
    """The data lake does not know the job, or no longer; it may know it if it is submitted again."""


class UpstreamUnavailable(UpstreamError):
    """Unreachable, throttled or timed out, after all retries."""

    code = "upstream_unavailable"
    suggestion = "Try again in a moment."

    def __init__(self, message: str, *, retry_after: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PageTimedOut(UpstreamUnavailable):
    """A page took longer than we, or the gateway, wait; a smaller one may not."""
