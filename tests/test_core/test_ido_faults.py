import pytest

from kai_erp.core.ido.faults import fault_error, is_session_fault
from kai_erp.errors import (
    CollectionMissing,
    FilterRefused,
    PropertyMissing,
    TokenRejected,
    UpstreamDenied,
    UpstreamError,
    UpstreamFault,
)

MET = [
    ("Property VadPhone not found on SLVendors IDO", PropertyMissing),
    ("Property StoredProcedure not found on IdoMethods IDO.", PropertyMissing),
    ("The IDO not found: SLNope", CollectionMissing),
    ("SLNope IDO not found.", CollectionMissing),
    ("IDO SLNope was not found", CollectionMissing),
    ("Error processing LoadCollection request: IllegalFilterException", FilterRefused),
    ("Conversion failed when converting date and/or time from character string.", FilterRefused),
    ("Conversion failed when converting the nvarchar value 'x' to data type int.", FilterRefused),
    ("Error converting data type nvarchar to numeric.", FilterRefused),
    ("User requires [Read] privilege for SLItemprices", UpstreamDenied),
    ("You are not licensed to use the Items form", UpstreamDenied),
    ("User is not licensed", UpstreamDenied),
    ("LicenseInconsistency", UpstreamDenied),
    ("Invalid token", TokenRejected),
    ("InvalidToken", TokenRejected),
    ("Your session has been deleted", TokenRejected),
    ("session was\nalready deleted", TokenRejected),
    ("The session count is exceeded", TokenRejected),
    ("You must log on first", TokenRejected),
    ("Please log in again", TokenRejected),
    ("invalidcredentials", TokenRejected),
    ("error authenticating user", TokenRejected),
    ("ConcurrentSessionLimit", TokenRejected),
    ("AccountLocked", TokenRejected),
    ("PasswordExpired", TokenRejected),
    ("InvalidConfiguration", TokenRejected),
    ("Record locked by user sa", UpstreamFault),
    ("Ein unbekannter Fehler", UpstreamFault),
]


@pytest.mark.parametrize(("text", "kind"), MET)
def test_a_text_that_was_met_has_its_meaning(text: str, kind: type[UpstreamError]) -> None:
    assert type(fault_error("SLThings", text)) is kind


@pytest.mark.parametrize(("text", "kind"), MET)
def test_case_makes_no_difference(text: str, kind: type[UpstreamError]) -> None:
    assert type(fault_error("SLThings", text.upper())) is kind


@pytest.mark.parametrize(("text", "kind"), MET)
def test_only_session_faults_count_as_a_401(text: str, kind: type[UpstreamError]) -> None:
    assert is_session_fault(text.replace("\n", " ")) is (kind is TokenRejected)


def test_a_missing_property_is_named_without_the_period_that_some_servers_add() -> None:
    error = fault_error("SLVendors", "Property VadPhone not found on SLVendors IDO.")
    assert isinstance(error, PropertyMissing)
    assert (error.collection, error.property_name) == ("SLVendors", "VadPhone")


def test_a_property_whose_name_sounds_like_a_session_is_still_a_missing_property() -> None:
    assert isinstance(fault_error("SLUsers", "Property Login not found on SLUsers IDO"), PropertyMissing)


def test_a_denial_names_the_collection_that_was_asked_for_and_the_grant() -> None:
    error = fault_error("SLItems", "User requires [Read] privilege for ue_Items")
    assert isinstance(error, UpstreamDenied)
    assert error.collection == "SLItems"
    assert "Read privilege on the IDO SLItems" in error.suggestion


@pytest.mark.parametrize("message", [None, ""])
def test_a_fault_without_a_text_says_so(message: str | None) -> None:
    assert str(fault_error("SLItems", message)) == "SLItems: no reason given"


def test_a_long_text_is_shortened_and_put_on_one_line() -> None:
    said = str(fault_error("SLItems", "Etwas\r\n\tschlug fehl " + "x" * 1_000))
    assert said.startswith("SLItems: Etwas schlug fehl xxx")
    assert len(said) == len("SLItems: ") + 300
