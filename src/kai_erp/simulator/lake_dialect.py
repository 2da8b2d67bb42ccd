"""Read the SQL of Compass and refuse what it does not take."""

import re
from collections.abc import Iterator

from sqlglot import exp, parse, tokenize
from sqlglot.errors import ParseError, SqlglotError

from kai_erp.simulator.lake_messages import FAILED, SYNTAX, LakeRefusal, unknown_property

INFOR = "infor"
STAMP_FUNCTION = "lastmodified"
VARIATIONS = {"includedeleted": "lake_deleted", "allvariations": "lake_versions"}

# The functions of the dialect, as the parser names them.
_TERMS = ("AND", "OR", "CASE", "IF", "EXISTS", "CAST", "TRY_CAST", "TIME_STR_TO_TIME", "TS_OR_DS_TO_DATE")
_CHOICES = ("COALESCE", "NVL2", "NULLIF", "GREATEST", "LEAST")
_STRINGS = (
    *("CONCAT", "LENGTH", "STR_POSITION", "PAD", "LEFT", "RIGHT", "LOWER", "UPPER", "TRIM", "REPLACE"),
    *("SUBSTRING", "CHR"),
)
_NUMBERS = ("ABS", "CEIL", "FLOOR", "ROUND", "POWER", "TRUNC", "INT", "ISNUMERIC")
_AGGREGATES = ("COUNT", "SUM", "AVG", "MIN", "MAX")
_WINDOWS = ("ROW_NUMBER", "RANK", "DENSE_RANK", "LEAD", "LAG", "FIRST_VALUE", "LAST_VALUE", "NTILE")
_DATES = (
    *("ADD_MONTHS", "CURRENT_DATE", "CURRENT_TIMESTAMP", "GETUTCDATE", "DATE_ADD", "DATEDIFF", "DATE_SUB"),
    *("DATE_TRUNC", "TIMESTAMP_TRUNC", "EXTRACT", "DAY", "MONTH", "YEAR", "LAST_DAY", "TO_DATE", "UNIX_TIMESTAMP"),
    *("DATE_FORMAT", "FROM_UTC_TIMESTAMP"),
)
_OF_INFOR = frozenset({STAMP_FUNCTION, *VARIATIONS})
_KNOWN = frozenset(
    {*_TERMS, *_CHOICES, *_STRINGS, *_NUMBERS, *_AGGREGATES, *_WINDOWS, *_DATES, *map(str.upper, _OF_INFOR)}
)
_AFTER_ERROR = re.compile(r"\x1b\[\d*m")
_UNORDERED = (exp.GT, exp.LT, exp.NEQ)


def read_query(sql: str) -> exp.Query:
    """Return the one query that a text holds, or raise LakeRefusal."""
    statement = _statement(sql)
    if not isinstance(statement, exp.Query) or statement.find(exp.Into):
        raise LakeRefusal(FAILED, "Only SELECT statements are supported.")
    for check in (_check_rows, _check_words, _check_functions, _check_groups, _check_stamps):
        check(statement, sql)
    return statement


def _statement(sql: str) -> exp.Expr:
    try:
        tokens = tokenize(sql, read="tsql")
        statements = [statement for statement in parse(sql, read="tsql") if statement is not None]
    except ParseError as error:
        said = error.errors[0] if error.errors else {}
        text = _AFTER_ERROR.sub("", str(said.get("description", error))).partition("\n")[0]
        near = said.get("highlight")
        told = f"Syntax error near '{near}': {text}" if near else f"Syntax error: {text}"
        raise LakeRefusal(SYNTAX, told, said.get("line"), said.get("col")) from None
    except SqlglotError:
        raise LakeRefusal(SYNTAX, "Syntax error: a text or a name is not closed.", 1, len(sql)) from None
    if len(statements) != 1:
        raise LakeRefusal(SYNTAX, "Syntax error: one statement is expected.", 1, 1)
    operator = next((token for token in tokens if token.token_type.name == "DCOLON"), None)
    if operator is not None:
        raise LakeRefusal(SYNTAX, "Syntax error near '::'", operator.line, operator.col)
    return statements[0]


def _check_rows(query: exp.Expr, _: str) -> None:
    """Refuse ways to cut rows out that Compass does not have."""
    if query.find(exp.Offset, exp.Fetch):
        raise LakeRefusal(SYNTAX, "OFFSET is not supported: pages are taken of the result.")
    for limit in query.find_all(exp.Limit):
        options = limit.args.get("limit_options")
        if options is not None and options.args.get("percent"):
            raise LakeRefusal(SYNTAX, "TOP PERCENT is not supported.")
        if options is not None and options.args.get("with_ties"):
            raise LakeRefusal(SYNTAX, "TOP WITH TIES is not supported.")


def _check_words(query: exp.Expr, sql: str) -> None:
    """Refuse conditions that Compass does not have."""
    if query.find(exp.ILike, exp.Qualify, exp.Lateral, exp.Lambda, exp.Hint):
        raise LakeRefusal(SYNTAX, "The statement uses a clause that is not supported.")
    for like in query.find_all(exp.Like):
        pattern = like.expression.this if isinstance(like.expression, exp.Escape) else like.expression
        if isinstance(pattern, exp.Literal) and "[" in pattern.this:
            raise LakeRefusal(SYNTAX, "LIKE with a set of characters in brackets is not supported.")
    for literal in query.find_all(exp.Boolean):
        if isinstance(literal.parent, exp.Is):
            raise LakeRefusal(SYNTAX, "IS TRUE, IS FALSE and their negations are not supported.")
        raise unknown_property(str(literal.this).lower(), sql)


def _check_functions(query: exp.Expr, _: str) -> None:
    for function in query.find_all(exp.Func):
        name = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
        of_infor = name.lower() in _OF_INFOR
        if name.upper() not in _KNOWN or of_infor is not _is_infor(function):
            raise LakeRefusal(FAILED, f"The function {name} is not supported.")
    for table in query.find_all(exp.Table):
        if isinstance(table.this, exp.Func) and table.this.name.lower() not in VARIATIONS:
            raise LakeRefusal(FAILED, f"The table function {table.this.name} is not supported.")


def _is_infor(function: exp.Expr) -> bool:
    parent = function.parent
    if isinstance(parent, exp.Table):
        return parent.db.lower() == INFOR
    return isinstance(parent, exp.Dot) and parent.this.name.lower() == INFOR


def _check_groups(query: exp.Expr, sql: str) -> None:
    """Refuse to group by the alias of a computed column."""
    for select in query.find_all(exp.Select):
        made = {
            alias.alias.lower()
            for alias in select.selects
            if isinstance(alias, exp.Alias) and not _names(alias.this, alias.alias)
        }
        group = select.args.get("group")
        for term in group.expressions if group is not None else ():
            bare = isinstance(term, exp.Column) and not term.table
            if bare and term.name.lower() in made and not _reads(select, term.name):
                raise unknown_property(term.name, sql)


def _names(expression: exp.Expr, name: str) -> bool:
    return isinstance(expression, exp.Column) and expression.name.lower() == name.lower()


def _reads(select: exp.Select, name: str) -> bool:
    """Whether the select uses that name elsewhere as a column, so that grouping by it may mean the column."""
    return any(_names(column, name) for projection in select.selects for column in projection.find_all(exp.Column))


def stamps(query: exp.Expr) -> Iterator[exp.Dot]:
    """Yield the calls of infor.lastmodified."""
    for dot in query.find_all(exp.Dot):
        if isinstance(dot.expression, exp.Anonymous) and _is_infor(dot.expression):
            yield dot


def _check_stamps(query: exp.Expr, _: str) -> None:
    for dot in stamps(query):
        if isinstance(dot.parent, _UNORDERED) and dot.find_ancestor(exp.Where):
            raise LakeRefusal(FAILED, "infor.lastmodified() can be compared with =, >=, <= and BETWEEN only.")
