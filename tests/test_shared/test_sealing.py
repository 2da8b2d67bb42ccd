"""What is sealed opens under its own name, for its own time, with the same credentials, and in no other way."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_erp.shared.sealing import Vault
from tests.test_shared.conftest import MOMENT, NAMESPACE, SECRETS


@dataclass
class HandNow:
    moment: datetime = MOMENT

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def moving() -> HandNow:
    return HandNow()


def vault_of(*secrets: str) -> Vault:
    return Vault(NAMESPACE, secrets, lambda: MOMENT)


@given(content=st.binary(max_size=200), parts=st.lists(st.text(), min_size=1, max_size=3))
def test_what_is_sealed_opens_again(content: bytes, parts: list[str]) -> None:
    name = vault_of(*SECRETS).name("kind", *parts)
    sealed = vault_of(*SECRETS).seal(name, content, 60)
    assert vault_of(*SECRETS).open(name, sealed) == content


@given(content=st.binary(min_size=4), position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_one_bit_changed_anywhere_and_it_does_not_open(content: bytes, position: int, bit: int) -> None:
    sealed = bytearray(vault_of(*SECRETS).seal("name", content, 60))
    sealed[position % len(sealed)] ^= 1 << bit
    assert vault_of(*SECRETS).open("name", bytes(sealed)) is None


@given(length=st.integers(0, 60))
def test_what_is_cut_off_does_not_open(length: int) -> None:
    vault = vault_of(*SECRETS)
    sealed = vault.seal("name", b"x" * 40, 60)
    assert len(sealed) > length
    assert vault.open("name", sealed[:length]) is None


def test_nothing_there_does_not_open(vault: Vault) -> None:
    assert vault.open("name", None) is None


def test_a_value_that_was_moved_to_another_name_does_not_open(vault: Vault) -> None:
    one, other = vault.name("answer", "1"), vault.name("answer", "2")
    assert vault.open(other, vault.seal(one, b"content", 60)) is None


@pytest.mark.parametrize("place", range(len(SECRETS)))
def test_other_credentials_open_nothing_and_make_other_names(vault: Vault, place: int) -> None:
    changed = [secret + "x" if index == place else secret for index, secret in enumerate(SECRETS)]
    assert vault_of(*changed).open("name", vault.seal("name", b"content", 60)) is None
    assert vault_of(*changed).name("token", "a") != vault.name("token", "a")


def test_credentials_that_are_the_same_only_when_joined_are_not_the_same() -> None:
    assert vault_of("ab", "c").open("name", vault_of("a", "bc").seal("name", b"content", 60)) is None


def test_an_old_value_that_is_put_back_does_not_open(moving: HandNow) -> None:
    vault = Vault(NAMESPACE, SECRETS, moving)
    sealed = vault.seal("name", b"content", 600)
    moving.moment += timedelta(seconds=659)  # clocks of replicas may differ by a minute
    assert vault.open("name", sealed) == b"content"
    moving.moment += timedelta(seconds=2)
    assert vault.open("name", sealed) is None


def test_the_same_content_is_never_sealed_to_the_same_bytes(vault: Vault) -> None:
    assert len({vault.seal("name", b"content", 60) for _ in range(100)}) == 100


def test_a_name_shows_its_kind_and_nothing_of_its_parts(vault: Vault) -> None:
    name = vault.name("answer", "key:anna", "production_schedule")
    assert name.startswith(f"{NAMESPACE}:")
    assert ":answer:" in name
    assert "anna" not in name
    assert "production" not in name


def test_names_of_other_parts_are_other_names(vault: Vault) -> None:
    parts = [("a", "b"), ("ab",), ("a", "b", ""), ("b", "a"), ('a","b',)]
    assert len({vault.name("answer", *one) for one in parts}) == len(parts)
    assert vault.name("lock", "a") != vault.name("token", "a")


def test_the_repr_of_a_vault_shows_no_secret(vault: Vault) -> None:
    assert not any(secret in repr(vault) for secret in SECRETS[1:])
