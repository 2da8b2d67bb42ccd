"""The file of keys, and the keys of a running server."""

import hmac
import multiprocessing
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kai_erp.access.keyring import Keyring
from kai_erp.access.keys import KeysFile, digest
from kai_erp.errors import AuthRequired, InvalidParameter, InvalidSetting

NOW = datetime(2026, 5, 20, 15, 30, tzinfo=UTC)
SALES = frozenset({"customers:read", "orders:read"})


class HandNow:
    """A present that is moved by hand."""

    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def file(tmp_path: Path) -> KeysFile:
    return KeysFile(tmp_path / "own" / "keys.json")


@pytest.fixture
def now() -> HandNow:
    return HandNow()


@pytest.fixture
async def keyring(file: KeysFile, now: HandNow) -> AsyncIterator[Keyring]:
    opened = Keyring(file, now)
    yield opened
    await opened.close()


def refused(keyring: Keyring, key: str) -> bool:
    try:
        keyring.caller(key)
    except AuthRequired:
        return True
    return False


def test_a_key_is_random_and_kept_as_a_hash_that_only_its_owner_may_read(file: KeysFile) -> None:
    keys = {file.create(f"key-{number}", SALES, NOW) for number in range(3)}
    assert len(keys) == 3
    assert all(len(key) >= 43 for key in keys)
    text = file.path.read_text()
    assert not [key for key in keys if key in text]
    assert {record.sha256 for record in file.read()} == {digest(key) for key in keys}
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700


async def test_a_key_says_who_asks_and_what_is_allowed(file: KeysFile, keyring: Keyring) -> None:
    caller = keyring.caller(file.create("sales", SALES, NOW))
    assert (caller.name, caller.scopes) == ("key:sales", SALES)


async def test_other_texts_are_no_keys(file: KeysFile, keyring: Keyring) -> None:
    key = file.create("sales", SALES, NOW)
    for text in ("", key[:-1], key + "x", key.upper(), digest(key), "\udcff", "ключ"):
        assert refused(keyring, text), text


async def test_every_key_is_compared_in_constant_time(
    file: KeysFile, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = file.create("first", SALES, NOW)
    file.create("second", SALES, NOW)
    compared: list[str] = []
    compare = hmac.compare_digest

    def noted(kept: str, given: str) -> bool:
        compared.append(kept)
        return compare(kept, given)

    monkeypatch.setattr("hmac.compare_digest", noted)
    keyring.caller(first)
    assert len(compared) == 2


async def test_a_revoked_key_lets_nobody_in_from_the_next_request_on(file: KeysFile, keyring: Keyring) -> None:
    key, other = (file.create(name, SALES, NOW) for name in ("sales", "other"))
    keyring.caller(key)
    file.revoke("sales", NOW)
    assert refused(keyring, key)
    assert keyring.caller(other).name == "key:other"


async def test_a_key_lapses(file: KeysFile, keyring: Keyring, now: HandNow) -> None:
    key = file.create("sales", SALES, NOW, NOW + timedelta(days=1))
    keyring.caller(key)
    now.moment += timedelta(days=1)
    assert refused(keyring, key)
    assert keyring.usable() == 0


@pytest.mark.parametrize("content", ["", "{}", "null", "[]", '{"keys": [{}]}', "\x00", '{"keys": [], "more": 1}'])
async def test_a_file_that_breaks_while_running_lets_nobody_in(
    file: KeysFile, keyring: Keyring, content: str
) -> None:
    key = file.create("sales", SALES, NOW)
    keyring.caller(key)
    file.path.write_text(content)
    assert refused(keyring, key)


async def test_a_file_that_is_lost_lets_nobody_in_and_one_that_is_back_lets_in_again(
    file: KeysFile, keyring: Keyring
) -> None:
    key = file.create("sales", SALES, NOW)
    keyring.caller(key)
    moved = file.path.rename(file.path.with_name("moved"))
    assert refused(keyring, key)
    moved.rename(file.path)
    assert keyring.caller(key).name == "key:sales"


async def test_an_unreadable_file_is_told_once(file: KeysFile, keyring: Keyring) -> None:
    key = file.create("sales", SALES, NOW)
    file.path.write_text("nonsense")
    with capture_logs() as told:
        assert refused(keyring, key)
        assert refused(keyring, key)
    assert [entry["event"] for entry in told] == ["no key lets anybody in"]
    with pytest.raises(InvalidSetting, match="cannot be read"):
        file.read()


def test_a_name_is_given_once(file: KeysFile) -> None:
    file.create("sales", SALES, NOW)
    file.revoke("sales", NOW)
    with pytest.raises(InvalidParameter, match="is taken"):
        file.create("sales", SALES, NOW)
    with pytest.raises(InvalidParameter, match="there is no key 'other'"):
        file.revoke("other", NOW)


async def test_the_last_use_is_written_down_and_brings_no_revoked_key_back(
    file: KeysFile, keyring: Keyring
) -> None:
    key = file.create("sales", SALES, NOW)
    keyring.caller(key)
    file.revoke("sales", NOW)
    await keyring.close()
    assert file.last_used() == {"sales": NOW.isoformat(timespec="seconds")}
    assert refused(keyring, key)


async def test_a_last_use_that_cannot_be_written_stops_nobody(file: KeysFile, keyring: Keyring) -> None:
    key = file.create("sales", SALES, NOW)
    file.path.with_name("keys.json.used").mkdir()
    with capture_logs() as told:
        assert keyring.caller(key).name == "key:sales"
        await keyring.close()
    assert [entry["event"] for entry in told] == ["the last use of a key cannot be written down"]


def _create_many(path: str, writer: int) -> None:
    for number in range(10):
        KeysFile(Path(path)).create(f"{writer}-{number}", SALES, NOW)


def test_two_writers_lose_nothing(file: KeysFile) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_create_many, args=(str(file.path), writer)) for writer in range(2)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
        assert process.exitcode == 0
    assert len(file.read()) == 20
