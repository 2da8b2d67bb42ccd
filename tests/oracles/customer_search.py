"""The customers that a text finds, computed row by row.

It shares nothing with the product, so that the two can disagree. Readings of what the contract leaves open:
a blank text finds nothing; a customer who is found and whose addresses are all lost has none; a credit limit
that is null is null; whoever is hidden is counted, even when nobody is left to show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.oracles.answers import (
    Collections,
    Expected,
    Key,
    Record,
    answered,
    contains,
    flag,
    keyed,
    typed_forms,
    wanted,
)
from tests.oracles.wire import Row, code, fold, integer, number, text

CUSTOMER_WIDTH = 7


@dataclass(frozen=True, slots=True)
class Found:
    """A customer, and whether the text is the number of it."""

    row: Row
    by_number: bool

    @property
    def active(self) -> bool:
        """Whether forms offer the customer."""
        return integer(self.row, "ShowInDropDownList") != 0


def expected_customers(
    rows: Collections,
    *,
    query: str,
    active_only: bool = True,
    missing: frozenset[str] = frozenset(),
) -> Expected:
    """Return what the contract promises for raw wire `rows` of both collections."""
    customers = keyed(rows.get("SLCustomers", ()), "CustNum", "CustSeq")
    found = [_found(row, wanted(query)) for (_, seq), row in customers.items() if seq == 0]
    matches = [match for match in found if match is not None]
    shown = [match for match in matches if match.active or match.by_number or not active_only]
    shown.sort(key=_place)
    addresses = None if "SLCustAddrs" in missing else _by_customer(rows.get("SLCustAddrs", ()))
    records = [_record(match, addresses) for match in shown]
    summary: Record = {
        "total": len(shown),
        "active": sum(match.active for match in shown),
        "on_credit_hold": sum(record["credit_hold"] is True for record in records),
        "inactive_hidden": len(matches) - len(shown),
    }
    return answered(records, summary)


def _found(row: Row, asked: str | None) -> Found | None:
    if asked is None:
        return None
    by_number = code(row, "CustNum") in typed_forms(asked, CUSTOMER_WIDTH)
    by_text = any(contains(text(row, name), asked) for name in ("Name", "City"))
    return Found(row, by_number) if by_number or by_text or code(row, "State") == asked else None


def _place(match: Found) -> tuple[bool, bool, str, str]:
    name = text(match.row, "Name")
    return not match.by_number, name is None, fold(name or ""), code(match.row, "CustNum") or ""


def _by_customer(rows: Sequence[Row]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = {}
    ordered = sorted(keyed(rows, "CustNum", "CustSeq").items(), key=lambda pair: pair[0])
    for key, row in ordered:
        found.setdefault(key[:1], []).append(row)
    return found


def _record(match: Found, addresses: Mapping[Key, Sequence[Row]] | None) -> Record:
    row = match.row
    own = [row] if addresses is None else addresses.get((code(row, "CustNum") or "",), ())
    return {
        "customer_num": text(row, "CustNum"),
        "name": text(row, "Name"),
        "contact_name": text(row, "Contact_1"),
        "phone": text(row, "Phone_1"),
        "email": text(row, "CustomerEmailAddr"),
        **_postal(row),
        "active": match.active,
        "credit_hold": flag(row, "CreditHold"),
        "credit_limit": number(row, "CreditLimit"),
        "currency": text(row, "CurrCode"),
        "payment_terms": text(row, "TermsCode"),
        "customer_type": text(row, "CustType"),
        "addresses": [_address(address) for address in own],
    }


def _postal(row: Row) -> Record:
    return {
        "address_1": text(row, "Addr_1"),
        "address_2": text(row, "Addr_2"),
        "city": text(row, "City"),
        "state": text(row, "State"),
        "zip_code": text(row, "Zip"),
        "country": text(row, "Country"),
    }


def _address(row: Row) -> Record:
    sequence = integer(row, "CustSeq")
    return {"sequence": sequence, "name": text(row, "Name"), **_postal(row), "is_default": sequence == 0}
