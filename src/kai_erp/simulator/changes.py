"""What was changed in the ERP while the simulator runs: the lake lags behind it, and it can be put back."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from kai_erp.simulator.collection import Collection
from kai_erp.simulator.columns import Column, Kind, Native, Origin
from kai_erp.simulator.literals import to_date
from kai_erp.simulator.refusals import ConversionFailed

Key = Mapping[str, object]
_TOUCHED = "RecordDate"


class WrongChange(ValueError):
    """A change names no row, or nothing that can be set; `member` is the part that is wrong."""

    def __init__(self, member: str, problem: str) -> None:
        super().__init__(problem)
        self.member, self.problem = member, problem


@dataclass(frozen=True, slots=True)
class Change:
    """One row that was changed or deleted: what it held before, and when, in seconds of the clock."""

    collection: Collection
    row: int
    before: Mapping[str, Native]
    at: float
    deleted: bool = False


@dataclass(slots=True)
class Changes:
    """Changes rows as users of the ERP would; `touched` are the collections that may show them."""

    touched: Iterable[Collection]
    log: list[Change] = field(default_factory=list)

    def set(self, collection: Collection, key: Key, values: Mapping[str, object], when: tuple[float, str]) -> None:
        """Set values of a row; `when` is the clock and the ERP's time, which RecordDate shows from now on."""
        row = find_row(collection, key)
        read = {column.name: native for column, native in _read(collection, values)}
        if _TOUCHED in collection.columns:
            read.setdefault(_TOUCHED, when[1])
        before = {name: collection.columns[name].natives[row] for name in read}
        for name, value in read.items():
            collection.change(name, row, value)
        self._note(Change(collection, row, before, when[0]))

    def delete(self, collection: Collection, key: Key, when: tuple[float, str]) -> None:
        """Delete a row."""
        row = find_row(collection, key)
        collection.hide([row])
        self._note(Change(collection, row, {}, when[0], deleted=True))

    def _note(self, change: Change) -> None:
        self.log.append(change)
        self._show()

    def _show(self) -> None:
        """Let collections that join what changed be read anew."""
        for collection in self.touched:
            collection.touch()

    def restore(self, kept: int = 0) -> None:
        """Put all back as it was before the changes that came after the first `kept`."""
        while len(self.log) > kept:
            change = self.log.pop()
            for name, value in change.before.items():
                change.collection.change(name, change.row, value)
            if change.deleted:
                change.collection.show([change.row])
        self._show()


def find_row(collection: Collection, key: Key) -> int:
    """Return the row of that natural key, blanks around texts and case aside, or raise WrongChange."""
    names = collection.table.key
    if set(key) != set(names):
        raise WrongChange("key", f"the key of {collection.name} is {', '.join(names)}")
    wanted = tuple(_plain(key[name]) for name in names)
    columns = [collection.columns[name].natives for name in names]
    for row in collection.visible():
        if tuple(_plain(natives[row]) for natives in columns) == wanted:
            return row
    raise WrongChange("key", f"{collection.name} has no such row")


def _plain(value: object) -> object:
    text = str(value).strip().casefold()
    return int(text) if text.isdecimal() else text


def _read(collection: Collection, values: Mapping[str, object]) -> Iterable[tuple[Column, Native]]:
    for name, value in values.items():
        column = collection.find(name)
        if column is None or column.name in collection.table.key:
            raise WrongChange(f"set.{name}", f"it is no property of {collection.name} that can be set")
        if column.origin not in {Origin.BOUND, Origin.JOINED} or column.shape.kind is Kind.GUID:
            raise WrongChange(f"set.{name}", "the server computes it")
        yield column, _native(column, value, f"set.{name}")


def _native(column: Column, value: object, member: str) -> Native:
    if value is None:
        return None
    kind = column.shape.kind
    readers: dict[Kind, Callable[[str], Native]] = {Kind.TEXT: str, Kind.DATE: to_date, Kind.DECIMAL: float}
    try:
        return readers.get(kind, int)(str(value))
    except (ValueError, ConversionFailed):
        raise WrongChange(member, f"{value!r} is no value of that kind") from None
