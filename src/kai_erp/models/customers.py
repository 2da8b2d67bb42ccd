"""The record of the customer search: a customer with all addresses."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from kai_erp.models.numbers import Money


class CustomerAddress(BaseModel):
    """An address of a customer: the main one, or one to ship to."""

    model_config = ConfigDict(frozen=True)

    sequence: int = Field(description="0 for the main address, 1 and up for ship-to addresses.")
    name: str | None = Field(description="Name at the address.")
    address_1: str | None = Field(description="First address line.")
    address_2: str | None = Field(description="Second address line.")
    city: str | None = Field(description="City.")
    state: str | None = Field(description="State code.")
    zip_code: str | None = Field(description="Postal code.")
    country: str | None = Field(description="Country.")
    is_default: bool = Field(description="The main address.")


class Customer(BaseModel):
    """A customer."""

    model_config = ConfigDict(frozen=True)

    customer_num: str = Field(description="Customer number, trimmed.")
    name: str | None = Field(description="Name.")
    contact_name: str | None = Field(description="Person to talk to about orders.")
    phone: str | None = Field(description="That person's telephone number.")
    email: str | None = Field(description="E-mail address.")
    address_1: str | None = Field(description="First line of the main address.")
    address_2: str | None = Field(description="Second line of the main address.")
    city: str | None = Field(description="City of the main address.")
    state: str | None = Field(description="State code of the main address.")
    zip_code: str | None = Field(description="Postal code of the main address.")
    country: str | None = Field(description="Country of the main address.")
    active: bool = Field(description="Still offered for new orders.")
    credit_hold: bool = Field(description="On credit hold: nothing may be shipped.")
    credit_limit: Money | None = Field(description="Credit limit, in the customer's currency.")
    currency: str | None = Field(description="Currency code.")
    payment_terms: str | None = Field(description="Code of the payment terms.")
    customer_type: str | None = Field(description="Code of the customer type.")
    addresses: list[CustomerAddress] = Field(description="All addresses, the main one first.")


class CustomersSummary(BaseModel):
    """Counts over the whole answer, never over the page."""

    model_config = ConfigDict(frozen=True)

    total: int = Field(description="Customers.")
    active: int
    on_credit_hold: int
    inactive_hidden: int = Field(description="Inactive customers that match as well and are left out.")
