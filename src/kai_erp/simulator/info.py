"""Answer /info: the properties of an IDO as its metadata describes them."""

from collections.abc import Iterable

from kai_erp.simulator.collection import Collection
from kai_erp.simulator.columns import Column, Kind, Origin

_DATA_TYPES = {
    Kind.TEXT: ("String", "nvarchar", "System.String"),
    Kind.SHORT: ("Short Integer", "smallint", "System.Int16"),
    Kind.INTEGER: ("Long Integer", "int", "System.Int32"),
    Kind.DECIMAL: ("Decimal", "decimal", "System.Decimal"),
    Kind.FLAG: ("Short Integer", "tinyint", "System.Byte"),
    Kind.DATE: ("Date", "datetime", "System.DateTime"),
    Kind.GUID: ("GUID", "uniqueidentifier", "System.Guid"),
}
_CLASSES = {Origin.BOUND: "0", Origin.JOINED: "0", Origin.DERIVED: "1", Origin.UNBOUND: "2"}
_RIGHT = frozenset({Kind.SHORT, Kind.INTEGER, Kind.DECIMAL})


def describe(collection: Collection, columns: Iterable[Column], *, success: bool) -> dict[str, object]:
    """Return the answer of /info; `success` is what the server claims beside it."""
    table = collection.table
    return {
        "Message": None,
        "Success": success,
        "Keys": list(table.key),
        "Properties": [_property(column, table.key) for column in columns],
        "SubCollections": [
            {
                "Name": child.name,
                "IDOName": child.name,
                "LinkBy": [{"Parent": parent, "Child": linked} for parent, linked in child.links],
            }
            for child in table.children
        ],
        "PrimaryBaseTable": table.name,
        "PrimaryBaseTableAlias": table.name,
    }


def _property(column: Column, keys: tuple[str, ...]) -> dict[str, object]:
    shape = column.shape
    data_type, column_type, clr_type = _DATA_TYPES[shape.kind]
    flag = shape.kind is Kind.FLAG
    return {
        "Name": column.name,
        "PropertyClass": _CLASSES[column.origin],
        "DataType": data_type,
        "ColumnDataType": column_type,
        "ClrTypeName": clr_type,
        "Length": shape.length,
        "DecimalPos": shape.places,
        "LabelStringID": f"s{column.name}",
        "ReadOnly": column.origin is not Origin.BOUND,
        "Required": column.name in keys,
        "RORecord": False,
        "BooleanTrueValue": "1" if flag else None,
        "BooleanFalseValue": "0" if flag else None,
        "CaseFormat": None,
        "DateFormat": None,
        "JustifyFormat": "R" if shape.right or shape.kind in _RIGHT else "L",
        "DefaultIMECharset": None,
        "DefaultValue": None,
        "DomainIDOName": None,
        "DomainListProperties": None,
        "DomainProperty": None,
        "InputMask": None,
        "IsItemWarnings": False,
    }
