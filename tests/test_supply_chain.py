"""Planted secrets are found, and what cannot be audited is not called clean."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCAN = ROOT / "tests" / "supply" / "secret_scan.py"
AUDIT = ROOT / "tests" / "supply" / "audit.py"

# put together here, so that the scan of this very file finds nothing
PLANTED = {
    "an AWS key": ("key = '{}'", "AKIA" + "J5Q7ZK2M9XW4LTRB"),
    "a private key": ("-----BEGIN " + "{}-----", "RSA PRIVATE KEY"),
    "the client secret of an .ionapi file": ('{{"ci": "DEMO~abc", "cs": "{}"}}', "kq83-plainly-mine"),
    "an account key of an .ionapi file": ("{{'sask': '{}'}}", "kq83-plainly-mine"),
    "a password in an address": ("url = 'https://me:{}@erp.example'", "k9Zq3vTt"),
    "a password": ("password = '{}'", "k9Zq3vTtWw"),
}


def _scan(*names: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCAN), *names]
    return subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603  # our own program


@pytest.mark.parametrize(("line", "secret"), PLANTED.values(), ids=PLANTED)
def test_a_planted_secret_is_found_and_not_repeated(line: str, secret: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.py"
    file.write_text(f"# a file\n{line.format(secret)}\n", encoding="utf-8")
    done = _scan(str(file))
    assert done.returncode == 1
    assert f"{file}:2: " in done.stdout
    assert secret not in done.stdout + done.stderr


def test_a_file_without_secrets_passes(tmp_path: Path) -> None:
    file = tmp_path / "settings.py"
    file.write_text('SL10_SUITE = "CSI"\npassword = settings.sl10_password\n', encoding="utf-8")
    done = _scan(str(file))
    assert (done.returncode, done.stdout) == (0, "")


def test_a_tree_is_scanned_whole_once_and_then_what_changed(tmp_path: Path) -> None:
    shutil.copytree(SCAN.parent, tmp_path / "tests" / "supply", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".gitignore").write_text("build/\n*.ionapi\n", encoding="utf-8")
    (tmp_path / "clean.py").write_text("x = 1\n", encoding="utf-8")
    planted = "password = '{}'\n".format("k9Zq3vTtWw")
    (tmp_path / "tenant.ionapi").write_text(planted, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)  # noqa: S603, S607  # a folder of ours
    command = [sys.executable, str(tmp_path / "tests" / "supply" / "secret_scan.py")]

    def found() -> list[str]:
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603  # our own program
        assert done.returncode == (1 if done.stdout else 0), done.stderr
        return [line.partition(":")[0] for line in done.stdout.splitlines()[:-1]]

    assert found() == []
    (tmp_path / "clean.py").write_text(planted, encoding="utf-8")
    assert [found(), found()] == [["clean.py"], ["clean.py"]]
    (tmp_path / "clean.py").unlink()
    assert found() == []


@pytest.mark.parametrize(
    ("says", "code", "told"),
    [
        ("sys.exit(0)", 0, "No known vulnerability"),
        ("print('fastapi 0.1 GHSA-1'); sys.exit(1)", 1, "GHSA-1"),
        ("print('no route to host', file=sys.stderr); sys.exit(1)", 75, "NOT CHECKED"),
    ],
    ids=["clean", "vulnerable", "offline"],
)
def test_an_audit_that_could_not_be_made_is_no_clean_one(says: str, code: int, told: str, tmp_path: Path) -> None:
    (tmp_path / "pip_audit.py").write_text(f"import sys\n{says}\n", encoding="utf-8")
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, str(AUDIT), "requirements.lock"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code
    assert told in done.stdout
