"""The Python API: answers of the ERP as records, Arrow tables and DataFrames.

There are two ways in, `connect` for asynchronous programs and `connect_sync` for all others; behind both is one
`Erp`.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from threading import Thread
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar, get_type_hints

import pyarrow as pa
import structlog
from pydantic import BaseModel, ValidationError

from kai_erp.app import App, Asked, open_app
from kai_erp.config import Settings, load_settings
from kai_erp.connectors import BaseConnector
from kai_erp.connectors.nearest import nearest
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import Freshness
from kai_erp.demo import demo_settings
from kai_erp.errors import ConfigurationError, InvalidParameter, InvalidSetting, NotConfigured
from kai_erp.logs import configure_logs
from kai_erp.models import (
    Customer,
    CustomersSummary,
    InventoryItem,
    InventorySummary,
    Meta,
    OrdersSummary,
    SalesOrder,
    ScheduledOperation,
    ScheduleSummary,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Erp", "SyncErp", "WholeAnswer", "connect", "connect_sync"]

R = TypeVar("R", bound=BaseModel)
S = TypeVar("S", bound=BaseModel)
T = TypeVar("T")
V = TypeVar("V")
T_co = TypeVar("T_co", covariant=True)
_WHOLE = sys.maxsize
_INTERRUPT_SECONDS = 0.2
_CLOSED = "This connection is closed: ask before it is, or connect again"


@dataclass(frozen=True, repr=False, eq=False)
class WholeAnswer(Generic[R, S]):
    """A whole answer, never a page: its records, the summary of them, and in `meta` where it comes from."""

    meta: Meta
    summary: S
    _table: pa.Table
    _record: type[R]

    @cached_property
    def records(self) -> list[R]:
        """The records as objects; decimals are exact, moments have the ERP's offset."""
        return [self._record.model_validate(row) for row in self._table.to_pylist()]

    def to_arrow(self) -> pa.Table:
        """Return the records as an Arrow table; decimals are exact."""
        return self._table

    def to_pandas(self) -> pd.DataFrame:
        """Return the records as a DataFrame: decimals as floats, whole numbers as Int64, days as datetime64.

        Raises ConfigurationError when pandas, the extra of that name, is not installed.
        """
        try:
            import pandas as pd  # noqa: PLC0415  # an extra
        except ImportError as failure:
            raise ConfigurationError(
                "to_pandas() needs the extra pandas: pip install 'kai-erp[pandas]'"
            ) from failure
        fields = [
            field.with_type(pa.float64()) if pa.types.is_decimal(field.type) else field
            for field in self._table.schema
        ]
        whole = dict.fromkeys((pa.int16(), pa.int32(), pa.int64()), pd.Int64Dtype())
        frame: pd.DataFrame = self._table.cast(pa.schema(fields)).to_pandas(
            types_mapper=whole.get, date_as_object=False
        )
        return frame

    def __repr__(self) -> str:
        meta = self.meta
        return f"<{meta.total_count:,} records of {meta.connector}, as of {meta.as_of:%Y-%m-%d %H:%M:%S %Z}>"


class Verb(Protocol[T_co]):
    """A question, put with a connector's parameters as keywords."""

    def __call__(self, *, freshness: Freshness | str = ..., **parameters: object) -> T_co: ...


AnyAnswer = WholeAnswer[BaseModel, BaseModel]
ScheduleAnswer = WholeAnswer[ScheduledOperation, ScheduleSummary]
OrdersAnswer = WholeAnswer[SalesOrder, OrdersSummary]
CustomersAnswer = WholeAnswer[Customer, CustomersSummary]
InventoryAnswer = WholeAnswer[InventoryItem, InventorySummary]


class Erp:
    """An ERP that can be asked; made by `connect`. Every connector is a method, named as its verb."""

    schedule: Verb[Coroutine[Any, Any, ScheduleAnswer]]
    orders: Verb[Coroutine[Any, Any, OrdersAnswer]]
    customers: Verb[Coroutine[Any, Any, CustomersAnswer]]
    inventory: Verb[Coroutine[Any, Any, InventoryAnswer]]

    def __init__(self, app: App) -> None:
        self._app: App | None = app
        self.connectors = dict(app.connectors)
        vars(self).update(_verbs(self.connectors.values(), self.ask))

    async def ask(
        self, connector: str, /, *, freshness: Freshness | str = Freshness.REALTIME, **parameters: object
    ) -> AnyAnswer:
        """Return the whole answer of a connector to a question.

        Raises InvalidParameter for an unknown connector or parameter or a wrong value, TooManyRows when the answer
        would pass the limits, UpstreamError when the ERP does not give what is needed.
        """
        if self._app is None:
            raise RuntimeError(_CLOSED)
        if connector not in self.connectors:
            raise InvalidParameter("connector", f"{connector!r} given, allowed is {' or '.join(self.connectors)}")
        chosen = self.connectors[connector]
        page = await self._app.ask(Asked(connector, _query(chosen, parameters), _freshness(freshness), _WHOLE))
        return WholeAnswer(page.meta, chosen.summary.model_validate(page.summary), page.records, chosen.record)

    def _close(self) -> None:
        self._app = None


@asynccontextmanager
async def connect(
    settings: Settings | None = None, *, demo: bool = False, **overrides: object
) -> AsyncIterator[Erp]:
    """Open the ERP that the environment and `.env` lead to, and close it again.

    Args:
        settings: in place of those of the environment and `.env`.
        demo: ask the built-in simulator; nothing need be set.
        overrides: single settings by name, such as `sl10_timezone="Europe/Berlin"`.

    Raises InvalidSetting for a wrong one, NotConfigured when no ERP is set.
    """
    chosen = _settings(settings, overrides)
    if not structlog.is_configured():
        configure_logs(chosen, quiet=True)  # to stderr: unconfigured, it would go to stdout
    with demo_settings(chosen) if demo else nullcontext(chosen) as reached:
        if reached.missing():
            raise NotConfigured(reached.missing())
        async with open_app(reached, simulated=demo) as app:
            erp = Erp(app)
            try:
                yield erp
            finally:
                erp._close()  # noqa: SLF001  # of this module


class SyncErp:
    """An ERP that can be asked without `await`, in a notebook too; made by `connect_sync`.

    Every connector is a method, named as its verb. Questions may come from several threads.
    """

    schedule: Verb[ScheduleAnswer]
    orders: Verb[OrdersAnswer]
    customers: Verb[CustomersAnswer]
    inventory: Verb[InventoryAnswer]

    def __init__(self, opening: AbstractAsyncContextManager[Erp]) -> None:
        self._background = _Background(opening)
        self._erp = self._background.opened()
        self.connectors = self._erp.connectors
        vars(self).update(_verbs(self.connectors.values(), self.ask))

    def ask(
        self, connector: str, /, *, freshness: Freshness | str = Freshness.REALTIME, **parameters: object
    ) -> AnyAnswer:
        """Return the whole answer of a connector to a question; Ctrl-C breaks it off. Raises as `Erp.ask` does."""
        return self._background.run(lambda: self._erp.ask(connector, freshness=freshness, **parameters))

    def close(self) -> None:
        """Close the connection; what is still being asked fails."""
        self._background.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect_sync(settings: Settings | None = None, *, demo: bool = False, **overrides: object) -> SyncErp:
    """Open the ERP as `connect` does, for programs that do not await: with `with`, or until `close` is called."""
    return SyncErp(connect(settings, demo=demo, **overrides))


class _Background(Generic[T]):
    """A context held open by an event loop in a thread of its own, whatever the caller's thread runs."""

    def __init__(self, context: AbstractAsyncContextManager[T]) -> None:
        self._opened: Future[tuple[T, asyncio.AbstractEventLoop]] = Future()
        self._closing: Future[None] = Future()
        self._ended: Future[None] = Future()
        Thread(target=self._live, args=(context,), name="kai-erp", daemon=True).start()

    def opened(self) -> T:
        """Return what the context gives; raise what kept it from opening."""
        try:
            _settle(self._opened, self._ended)
        except BaseException:
            self._closing.set_result(None)
            raise
        if not self._opened.done():
            self._ended.result()
        return self._opened.result()[0]

    def run(self, work: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """Return what some work gives; when the wait for it is interrupted, it is cancelled."""
        if self._closing.done():
            raise RuntimeError(_CLOSED)
        future = asyncio.run_coroutine_threadsafe(work(), self._opened.result()[1])
        try:
            _settle(future)
            return future.result()
        finally:
            future.cancel()

    def close(self) -> None:
        """Leave the context and stop the loop; raise what went wrong in that."""
        if not self._closing.done():
            self._closing.set_result(None)
        _settle(self._ended)
        self._ended.result()

    def _live(self, context: AbstractAsyncContextManager[T]) -> None:
        try:
            asyncio.run(self._hold(context))
        except BaseException as failure:  # noqa: BLE001  # it is raised where somebody waits
            self._ended.set_exception(failure)
        else:
            self._ended.set_result(None)

    async def _hold(self, context: AbstractAsyncContextManager[T]) -> None:
        async with context as value:
            self._opened.set_result((value, asyncio.get_running_loop()))
            await asyncio.wrap_future(self._closing)


def _settle(*futures: Future[Any]) -> None:
    """Return when one of the futures is done; in steps, since Windows interrupts no longer wait."""
    while not any(future.done() for future in futures):
        wait(futures, _INTERRUPT_SECONDS, FIRST_COMPLETED)


def _settings(settings: Settings | None, overrides: Mapping[str, object]) -> Settings:
    """Return settings with single ones changed. Raises InvalidSetting for an unknown name or a wrong value."""
    for name in overrides:
        if name not in Settings.model_fields:
            near = ", ".join(nearest(name, Settings.model_fields))
            raise InvalidSetting(f"{name} is no setting" + (f", near are {near}" if near else ""))
    if settings is not None and not overrides:
        return settings
    return load_settings({**(settings.model_dump() if settings else {}), **overrides})


def _query(connector: BaseConnector[ConnectorQuery], parameters: Mapping[str, object]) -> ConnectorQuery:
    try:
        return connector.query.model_validate(parameters)
    except ValidationError as failure:
        error = failure.errors(include_url=False)[0]
    name, given = str(error["loc"][0] if error["loc"] else "query"), error["input"]
    match error["type"]:
        case "missing":
            problem = "must be given"
        case "extra_forbidden":
            problem = f"unknown parameter, allowed is {' or '.join([*connector.query.model_fields, 'freshness'])}"
        case _:
            said = error["msg"].removeprefix("Value error, ").replace("Input should be", "allowed is")
            problem = f"{given!r} given, {said}"
    raise InvalidParameter(name, problem)


def _freshness(given: Freshness | str) -> Freshness:
    try:
        return Freshness(given)
    except ValueError:
        raise InvalidParameter("freshness", f"{given!r} given, allowed is {' or '.join(Freshness)}") from None


def _verbs(
    connectors: Iterable[BaseConnector[ConnectorQuery]], ask: Callable[..., T]
) -> dict[str, Callable[..., T]]:
    """Return a function for each connector, with the signature and the text that `help` shows."""
    return {connector.verb.replace("-", "_"): _verb(connector, ask) for connector in connectors}


def _verb(connector: BaseConnector[ConnectorQuery], ask: Callable[..., T]) -> Callable[..., T]:
    def verb(**parameters: object) -> T:
        return ask(connector.name, **parameters)

    verb.__name__ = verb.__qualname__ = connector.verb.replace("-", "_")
    verb.__doc__ = _text(connector)
    verb.__signature__ = _signature(connector)  # type: ignore[attr-defined]  # read by inspect
    return verb


def _signature(connector: BaseConnector[ConnectorQuery]) -> inspect.Signature:
    kinds = get_type_hints(connector.query)
    parameters = [
        _keyword(name, inspect.Parameter.empty if field.is_required() else field.default, kinds[name])
        for name, field in connector.query.model_fields.items()
    ]
    freshness = _keyword("freshness", Freshness.REALTIME.value, Freshness | str)
    answer = WholeAnswer[connector.record, connector.summary]  # type: ignore[name-defined]  # made at run time
    return inspect.Signature([*parameters, freshness], return_annotation=answer)


def _keyword(name: str, default: object, kind: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _text(connector: BaseConnector[ConnectorQuery]) -> str:
    """Return the docstring of a connector's method."""
    fields = connector.query.model_fields.items()
    parameters = [f"    {name}: {field.description or ''}" for name, field in fields]
    parameters.append(f"    freshness: How old the data may be: {', '.join(Freshness)}.")
    names = f"Records are {connector.record.__name__}, the summary is {connector.summary.__name__}."
    return "\n".join([f"{connector.title}. {connector.description}", "", "Args:", *parameters, "", names])
