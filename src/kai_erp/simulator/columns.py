"""Columns of a collection: native values inside, the ERP's internal text format on the wire."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

Native = str | int | float | None
Natives = Sequence[Native]
Source = Natives | Callable[[], Natives]


class Kind(StrEnum):
    """What SQL Server stores in a column."""

    TEXT = "text"
    SHORT = "short"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLAG = "flag"
    DATE = "date"
    GUID = "guid"


NUMERIC = frozenset({Kind.SHORT, Kind.INTEGER, Kind.DECIMAL, Kind.FLAG})


class Origin(StrEnum):
    """Where a property's value comes from, and so what may be asked of it."""

    BOUND = "bound"
    JOINED = "joined"
    DERIVED = "derived"
    UNBOUND = "unbound"


@dataclass(frozen=True, slots=True)
class Shape:
    """The stored type of a property; `right` marks keys that are blank-filled on the left."""

    kind: Kind
    length: int = 0
    places: int = 0
    right: bool = False
    required: bool = False


SHORT = Shape(Kind.SHORT, 2)
INTEGER = Shape(Kind.INTEGER, 4)
FLAG = Shape(Kind.FLAG, 1)
DATE = Shape(Kind.DATE, 8)
GUID = Shape(Kind.GUID, 16)
QUANTITY = Shape(Kind.DECIMAL, 19, 8)


def text(length: int) -> Shape:
    """Return the shape of a left-justified text of at most `length` characters."""
    return Shape(Kind.TEXT, length)


def right(length: int) -> Shape:
    """Return the shape of a key that is right-justified in `length` characters."""
    return Shape(Kind.TEXT, length, right=True)


def decimal(length: int, places: int) -> Shape:
    """Return the shape of a decimal with `places` digits after the point."""
    return Shape(Kind.DECIMAL, length, places)


def key(shape: Shape) -> Shape:
    """Return `shape` as a part of the natural key, which is never null."""
    return replace(shape, required=True)


def fold(value: str) -> str:
    """Return a text as the usual collation compares it: no case, no trailing blanks."""
    return value.rstrip(" ").casefold()


def guid_rank(value: str) -> str:
    """Return text that sorts as SQL Server sorts this GUID: last group first, first three byte-swapped."""
    first, second, third, fourth, node = value.lower().split("-")
    groups = (bytes.fromhex(part)[::-1].hex() for part in (third, second, first))
    return node + fourth + "".join(groups)


class Guids(Sequence[str]):
    """The row pointers of one table, computed when they are looked at."""

    def __init__(self, table: str, seed: int, size: int) -> None:
        self._prefix, self._size = f"{seed}/{table}/".encode(), size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, row):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204 - slices are not used
        if row >= self._size:
            raise IndexError(row)
        text_ = hashlib.blake2b(self._prefix + b"%d" % row, digest_size=16).hexdigest()
        return f"{text_[:8]}-{text_[8:12]}-{text_[12:16]}-{text_[16:20]}-{text_[20:]}"


class Column:
    """One property of a collection with the values of all rows, made when they are first used."""

    __slots__ = (
        *("_changes", "_comparable", "_follows", "_form", "_natives", "_read_at", "_source", "_written"),
        *("name", "origin", "shape"),
    )

    def __init__(
        self,
        name: str,
        shape: Shape,
        source: Source,
        origin: Origin = Origin.BOUND,
        follows: "Column | None" = None,
    ) -> None:
        self.name, self.shape, self.origin = name, shape, origin
        self._source, self._follows = source, follows
        self._changes = self._read_at = 0
        self._natives: Natives | None = None
        self._comparable: Natives | None = None
        self._form = f"%.{shape.places}f"
        # Numbers repeat a lot: each is written once. Text, dates and GUIDs are text already.
        self._written: dict[Native, str | None] | None = {None: None} if shape.kind in NUMERIC else None

    @property
    def natives(self) -> Natives:
        """The values: text, numbers, and dates in wire form (which sorts as time does)."""
        if self._natives is None or (self._follows is not None and self._read_at != self.revision):
            self._natives = self._source() if callable(self._source) else self._source
            self._comparable, self._read_at = None, self.revision
        return self._natives

    @property
    def revision(self) -> int:
        """How often the values were changed, here or where they come from."""
        return self._changes + (self._follows.revision if self._follows is not None else 0)

    @property
    def comparable(self) -> Natives:
        """The values as the database compares and sorts them."""
        natives = self.natives
        if self._comparable is None:
            self._comparable = self._compared(natives)
        return self._comparable

    def _compared(self, natives: Natives) -> Natives:
        if self.shape.kind is Kind.TEXT:
            folded = {value: None if value is None else fold(str(value)) for value in set(natives)}
            return [folded[value] for value in natives]
        if self.shape.kind is Kind.GUID:
            return [None if v is None else guid_rank(str(v)) for v in natives]
        return natives

    def wire(self, rows: Sequence[int]) -> list[str | None]:
        """Return the values of `rows` as the server sends them."""
        natives, written = self.natives, self._written
        if written is None:
            return [natives[row] for row in rows]  # type: ignore[misc]  # text, dates and GUIDs are text
        values = [natives[row] for row in rows]
        for value in set(values):
            if value not in written:
                written[value] = self._form % value
        return [written[value] for value in values]

    def change(self, row: int, value: Native) -> None:
        """Set one value, as a posting in the ERP would."""
        natives = list(self.natives)
        natives[row] = value
        self._changes += 1
        self._natives, self._comparable, self._read_at = natives, None, self.revision


def joined(name: str, source: Column, link: Sequence[int]) -> Column:
    """Return `source` seen through a left join: `link` holds its row for each row here, -1 for none."""

    def follow() -> Natives:
        natives = source.natives
        return [natives[i] if i >= 0 else None for i in link]

    return Column(name, replace(source.shape, required=False), follow, Origin.JOINED, source)


def alias(name: str, source: Column, origin: Origin) -> Column:
    """Return the same values under another name."""
    return Column(name, source.shape, lambda: source.natives, origin, source)


def derived(name: str, shape: Shape, make: Callable[[], Natives]) -> Column:
    """Return a property that the server computes."""
    return Column(name, shape, make, Origin.DERIVED)


def unbound(name: str, size: int) -> Column:
    """Return a form's working field, null in every load."""
    return Column(name, text(30), lambda: [None] * size, Origin.UNBOUND)


def constant(name: str, shape: Shape, value: Native, size: int) -> Column:
    """Return a bound property with the same value in every row."""
    return Column(name, shape, lambda: [value] * size)
