"""How these tests search for customers and what the answers are compared with."""

from kai_erp.app import LARGEST_LIMIT, Answer, App, Asked
from kai_erp.connectors import CustomerQuery
from kai_erp.models import Customer
from tests.oracles.answers import Collections, Expected
from tests.oracles.customer_search import expected_customers
from tests.test_connectors.comparing import check_whole

ADDRESS = ("CustNum", "CustSeq", "Name", "Addr_1", "Addr_2", "City", "State", "Zip", "Country")
PROPERTIES = {
    "SLCustomers": (
        *ADDRESS,
        *("Contact_1", "Phone_1", "CustomerEmailAddr", "CurrCode", "CreditHold", "CreditLimit"),
        *("TermsCode", "CustType", "ShowInDropDownList"),
    ),
    "SLCustAddrs": ADDRESS,
}
COLLECTIONS = tuple(PROPERTIES)
NOTHING: frozenset[str] = frozenset()


async def ask_customers(app: App, query: CustomerQuery, limit: int = LARGEST_LIMIT) -> Answer:
    return await app.ask(Asked("customer_search", query, limit=limit))


async def check_customers(
    app: App, query: CustomerQuery, rows: Collections, missing: frozenset[str] = NOTHING
) -> Answer:
    """Ask, and return the answer when it is what the contract promises for the ERP's rows."""
    answer = await ask_customers(app, query)
    check_whole(answer, expected(query, rows, missing), Customer, query)
    return answer


def expected(query: CustomerQuery, rows: Collections, missing: frozenset[str] = NOTHING) -> Expected:
    return expected_customers(rows, missing=missing, **query.model_dump())
