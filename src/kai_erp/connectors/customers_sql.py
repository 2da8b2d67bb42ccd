"""The SQL of the customer search: its facts from staged collections or from the lake, and records from facts.

A fact is a customer with one of its addresses.
"""

from __future__ import annotations

from kai_erp.connectors.declaring import properties
from kai_erp.core.lake_sql import LakeTables, same_key
from kai_erp.core.types import PropertyType

_FACTS = """
customers AS (
    SELECT * FROM SLCustomers WHERE CustSeq = 0
), addresses AS (
    SELECT CustNum_key, CustSeq, Name, Addr_1, Addr_2, City, State, Zip, Country FROM SLCustAddrs
    UNION ALL
    SELECT CustNum_key, 0, Name, Addr_1, Addr_2, City, State, Zip, Country FROM customers
    WHERE (SELECT status FROM reads WHERE name = 'SLCustAddrs') IN ('denied', 'unavailable')
), facts AS (
    SELECT
        c.CustNum AS customer_num, c.CustNum_key AS customer_num_key, c.Name AS name, c.Name_key AS name_key,
        c.Contact_1 AS contact_name, c.Phone_1 AS phone, c.CustomerEmailAddr AS email,
        c.Addr_1 AS address_1, c.Addr_2 AS address_2, c.City AS city, c.City_key AS city_key,
        c.State AS state, c.State_key AS state_key, c.Zip AS zip_code, c.Country AS country,
        c.ShowInDropDownList AS shown, c.CreditHold AS credit_hold, c.CreditLimit AS credit_limit,
        c.CurrCode AS currency, c.TermsCode AS payment_terms, c.CustType AS customer_type,
        a.CustSeq AS sequence, a.Name AS ship_name, a.Addr_1 AS ship_address_1, a.Addr_2 AS ship_address_2,
        a.City AS ship_city, a.State AS ship_state, a.Zip AS ship_zip, a.Country AS ship_country
    FROM customers c
    LEFT JOIN addresses a ON a.CustNum_key = c.CustNum_key
)
"""

_ASKED = """
asked AS (
    SELECT * REPLACE (coalesce(shown, true) AS shown, coalesce(credit_hold, false) AS credit_hold),
        list_contains($numbers, customer_num_key) AS by_number
    FROM facts
), found AS (
    SELECT * FROM asked
    WHERE by_number OR contains(name_key, $text) OR contains(city_key, $text) OR state_key = $text
)
"""

_RECORDS = f"""
{_ASKED}
SELECT
    customer_num, name, contact_name, phone, email, address_1, address_2, city, state, zip_code, country,
    shown AS active, credit_hold, credit_limit, currency, payment_terms, customer_type,
    coalesce(list(struct_pack(
        sequence := sequence, name := ship_name, address_1 := ship_address_1, address_2 := ship_address_2,
        city := ship_city, state := ship_state, zip_code := ship_zip, country := ship_country,
        is_default := sequence = 0
    ) ORDER BY sequence) FILTER (sequence IS NOT NULL), []) AS addresses,
    $active_only AND NOT shown AND NOT by_number AS hidden
FROM found
GROUP BY ALL
ORDER BY any_value(by_number) DESC, any_value(name_key) NULLS LAST, any_value(customer_num_key)
"""

CUSTOMERS_SQL = f"WITH {_FACTS}, {_RECORDS}"
"""From the staged collections to records."""

CUSTOMERS_RECORDS = f"WITH {_RECORDS}"
"""From facts, as the lake gives them, to records."""

CUSTOMERS_VOLUME = f"WITH {_ASKED} SELECT count(DISTINCT customer_num_key) FROM found"
"""From facts to the number of rows that the driving collection has."""


CUSTOMERS_COLUMNS = (
    *properties(PropertyType.KEY, "customer_num", "name", "city", "state"),
    *properties(
        PropertyType.TEXT, "contact_name", "phone", "email", "address_1", "address_2", "zip_code", "country"
    ),
    *properties(PropertyType.TEXT, "currency", "payment_terms", "customer_type", "ship_name", "ship_address_1"),
    *properties(PropertyType.TEXT, "ship_address_2", "ship_city", "ship_state", "ship_zip", "ship_country"),
    *properties(PropertyType.FLAG, "shown", "credit_hold"),
    *properties(PropertyType.DECIMAL, "credit_limit"),
    *properties(PropertyType.INTEGER, "sequence"),
)
"""The facts that the lake gives."""


def customers_lake_sql(lake: LakeTables, condition: str) -> str:
    """Return the Compass query for customers and their addresses.

    `condition` is on `c`, the customer, and `m`, the main address.
    """
    address = lake.source("custaddr")
    return f"""
SELECT
    c.cust_num AS customer_num, m.name AS name, c."contact##1" AS contact_name, c."phone##1" AS phone,
    c.customer_email_addr AS email, m."addr##1" AS address_1, m."addr##2" AS address_2, m.city AS city,
    m.state AS state, m.zip AS zip_code, m.country AS country, c.show_in_drop_down_list AS shown,
    m.credit_hold AS credit_hold, m.credit_limit AS credit_limit, m.curr_code AS currency,
    c.terms_code AS payment_terms, c.cust_type AS customer_type, a.cust_seq AS sequence, a.name AS ship_name,
    a."addr##1" AS ship_address_1, a."addr##2" AS ship_address_2, a.city AS ship_city, a.state AS ship_state,
    a.zip AS ship_zip, a.country AS ship_country
FROM {lake.source("customer")} c
LEFT JOIN {address} m ON {same_key("m.cust_num", "c.cust_num")} AND m.cust_seq = 0
LEFT JOIN {address} a ON {same_key("a.cust_num", "c.cust_num")}
WHERE c.cust_seq = 0 AND ({condition})
ORDER BY 1, 18
""".strip()
