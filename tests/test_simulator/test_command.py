"""`kai-erp simulate --faults FILE --latency MS`."""

import json
import sys
from pathlib import Path

import httpx2
import pytest

from kai_erp.cli.main import main
from kai_erp.simulator import Delay, Plant, Setup, create_simulator, read_setup
from tests.test_cli.commands import Outcome, started


def test_a_file_of_faults_is_in_force_from_the_start(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    rule = {"on": "ido", "nth": 2, "answer": {"status": 429, "headers": {"Retry-After": "1"}}}
    document = {"faults": [rule], "deny": ["SLWcs"], "options": {"default_cap": 7, "latency_ms": 50}}
    file.write_text(json.dumps(document))
    with started("simulate", "--port", "0", "--faults", str(file), "--latency", "2.5") as simulator:
        base = simulator.until("plant is at").split()[-1]
        with httpx2.Client(base_url=base) as client:
            seen = client.get("/simulator").json()
            assert (seen["denied"], seen["options"]["default_cap"]) == (["SLWcs"], 7)
            assert seen["options"]["latency_ms"] == 2.5
            url = "/IDORequestService/ido/configurations"
            assert [client.get(url).status_code for _ in range(3)] == [200, 429, 200]
        assert simulator.stop() == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "this is not JSON"),
        ('{"rules": []}', "rules: it is not known (allowed: faults, deny, options)"),
        (
            '{"faults": [{"abort": 0}, {"abort": 0, "on": "X"}]}',
            'faults[1].on: "X" is not known (allowed: *, ido, ',
        ),
        ('{"deny": ["SLItems", "SLItem"]}', 'deny[1]: "SLItem" is not known'),
        ('{"options": {"max_cap": "9"}}', "options.max_cap: Input should be a valid integer"),
        (None, "No such file or directory"),
    ],
)
def test_a_wrong_file_is_one_line_and_exit_code_2(
    tmp_path: Path,
    text: str | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "faults.json"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(sys, "argv", ["kai-erp", "simulate", "--port", "0", "--faults", str(file)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert Outcome(2, *capsys.readouterr()).line().startswith(f"kai-erp: --faults {file}: {said}")


def test_a_file_is_read_in_a_program_too(plant: Plant) -> None:
    text = b'{"faults": [{"delay": 0}], "deny": ["SLWcs"], "options": {"drop_properties": {"SLJobs": ["Stat"]}}}'
    setup = read_setup(text, plant.collections)
    state = create_simulator(plant).state.simulator
    setup.arrange(state)
    assert [rule.action for rule in state.faults.rules] == [Delay(0)]
    assert (state.denied, state.options.drop_properties) == ({"slwcs"}, {"SLJobs": {"Stat"}})
    assert read_setup(b"{}", plant.collections) == Setup((), (), {})
