"""The code in the guides is code that runs."""

import io
import re
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import pytest
import structlog

from kai_erp.config import Settings

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
EXAMPLE = ROOT / "examples" / "kai-erp-shortages"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(name: str) -> list[tuple[str, str]]:
    """Return language and text of each block of code of a guide."""
    return [(match[1], match[2]) for match in BLOCK.finditer((DOCS / name).read_text(encoding="utf-8"))]


def test_the_code_of_the_python_guide_runs_from_top_to_bottom_and_prints_what_is_shown() -> None:
    shown, names = blocks("python.md"), {"__name__": "__main__"}
    outputs = 0
    for (language, code), (following, expected) in pairwise([*shown, ("", "")]):
        if language != "python":
            continue
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(code, "python.md", "exec"), names)  # noqa: S102  # our own guide
        if following == "text":
            assert printed.getvalue() == expected
            outputs += 1
    structlog.reset_defaults()
    assert sum(language == "python" for language, _ in shown) >= 5
    assert outputs == sum(language == "text" for language, _ in shown) > 0


def test_the_settings_that_the_python_guide_names_exist() -> None:
    text = (DOCS / "python.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\b(?:sl10|rest|lake)_\w+", text)) <= Settings.model_fields.keys()


@pytest.mark.parametrize(
    "block", [text for language, text in blocks("write-a-connector.md") if language in {"python", "sql", "toml"}]
)
def test_the_code_of_the_connector_guide_is_that_of_the_example(block: str) -> None:
    files = [*EXAMPLE.glob("*.py"), *EXAMPLE.glob("tests/*.py"), EXAMPLE / "pyproject.toml"]
    pieces = [piece.strip("\n") for piece in re.split(r"^ *# …\n", block, flags=re.MULTILINE)]
    for piece in pieces:
        assert any(piece in dedented(path) or piece in path.read_text(encoding="utf-8") for path in files), piece


def dedented(path: Path) -> str:
    """Return a file's text with the bodies of its classes moved to the left."""
    return dedent(re.sub(r"^    ", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
