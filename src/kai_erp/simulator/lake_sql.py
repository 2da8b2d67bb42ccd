"""Turn a query of Compass into one of the engine: names, time, texts and casts as Compass means them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlglot import exp

from kai_erp.simulator.lake_dialect import VARIATIONS, read_query, stamps
from kai_erp.simulator.lake_loading import LIVE_ROWS, STAMP
from kai_erp.simulator.lake_messages import FAILED, LakeRefusal, unknown_object
from kai_erp.simulator.lake_store import INFORMATION

_DEFAULT, _INFORMATION_SCHEMA = "default", "information_schema"
_TEXTS = (
    exp.DPipe,
    exp.Concat,
    exp.Upper,
    exp.Lower,
    exp.Trim,
    exp.Left,
    exp.Right,
    exp.Substring,
    exp.Replace,
    exp.Pad,
    exp.Chr,
)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The tables of the lake: how they are named to clients, and the columns of each with their types."""

    template: str
    tables: Mapping[str, Mapping[str, str]]

    def find(self, name: str) -> str | None:
        """Return the table of the ERP that a client names."""
        before, _, after = self.template.lower().partition("{table}")
        folded = name.lower()
        inner = folded.removeprefix(before).removesuffix(after)
        fits = folded == f"{before}{inner}{after}"
        return inner if fits and inner in self.tables else None


@dataclass(slots=True)
class Translation:
    """A query in the dialect of the engine, and the tables of the lake that it reads."""

    sql: str
    tables: set[str]


def translate(sql: str, catalog: Catalog, now: datetime) -> Translation:
    """Return the engine's query for one of Compass, or raise LakeRefusal."""
    query = read_query(sql)
    work = _Work(sql, catalog, now)
    work.bind_tables(query)
    work.bind_stamps(query)
    work.name_columns(query)
    return Translation(work.bind_values(query).sql(dialect="duckdb"), work.tables)


@dataclass(slots=True)
class _Work:
    """One query under translation; `sources` are the tables of the lake by the node that names them."""

    sql: str
    catalog: Catalog
    now: datetime
    tables: set[str] = field(default_factory=set)
    _aliases: dict[str, exp.Expr] = field(default_factory=dict)

    def bind_tables(self, query: exp.Query) -> None:
        """Let every table be read from the engine's schema for it."""
        for table in list(query.find_all(exp.Table)):
            self._bind_table(table)
        for column in query.find_all(exp.Column):
            if column.db.lower() == _DEFAULT:
                column.set("db", None)

    def _bind_table(self, table: exp.Table) -> None:
        if isinstance(table.this, exp.Anonymous):
            self._bind(table, _literal(table.this), VARIATIONS[table.this.name.lower()])
        elif table.db.lower() == _INFORMATION_SCHEMA:
            if table.name.lower() not in {"tables", "columns"}:
                raise unknown_object(f"{table.db}.{table.name}", self.sql)
            _replace_table(table, table.name.lower(), INFORMATION, table.alias_or_name)
        elif table.db and table.db.lower() != _DEFAULT:
            raise unknown_object(f"{table.db}.{table.name}", self.sql)
        elif table.db or table.name.lower() not in set(_visible_ctes(table)):
            self._bind(table, table.name, LIVE_ROWS)

    def _bind(self, table: exp.Table, name: str, schema: str) -> None:
        found = self.catalog.find(name)
        if found is None:
            raise unknown_object(name, self.sql)
        self.tables.add(found)
        _replace_table(table, found, schema, table.alias or name)

    def bind_stamps(self, query: exp.Query) -> None:
        """Let infor.lastmodified read the stamp of its table, and `*` read all but the stamps."""
        for dot in list(stamps(query)):
            select = dot.find_ancestor(exp.Select)
            sources = [table.alias for table in _sources(select) if _of_lake(table)] if select else []
            alias = self._stamped(_literal(dot.expression), sources)
            column = exp.column(STAMP, table=alias, quoted=True)
            named = isinstance(dot.parent, exp.Select) and dot.arg_key == "expressions"
            dot.replace(exp.alias_(column, "lastmodified") if named else column)
        for select in query.find_all(exp.Select):
            _hide_stamps(select)

    @staticmethod
    def _stamped(alias: str, sources: Sequence[str]) -> str:
        if not alias and len(sources) == 1:
            return sources[0]
        found = next((source for source in sources if alias and source.lower() == alias.lower()), None)
        if found is None:
            problem = f"'{alias}' is no object" if alias else "name the object of a join"
            raise LakeRefusal(FAILED, f"infor.lastmodified: {problem} of this query.")
        return found

    def name_columns(self, query: exp.Query) -> None:
        """Give computed columns the names that the engine of Compass gives them."""
        for select in query.find_all(exp.Select):
            for n, projection in enumerate(list(select.expressions)):
                if not isinstance(projection, exp.Alias | exp.Column | exp.Star):
                    projection.replace(exp.alias_(projection.copy(), f"_col{n}"))
        self._aliases = {alias.alias.lower(): alias.this for alias in query.find_all(exp.Alias)}

    def bind_values(self, query: exp.Query) -> exp.Expr:
        """Let time, casts and sums of texts mean what they mean in Compass."""
        for add in reversed(list(query.find_all(exp.Add))):
            if self._is_text(add.this) or self._is_text(add.expression):
                add.replace(exp.DPipe(this=add.this.copy(), expression=add.expression.copy(), safe=True))
        return query.transform(self._valued)

    def _valued(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.CurrentTimestamp) or _is_utc_now(node):
            return _moment(self.now.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3], "TIMESTAMP")
        if isinstance(node, exp.CurrentDate):
            return _moment(self.now.strftime("%Y-%m-%d"), "DATE")
        if isinstance(node, exp.Anonymous):
            return _function(node)
        return _cast(node) if type(node) is exp.Cast else node

    def _is_text(self, node: exp.Expr, depth: int = 0) -> bool:
        if isinstance(node, exp.Literal):
            return node.is_string
        if isinstance(node, exp.Cast):
            return node.to.is_type(*exp.DataType.TEXT_TYPES)
        if isinstance(node, exp.Column):
            return self._is_text_column(node.name, depth)
        if isinstance(node, exp.Coalesce | exp.Paren | exp.Add | exp.Min | exp.Max):
            return any(self._is_text(part, depth) for part in (node.this, node.args.get("expression")) if part)
        if isinstance(node, exp.Case):
            return any(self._is_text(branch.args["true"], depth) for branch in node.args["ifs"])
        return isinstance(node, _TEXTS)

    def _is_text_column(self, name: str, depth: int) -> bool:
        """Whether a name stands for text: a column of one of the tables, or what an alias is made of."""
        folded = name.lower()
        for table in self.tables:
            for column, kind in self.catalog.tables[table].items():
                if column.lower() == folded:
                    return kind == "varchar"
        made = self._aliases.get(folded)
        return made is not None and depth < len(self._aliases) and self._is_text(made, depth + 1)


def _literal(function: exp.Expr) -> str:
    """Return the text that a function of infor is given, blank when there is none."""
    given = function.expressions
    return given[0].name if given else ""


def _replace_table(table: exp.Table, name: str, schema: str, alias: str) -> None:
    table.set("this", exp.to_identifier(name, quoted=True))
    table.set("db", exp.to_identifier(schema))
    table.set("catalog", None)
    if not table.alias:
        table.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))


def _visible_ctes(table: exp.Table) -> Iterator[str]:
    """Yield the names of the common table expressions that a table may mean."""
    node: exp.Expr | None = table
    inside: set[int] = set()
    while node is not None:
        inside.add(id(node))
        clause = node.args.get("with_")
        for cte in clause.expressions if clause is not None else ():
            if id(cte) in inside:
                break
            yield cte.alias.lower()
        node = node.parent


def _sources(select: exp.Select) -> Iterable[exp.Table]:
    clause = select.args.get("from_")
    parts = [clause.this] if clause is not None else []
    parts += [join.this for join in select.args.get("joins") or ()]
    return [part for part in parts if isinstance(part, exp.Table)]


def _of_lake(table: exp.Table) -> bool:
    return table.db in {LIVE_ROWS, *VARIATIONS.values()}


def _hide_stamps(select: exp.Select) -> None:
    """Leave the stamps out of what `*` stands for."""
    stamped = {table.alias.lower() for table in _sources(select) if _of_lake(table)}
    for projection in select.expressions:
        if not projection.is_star:
            continue
        star, of = (projection.this, projection.table) if isinstance(projection, exp.Column) else (projection, "")
        if of.lower() in stamped or (stamped and not of):
            star.set("except_", [exp.to_identifier(STAMP)])


def _is_utc_now(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.upper() == "GETUTCDATE"


def _moment(text: str, kind: str) -> exp.Expr:
    return exp.TryCast(this=exp.Literal.string(text), to=exp.DataType.build(kind))


def _function(function: exp.Anonymous) -> exp.Expr:
    """Return a function under the name, and with the date pattern, that the engine takes."""
    name, given = function.name.upper(), function.expressions
    if name == "INT":
        return exp.Anonymous(this="lake_int", expressions=given)
    if name == "DATE_FORMAT" and len(given) == len(("date", "pattern")):
        pattern = given[1].name
        for letters, directive in _DATE_PATTERNS.items():
            pattern = pattern.replace(letters, directive)
        moment = exp.TryCast(this=given[0], to=exp.DataType.build("TIMESTAMP"))
        return exp.Anonymous(this="strftime", expressions=[moment, exp.Literal.string(pattern)])
    return function


_DATE_PATTERNS = {"mm": "%M", "yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "ss": "%S"}


def _cast(cast: exp.Cast) -> exp.Expr:
    """Return a cast that gives NULL when it fails, and cuts texts to their length."""
    kind = cast.to
    if kind.is_type(*exp.DataType.TEXT_TYPES) and kind.expressions:
        length = kind.expressions[0].this
        plain = exp.TryCast(this=cast.this, to=exp.DataType.build("TEXT"))
        return exp.Left(this=plain, expression=length.copy())
    return exp.TryCast(this=cast.this, to=kind)
