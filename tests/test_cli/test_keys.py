"""`kai-erp keys`: made, listed, revoked on the terminal."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kai_erp.access.keys import KeysFile
from kai_erp.cli.main import cli
from kai_erp.errors import InvalidParameter


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeysFile:
    monkeypatch.setenv("API_KEYS_FILE", str(tmp_path / "keys.json"))
    return KeysFile(tmp_path / "keys.json")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["keys", *arguments])


def test_a_key_is_printed_once_and_nothing_else_with_it(file: KeysFile) -> None:
    made = run("create", "sales", "--scope", "orders:read", "--scope", "customers:read")
    assert made.exit_code == 0
    key = made.stdout.removesuffix("\n")
    assert "\n" not in key
    assert len(key) >= 43
    assert "not shown again" in made.stderr
    (record,) = file.read()
    assert (record.name, sorted(record.scopes)) == ("sales", ["customers:read", "orders:read"])
    listed = run("list")
    assert key not in listed.stdout
    assert record.sha256 not in listed.stdout
    assert "customers:read, orders:read" in listed.stdout


def test_the_list_says_how_each_key_stands(file: KeysFile) -> None:
    assert "no key" in run("list").stderr
    run("create", "good", "--scope", "*", "--expires", "30")
    run("create", "gone", "--scope", "ops:read")
    assert run("revoke", "gone").exit_code == 0
    lines = {line.split()[0]: line for line in run("list").stdout.splitlines()[1:]}
    assert "good" in lines["good"].split()[1]
    assert "revoked" in lines["gone"]
    assert all(record.sha256 not in "".join(lines.values()) for record in file.read())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "sales", "--scope", "order:read"), "allowed is .*orders:read"),
        (("create", "two words", "--scope", "*"), "NAME"),
        (("create", "../x", "--scope", "*"), "NAME"),
        (("create", "sales", "--scope", "*", "--expires", "soon"), "--expires"),
        (("create", "sales", "--scope", "*", "--expires", "0"), "is over"),
        (("create", "sales", "--scope", "*", "--expires", "2020-01-01"), "is over"),
        (("revoke", "nobody"), "there is no key 'nobody'"),
    ],
)
def test_wrong_usage_says_what_is_allowed(file: KeysFile, arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code != 0
    assert isinstance(result.exception, InvalidParameter)
    with pytest.raises(InvalidParameter, match=said):
        raise result.exception
    assert file.read() == ()


def test_a_scope_must_be_named(file: KeysFile) -> None:
    result = run("create", "sales")
    assert result.exit_code == 2
    assert "--scope" in result.stderr
    assert file.read() == ()


def test_a_last_day_is_good_until_it_ends(file: KeysFile) -> None:
    assert run("create", "sales", "--scope", "*", "--expires", "2099-03-31").exit_code == 0
    (record,) = file.read()
    assert record.expires is not None
    assert record.expires.isoformat() == "2099-04-01T00:00:00+00:00"
