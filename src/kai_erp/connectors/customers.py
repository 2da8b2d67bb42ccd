"""The customer search: who somebody means, where they are, and whether they may be shipped to.

SLCustomers is required; it holds ship-to addresses as well, so only sequence 0 counts. SLCustAddrs gives all
addresses of those that are found; without it there is just the main one, from SLCustomers.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field

from kai_erp.connectors.base import BaseConnector, Moment, Words
from kai_erp.connectors.customers_sql import (
    CUSTOMERS_COLUMNS,
    CUSTOMERS_RECORDS,
    CUSTOMERS_SQL,
    CUSTOMERS_VOLUME,
    customers_lake_sql,
)
from kai_erp.connectors.declaring import CUSTOMER_WIDTHS, code_is, has_text, key_is, keys, properties
from kai_erp.connectors.parameters import SOMETHING, ConnectorQuery, FilterText
from kai_erp.core.expressions import Expression, all_of, any_of, equals
from kai_erp.core.keys import expand_key, fold_key
from kai_erp.core.lake_sql import LakeTables, render
from kai_erp.core.types import IDOSpec, KeySource, LakeQuerySpec, Notice, PropertyType, RestQuerySpec, SqlValue
from kai_erp.models.customers import Customer, CustomersSummary

_NAME_WIDTH, _CITY_WIDTH, _STATE_WIDTH = 60, 30, 5
_ADDRESS = ("Name", "Addr_1", "Addr_2", "City", "State", "Zip", "Country")


def _given(text: str | None) -> str:
    if not text:
        raise ValueError("at least one character")
    return text


class CustomerQuery(ConnectorQuery):
    """Whom to look for."""

    query: Annotated[FilterText, AfterValidator(_given)] = Field(
        min_length=1,
        json_schema_extra={"pattern": SOMETHING},
        description="Part of the name or of the city, the whole state code, or the whole number, padded or short.",
    )
    active_only: bool = Field(
        default=True, description="Leave inactive customers out; one whose number is given is shown all the same."
    )


_CUSTOMERS = (
    *keys("CustNum"),
    *properties(PropertyType.INTEGER, "CustSeq", required=True),
    *keys("Name"),
    *keys("City", "State", required=False),
    *properties(
        PropertyType.TEXT, "Contact_1", "Phone_1", "CustomerEmailAddr", "Addr_1", "Addr_2", "Zip", "Country"
    ),
    *properties(PropertyType.TEXT, "CurrCode", "TermsCode", "CustType"),
    *properties(PropertyType.FLAG, "ShowInDropDownList", "CreditHold"),
    *properties(PropertyType.DECIMAL, "CreditLimit"),
)
_ADDRESSES = (
    *keys("CustNum"),
    *properties(PropertyType.INTEGER, "CustSeq", required=True),
    *properties(PropertyType.TEXT, *_ADDRESS),
)


class CustomerSearch(BaseConnector[CustomerQuery]):
    """The customer search."""

    name = "customer_search"
    title = "Customers"
    description = (
        "Customers by part of their name or city, by state or by number, with contact, all addresses, terms and "
        "credit hold. Use it to find a customer's number; ask open orders for what they have ordered."
    )
    path = "/customers/search"
    tool = "search_customers"
    verb = "customers"
    scope = "customers:read"
    query = CustomerQuery
    record = Customer
    summary = CustomersSummary
    example = CustomerQuery(query="Alder")
    table_fields = (
        "customer_num",
        "name",
        "city",
        "state",
        "country",
        "contact_name",
        "phone",
        "email",
        "currency",
        "payment_terms",
        "active",
        "credit_hold",
    )
    wide_fields = ("name", "email")
    headings: ClassVar = {
        "customer_num": "number",
        "contact_name": "contact",
        "currency": "cur",
        "payment_terms": "terms",
        "credit_hold": "hold",
    }
    vocabulary: ClassVar = {"query": Words(("name", "city"))}

    def get_rest_spec(self, query: CustomerQuery, moment: Moment) -> RestQuerySpec:
        """Return the customers that match, then their addresses."""
        customers = IDOSpec(
            "SLCustomers",
            _CUSTOMERS,
            all_of(equals("CustSeq", 0), _matches(query.query)),
            key=("CustNum", "CustSeq"),
            driving=True,
        )
        addresses = IDOSpec(
            "SLCustAddrs",
            _ADDRESSES,
            key=("CustNum", "CustSeq"),
            required=False,
            keys_from=(KeySource("SLCustomers", "CustNum", "CustNum", CUSTOMER_WIDTHS),),
            reference=True,
            dated=True,
        )
        return RestQuerySpec((customers, addresses), CUSTOMERS_SQL, moment.zone, _parameters(query))

    def get_lake_query(self, query: CustomerQuery, moment: Moment, lake: LakeTables) -> LakeQuerySpec:
        """Return the one query that joins the same tables in the lake."""
        columns = {"CustNum": "c.cust_num", "Name": "m.name", "City": "m.city", "State": "m.state"}
        return LakeQuerySpec(
            sql=customers_lake_sql(lake, render(_matches(query.query), columns)),
            columns=CUSTOMERS_COLUMNS,
            tables=("customer", "custaddr"),
            records=CUSTOMERS_RECORDS,
            volume=CUSTOMERS_VOLUME,
            parameters=_parameters(query),
            zone=moment.zone,
        )

    def transform_result(self, table: pa.Table) -> pa.Table:
        """Return the customers that are not hidden, in the fields of Customer."""
        return table.filter(pc.invert(table["hidden"])).select(list(Customer.model_fields))

    def summarize(self, table: pa.Table) -> dict[str, Any]:
        """Return the counts of CustomersSummary over all customers."""
        shown = table.filter(pc.invert(table["hidden"]))
        return {
            "total": shown.num_rows,
            "active": pc.sum(shown["active"]).as_py() or 0,
            "on_credit_hold": pc.sum(shown["credit_hold"]).as_py() or 0,
            "inactive_hidden": table.num_rows - shown.num_rows,
        }

    def remarks(self, query: CustomerQuery, table: pa.Table) -> list[Notice]:  # noqa: ARG002  # of the answer alone
        """Say so when all that match are hidden."""
        if not table.num_rows or pc.any(pc.invert(table["hidden"])).as_py():
            return []
        text = f"{table.num_rows:,} inactive customers match and are hidden; active_only=false shows them."
        return [Notice("no_match", text)]


def _matches(text: str) -> Expression:
    """Return the test for a name, a city, a state or a number; it does not tell active customers from others."""
    return any_of(
        key_is("CustNum", text, CUSTOMER_WIDTHS),
        has_text("Name", text, _NAME_WIDTH),
        has_text("City", text, _CITY_WIDTH),
        code_is("State", text, _STATE_WIDTH),
    )


def _parameters(query: CustomerQuery) -> dict[str, SqlValue]:
    return {
        "text": fold_key(query.query),
        "numbers": tuple(map(fold_key, expand_key(query.query, CUSTOMER_WIDTHS))),
        "active_only": query.active_only,
    }
