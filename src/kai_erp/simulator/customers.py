"""Customers with their bill-to (sequence 0) and ship-to addresses."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from kai_erp.simulator.blueprint import Blueprint
from kai_erp.simulator.collection import Collection, SubCollection, Table
from kai_erp.simulator.columns import FLAG, INTEGER, SHORT, Column, Native, decimal, fold, joined, key, right, text
from kai_erp.simulator.jobs import chance, falls
from kai_erp.simulator.views import View
from kai_erp.simulator.vocabulary import AWKWARD_FIRMS, FIRMS, PEOPLE, STREETS, TOWNS

MONEY = decimal(23, 8)


@dataclass(slots=True)
class Address:
    """One customer or ship-to: a row of customer and of custaddr."""

    cust_num: str
    cust_seq: int
    name: str | None
    street: str
    town: tuple[str, str, str]
    serial: int
    phone: str | None = None
    email: str | None = None
    credit_hold: int | None = 0
    order_balance: float = 0.0

    @property
    def country(self) -> str:
        """The country's name."""
        return "Canada" if self.town[1] == "QC" else "United States"

    @property
    def currency(self) -> str:
        """The code of the currency."""
        if falls(self.serial, 43, 6):
            return "EUR"
        return "CAD" if self.town[1] == "QC" else "USD"


@dataclass(slots=True)
class Customers:
    """The addresses in key order, and who orders how often."""

    rows: list[Address]
    row_of: dict[tuple[str, int], int]
    bill_tos: list[int]
    weights: list[float]

    def pick(self, dice: Random) -> Address:
        """Return the bill-to of a customer: a few order most."""
        return self.rows[dice.choices(self.bill_tos, cum_weights=self.weights)[0]]

    def find(self, address: Address) -> int:
        """Return the row of an address, -1 for one that was lost."""
        return self.row_of.get((address.cust_num, address.cust_seq), -1)

    def ship_to(self, bill_to: Address, dice: Random) -> Address:
        """Return one of the customer's addresses, the bill-to included."""
        row = self.row_of[bill_to.cust_num, 0]
        last = row
        while last + 1 < len(self.rows) and self.rows[last + 1].cust_num == bill_to.cust_num:
            last += 1
        return self.rows[dice.randint(row, last)]


def customer_key(number: int) -> str:
    """Return a seven-character customer number: prefixed, or right-justified from the old system."""
    return f"{number:>7}" if number % 10 in {2, 5, 8} else f"C{number:06}"


def make_customers(plan: Blueprint) -> Customers:
    """Return the customers of the plant."""
    dice = plan.dice("customers")
    rows = sorted(_addresses(plan, dice), key=lambda row: (fold(row.cust_num), row.cust_seq))
    row_of = {(row.cust_num, row.cust_seq): n for n, row in enumerate(rows)}
    bill_tos = [n for n, row in enumerate(rows) if row.cust_seq == 0]
    dice.shuffle(bill_tos)
    weights = list(accumulate(1 / (rank + 1) for rank in range(len(bill_tos))))
    return Customers(rows, row_of, bill_tos, weights)


def _addresses(plan: Blueprint, dice: Random) -> Iterator[Address]:
    extra = plan.scale.addresses - plan.scale.customers
    owners = max(1, plan.scale.customers * 3 // 10)
    for serial in range(plan.scale.customers):
        cust_num = customer_key(serial + 11)
        name = _name(serial, dice)
        yield _address(cust_num, 0, name, serial, dice)
        share = extra * (serial + 1) // owners - extra * serial // owners if serial < owners else 0
        for seq in range(1, share + 1):
            yield _address(cust_num, seq, name, serial + seq, dice)


def _name(serial: int, dice: Random) -> str:
    if serial % 17 == 0:
        return AWKWARD_FIRMS[serial // 17 % len(AWKWARD_FIRMS)]
    return f"{FIRMS[serial % len(FIRMS)]} of {dice.choice(TOWNS)[0]}"


def _address(cust_num: str, seq: int, name: str, serial: int, dice: Random) -> Address:
    town = dice.choice(TOWNS)
    shown = name if seq == 0 else f"{name.rstrip()} - {town[0]} yard"[:60]
    address = Address(cust_num, seq, shown, f"{100 + serial * 7 % 900} {dice.choice(STREETS)}", town, serial)
    if not chance(dice, 0.2):
        address.phone = f"555-01{serial % 100:02}"
    if not chance(dice, 0.2):
        address.email = f"orders{serial}@example.com"
    address.credit_hold = None if falls(serial, 29, 9) else int(seq == 0 and serial % 67 == 1)
    return address


def lost_customer(serial: int) -> Address:
    """Return a customer whose row was deleted: orders name it still."""
    return Address(f"C9{serial:05}", 0, None, "", ("", "", ""), serial)


def customers_collection(plan: Blueprint, customers: Customers, addresses: Collection) -> Collection:
    """Return SLCustomers: the customer table with its address joined."""
    view, link = View(customers.rows), range(len(customers.rows))
    columns = [
        *_keys(view),
        *(joined(name, addresses.columns[name], link) for name in _OF_ADDRESS),
        *_people(view),
        *_terms(view),
        *plan.audit("customer", len(customers.rows)),
    ]
    children = (SubCollection("SLCustAddrs", (("CustNum", "CustNum"),)),)
    return Collection("SLCustomers", Table("customer", ("CustNum", "CustSeq"), children), columns)


def addresses_collection(plan: Blueprint, customers: Customers) -> Collection:
    """Return SLCustAddrs."""
    view = View(customers.rows)
    columns = [
        *_keys(view),
        *_postal(view),
        *_credit(view),
        view.constant("CorpCred", FLAG, 0),
        view.constant("CorpAddress", FLAG, 0),
        view.derived("DerBillToAddress", text(200), lambda row: f"{row.name}\r\n{row.street}\r\n{row.town[0]}"),
        *plan.audit("custaddr", len(customers.rows)),
    ]
    return Collection("SLCustAddrs", Table("custaddr", ("CustNum", "CustSeq")), columns)


def _keys(view: View[Address]) -> list[Column]:
    return [
        view.column("CustNum", key(right(7)), lambda row: row.cust_num),
        view.column("CustSeq", key(INTEGER), lambda row: row.cust_seq),
    ]


_OF_ADDRESS = (
    *("Name", "Addr_1", "Addr_2", "Addr_3", "Addr_4", "City", "State", "Zip", "County", "Country"),
    *("FaxNum", "TelexNum", "ExternalEmailAddr", "InternalEmailAddr", "BillToEmail", "ShipToEmail", "InternetUrl"),
    *("CurrCode", "CreditHold", "CreditLimit", "CorpCust", "BalMethod"),
)


def _postal(view: View[Address]) -> list[Column]:
    make = view.column

    def nothing(_: Address) -> Native:
        return None

    return [
        make("Name", text(60), lambda row: row.name),
        make("Addr_1", text(50), lambda row: row.street),
        make("Addr_2", text(50), lambda row: "Dock 2" if row.serial % 9 == 0 else None),
        make("Addr_3", text(50), nothing),
        make("Addr_4", text(50), nothing),
        make("City", text(30), lambda row: row.town[0]),
        make("State", text(5), lambda row: row.town[1]),
        make("Zip", text(10), lambda row: row.town[2]),
        make("County", text(30), nothing),
        make("Country", text(30), lambda row: row.country),
        make("FaxNum", text(25), nothing),
        make("TelexNum", text(25), nothing),
        make("ExternalEmailAddr", text(60), lambda row: row.email),
        make("InternalEmailAddr", text(60), nothing),
        make("BillToEmail", text(60), lambda row: row.email),
        make("ShipToEmail", text(60), nothing),
        make("InternetUrl", text(150), nothing),
    ]


def _credit(view: View[Address]) -> list[Column]:
    make = view.column
    return [
        make("CurrCode", text(3), lambda row: row.currency),
        make("CreditHold", FLAG, lambda row: row.credit_hold),
        make("CreditLimit", MONEY, lambda row: 50_000.0 if row.cust_seq == 0 else None),
        make("CorpCust", right(7), lambda _: None),
        make("BalMethod", text(1), lambda _: "O"),
    ]


def _people(view: View[Address]) -> list[Column]:
    return [
        view.column("Contact_1", text(30), lambda row: PEOPLE[row.serial % len(PEOPLE)]),
        view.column("Contact_2", text(30), lambda row: PEOPLE[row.serial // 2 % len(PEOPLE)]),
        view.constant("Contact_3", text(30)),
        view.column("Phone_1", text(25), lambda row: row.phone),
        view.constant("Phone_2", text(25)),
        view.constant("Phone_3", text(25)),
        view.column("CustomerEmailAddr", text(60), lambda row: row.email),
    ]


def _listed(row: Address) -> Native:
    return None if falls(row.serial, 37, 5) else int(not falls(row.serial, 19, 3))


def _terms(view: View[Address]) -> list[Column]:
    return [
        view.column("TermsCode", text(3), lambda row: ("N30", "N60", "COD")[row.serial % 3]),
        view.column("ShipCode", text(4), lambda row: ("TRK", "PICK")[row.serial % 2]),
        view.column("Slsman", text(8), lambda row: f"S{row.serial % 7 + 1}"),
        view.constant("Whse", text(4), "MAIN"),
        view.column("CustType", text(6), lambda row: ("DEALER", "FLEET", "GOVT")[row.serial % 3]),
        view.constant("TerritoryCode", text(6)),
        view.constant("Pricecode", text(3)),
        view.column("OrderBal", MONEY, lambda row: row.order_balance),
        view.column("PostedBal", MONEY, lambda row: float(row.serial * 137 % 9000)),
        view.derived("DerOrderBal", MONEY, lambda row: row.order_balance),
        view.derived("DerPostedBal", MONEY, lambda row: float(row.serial * 137 % 9000)),
        view.column("SalesYtd", MONEY, lambda row: float(row.serial * 971 % 250_000)),
        view.column("SalesPtd", MONEY, lambda row: float(row.serial * 97 % 20_000)),
        view.column("SalesLstYr", MONEY, lambda row: float(row.serial * 577 % 250_000)),
        view.column("ShowInDropDownList", FLAG, _listed),
        view.constant("ShipPartial", FLAG, 1),
        view.constant("ShipEarly", FLAG, 0),
        view.constant("ShipHold", FLAG, 0),
        view.constant("DefaultShipTo", SHORT, 0),
    ]
