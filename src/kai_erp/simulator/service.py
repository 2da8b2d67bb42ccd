"""The IDO service itself, below HTTP: loads and metadata of one plant."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from kai_erp.simulator.collection import Collection
from kai_erp.simulator.columns import Column
from kai_erp.simulator.conditions import Scope
from kai_erp.simulator.custom_loads import call, find_method
from kai_erp.simulator.info import describe
from kai_erp.simulator.load_requests import LoadRequest, read_load
from kai_erp.simulator.loads import Manner, Page, cut, write_page
from kai_erp.simulator.options import SimulatorOptions
from kai_erp.simulator.plant import Plant
from kai_erp.simulator.refusals import PropertyNotFound, ReadDenied, UnknownIdo
from kai_erp.simulator.selections import Question, Selections
from kai_erp.simulator.state import SimulatorState

_ITEM_ID = "_itemid"
# More than this takes long enough to be worth a thread.
_MANY_ROWS = 20_000
_BIG_PAGE = 2_500


@dataclass(frozen=True, slots=True)
class Load:
    """One load, ready to be answered: what is read, by whom it is selected, how it is written."""

    request: LoadRequest
    scope: Scope
    columns: Sequence[Column]
    manner: Manner
    selections: Selections

    @property
    def heavy(self) -> bool:
        """Whether answering takes so long that the event loop should not wait for it."""
        size = self.scope.collection.size
        big_page = size > _BIG_PAGE and not 0 < self.request.cap <= _BIG_PAGE
        return big_page or (size > _MANY_ROWS and self.selections.kept(self.scope, self.question) is None)

    @property
    def question(self) -> Question:
        """What decides the selection."""
        distinct = tuple(self.columns) if self.request.distinct else ()
        return Question(self.request.filter, self.request.order_by, distinct)

    def page(self) -> Page:
        """Return the rows of the page, or raise a Refusal."""
        selection = self.selections.find(self.scope, self.question)
        return call(selection, self.request) if self.request.method else cut(selection, self.request)

    def write(self, page: Page) -> bytes:
        """Return the answer as JSON."""
        return write_page(page, self.columns, self.scope.collection, self.manner)


def prepare_load(state: SimulatorState, plant: Plant, ido: str, parameters: Mapping[str, str]) -> Load:
    """Return the load that a request asks for, or raise a Refusal."""
    options = state.options
    collection = _readable(state, plant, ido)
    request = read_load(parameters, options.default_cap, options.max_cap)
    find = finder(collection, options)
    asked = [name for name in request.properties if name.lower() != _ITEM_ID]
    columns = [_known(find, name, collection) for name in asked] if asked else visible_columns(collection, options)
    explicit = len(asked) < len(request.properties)
    item_id = not request.read_only and not request.distinct and (explicit or not options.omit_item_id)
    manner = Manner(
        item_id, not options.omit_more_rows_exist, options.response_lowercase_keys, options.empty_items_null
    )
    scope = Scope(collection, find, plant.now, options.filter_derived)
    load = Load(request, scope, list(dict.fromkeys(columns)), manner, state.selections)
    return _by_method(load) if request.method else load


def _by_method(load: Load) -> Load:
    """Return the load as its custom load method answers it, or raise a Refusal.

    A method reads the tables: it finds what this tenant's IDO lacks, and no rule for filters applies to it.
    """
    collection = load.scope.collection
    method = find_method(collection, load.request.method)
    return replace(
        load,
        request=method.rewrite(load.request),
        scope=replace(load.scope, find=collection.find),
        manner=replace(load.manner, results=method.results, handle=method.handle),
        selections=Selections(quotes_anywhere=False),
    )


def describe_ido(state: SimulatorState, plant: Plant, ido: str) -> dict[str, object]:
    """Return the metadata of an IDO, or raise a Refusal."""
    collection = plant.find(ido, strict=state.options.case_strict_names)
    if collection is None:
        raise UnknownIdo(ido)
    columns = visible_columns(collection, state.options)
    return describe(collection, columns, success=not state.options.info_success_false)


def _readable(state: SimulatorState, plant: Plant, ido: str) -> Collection:
    collection = plant.find(ido, strict=state.options.case_strict_names)
    if collection is None:
        raise UnknownIdo(ido)
    if collection.name.lower() in state.denied:
        raise ReadDenied(collection.name)
    return collection


def _known(find: Callable[[str], Column | None], name: str, collection: Collection) -> Column:
    column = find(name)
    if column is None:
        raise PropertyNotFound(name, collection.name)
    return column


def finder(collection: Collection, options: SimulatorOptions) -> Callable[[str], Column | None]:
    """Return the look-up of properties by name, without those this tenant lacks."""
    dropped = options.drop_properties.get(collection.name, frozenset())

    def find(name: str) -> Column | None:
        column = collection.find(name, strict=options.case_strict_names)
        return None if column is None or column.name in dropped else column

    return find


def visible_columns(collection: Collection, options: SimulatorOptions) -> list[Column]:
    """Return all properties that this tenant has."""
    dropped = options.drop_properties.get(collection.name, frozenset())
    return [column for column in collection.columns.values() if column.name not in dropped]
