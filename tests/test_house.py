"""The rules of the house that no linter checks."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from kai_erp.cli.verbs import overview
from kai_erp.config import Settings

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_FILE, LONGEST_TEST, LONGEST_FUNCTION = 400, 600, 40


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function with its length, docstring aside."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first, end = node.body[0], node.end_lineno or 0
            told = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(node) else 0
            yield node.name, end - node.lineno + 1 - told


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_file_fits_the_limit(path: Path) -> None:
    assert _lines(path) <= LONGEST_FILE


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_test_file_fits_the_limit(path: Path) -> None:
    assert _lines(path) <= LONGEST_TEST


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        (str(path), name, size) for path in SOURCES for name, size in _functions(path) if size > LONGEST_FUNCTION
    ]
    assert long == []


def test_functions_and_files_are_short_in_the_middle() -> None:
    assert median(size for path in SOURCES for _, size in _functions(path)) < 10
    assert median(_lines(path) for path in SOURCES) < 250


@pytest.mark.parametrize(
    "name", ["requirements.lock", "requirements-build.lock", "requirements-dev.lock", "requirements-audit.lock"]
)
def test_a_lock_names_versions_and_hashes_but_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"--(index-url|extra-index-url|find-links|trusted-host)", text)
    pins = re.findall(r"^[a-z0-9][\w.\-\[\]]*==", text, re.MULTILINE)
    assert len(pins) >= 2
    assert text.count("--hash=sha256:") >= len(pins)


def test_the_example_environment_lists_every_setting_once_and_nothing_else() -> None:
    listed = re.findall(r"^#([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(name.upper() for name in Settings.model_fields)


def test_the_example_environment_shows_the_defaults() -> None:
    shown = dict(
        re.findall(r"^#([A-Z][A-Z0-9_]*)=(.*)$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    )
    for name, field in Settings.model_fields.items():
        default = field.default
        text = str(default).lower() if isinstance(default, bool) else "" if default in (None, ()) else str(default)
        assert shown[name.upper()] == text, name


def test_what_the_readme_tells_people_to_type_exists() -> None:
    """Every make target and every kai-erp verb that the README shows is there."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", readme, re.MULTILINE)) <= targets
    verbs = set(re.findall(r"(?:/|`)kai-erp ([a-z]+)\b", readme))
    assert verbs
    assert verbs <= set(overview())


def test_every_decision_is_listed_and_says_what_was_rejected() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    decisions = sorted(path for path in folder.glob("[0-9]*.md"))
    assert decisions
    for path in decisions:
        assert path.name in index
        text = path.read_text(encoding="utf-8")
        assert all(f"## {heading}" in text for heading in ("Context", "Decision", "Consequences", "Rejected")), (
            path.name
        )
