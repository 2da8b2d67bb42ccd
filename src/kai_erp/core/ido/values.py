"""From the text of a property to a typed value, as SQL over the staged text.

Every value arrives as a string or null in Mongoose's internal format: decimals with up to 8 places and a
point, flags `0`/`1`, dates `YYYYMMDD HH:MM:SS.mmm` without a zone. A blank text is absent. ISO dates have been
met on some endpoints. A date from 2049 on is SyteLine's way to write "none".
"""

from __future__ import annotations

from kai_erp.core.types import Property, PropertyType

NO_DATE_FROM = "2049-01-01"

_DATE_FORMATS = (
    "%Y%m%d %H:%M:%S.%f",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d",
)
_DECIMAL = "DECIMAL(28, 8)"


def folded_name(name: str) -> str:
    """Return the name of the staged column that holds a key in the form in which keys are compared."""
    return f"{name}_key"


def typed_sql(prop: Property) -> str:
    """Return the SQL that types the trimmed text in the property's column; null where it does not convert."""
    column = f'"{prop.name}"'
    match prop.type:
        case PropertyType.DATETIME:
            return f"CASE WHEN {_date(column)} < TIMESTAMP '{NO_DATE_FROM}' THEN {_date(column)} END"
        case PropertyType.TEXT | PropertyType.KEY:
            return column
        case _:
            return _converted(prop.type, column)


def bad_value_sql(prop: Property) -> str | None:
    """Return the SQL condition under which a cell holds a text that does not convert; None when none can."""
    column = f'"{prop.name}"'
    match prop.type:
        case PropertyType.TEXT | PropertyType.KEY:
            return None
        case PropertyType.DATETIME:
            return f"{column} IS NOT NULL AND {_date(column)} IS NULL"
        case _:
            return f"{column} IS NOT NULL AND {_converted(prop.type, column)} IS NULL"


def _date(column: str) -> str:
    formats = ", ".join(f"'{form}'" for form in _DATE_FORMATS)
    return f"try_strptime({column}, [{formats}])"


def _converted(kind: PropertyType, column: str) -> str:
    """Return the conversion of a number or flag; SQL alone would read `1_000`, and round 1.5 to an integer."""
    number = f"TRY_CAST(CASE WHEN NOT contains({column}, '_') THEN {column} END AS {_DECIMAL})"
    match kind:
        case PropertyType.INTEGER:
            return f"CASE WHEN {number} = trunc({number}) THEN TRY_CAST({number} AS BIGINT) END"
        case PropertyType.FLAG:
            yes, no = (f"lower({column}) IN ({texts})" for texts in ("'1', 'true'", "'0', 'false'"))
            return f"CASE WHEN {yes} THEN true WHEN {no} THEN false END"
        case _:
            return number
