"""What the image, the compose file and the workflow promise, read from the files themselves."""

import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it publishes no types

from kai_erp import __version__
from kai_erp.config import Settings

ROOT = Path(__file__).parent.parent
CONNECTOR, DEMO, REDIS = "kai-erp-connector", "demo", "redis"
SECRETS = ("API_KEYS_FILE", "SL10_PASSWORD", "SL10_IONAPI_FILE", "LAKE_ION_CLIENT_SECRET", "REDIS_URL")


def _stages() -> list[list[str]]:
    """Return the instructions of the Dockerfile, each on one line, a list for each stage."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    starts = [at for at, line in enumerate(lines) if line.startswith("FROM ")]
    return [lines[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


def _instructions(stage: list[str], name: str) -> list[str]:
    return [line.removeprefix(f"{name} ") for line in stage if line.startswith(f"{name} ")]


BUILD, FINAL = _stages()


def _compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


def _service(name: str) -> dict[str, Any]:
    service: dict[str, Any] = _compose()["services"][name]
    return service


def _workflow() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    return loaded


def test_every_package_of_the_image_is_checked_by_its_hash_or_is_the_project_itself() -> None:
    installs = re.findall(r"/pip [^&]*\binstall [^&]*", " ".join(_instructions(BUILD, "RUN")))
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or {"--no-deps", "--no-index"} <= set(install.split()), install


def test_the_final_stage_takes_the_environment_alone_and_installs_nothing() -> None:
    assert _instructions(FINAL, "COPY") == ["--from=build /opt/kai-erp /opt/kai-erp"]
    assert _instructions(FINAL, "ADD") == []
    assert not re.search(r"\b(pip|apt|apt-get|gcc|make)\b", " ".join(_instructions(FINAL, "RUN")))
    assert "--without-pip /opt/kai-erp" in " ".join(_instructions(BUILD, "RUN"))


def test_the_image_runs_as_user_1000_who_owns_the_place_of_the_keys() -> None:
    assert _instructions(FINAL, "USER") == ["1000:1000"]
    assert "install --directory --owner=1000 --group=1000 --mode=0700 /data" in FINAL[3]
    assert _instructions(FINAL, "VOLUME") == ["/data"]


def test_the_image_lets_nobody_in_by_itself_and_holds_no_secret() -> None:
    text = " ".join(FINAL)
    assert "ALLOW_ANONYMOUS" not in text
    assert "AUTH_MODE" not in text
    assert not any(name in " ".join((*BUILD, *FINAL)) for name in SECRETS)


def test_the_image_sets_nothing_but_the_address_that_kai_erp_would_read() -> None:
    names = set(re.findall(r"([A-Z][A-Z0-9_]*)=", " ".join(_instructions(FINAL, "ENV"))))
    assert names & {name.upper() for name in Settings.model_fields} == {"HOST", "PORT"}


def test_the_image_says_what_it_is() -> None:
    labels = " ".join(_instructions(FINAL, "LABEL"))
    for name in ("title", "description", "licenses", "version"):
        assert f"org.opencontainers.image.{name}=" in labels
    assert _instructions(FINAL, "ARG") == [f"VERSION={__version__}"]
    assert _instructions(FINAL, "EXPOSE") == ["8100"]


def test_nothing_enters_the_build_but_what_is_named() -> None:
    lines = [
        line
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert lines[0] == "*"
    copied = {name for copy in _instructions(BUILD, "COPY") for name in copy.split()[:-1]}
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert {"**/.env", "**/*.ionapi", "**/keys.json"} <= set(lines)


class _Health(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _programs() -> list[str]:
    """Return the health checks of the image and of the compose file."""
    [check] = _instructions(FINAL, "HEALTHCHECK")
    image: list[str] = yaml.safe_load(check.partition(" CMD ")[2])
    return [image[2], _service(CONNECTOR)["healthcheck"]["test"][3]]


@pytest.mark.parametrize("program", _programs(), ids=["image", "compose"])
@pytest.mark.parametrize(("status", "good"), [(200, True), (503, False)])
def test_the_health_check_asks_health_on_the_port_that_is_set(program: str, status: int, good: bool) -> None:
    handler = type("Handler", (_Health,), {"status": status})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.handle_request, daemon=True).start()
        environment = {"PORT": str(server.server_port), "http_proxy": "http://127.0.0.1:9"}
        done = subprocess.run([sys.executable, "-c", program], env=environment, check=False)  # noqa: S603  # ours
    assert (done.returncode == 0) is good


@pytest.mark.parametrize("program", _programs(), ids=["image", "compose"])
def test_the_health_check_fails_where_nobody_listens(program: str) -> None:
    with HTTPServer(("127.0.0.1", 0), _Health) as server:
        port = server.server_port
    done = subprocess.run(  # noqa: S603  # ours
        [sys.executable, "-c", program], env={"PORT": str(port)}, check=False, capture_output=True
    )
    assert done.returncode != 0


@pytest.mark.parametrize("name", [CONNECTOR, DEMO, REDIS])
def test_a_service_may_do_no_more_than_it_needs(name: str) -> None:
    service = _service(name)
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "cap_add" not in service


@pytest.mark.parametrize("name", [CONNECTOR, DEMO])
def test_a_connector_may_write_to_tmp(name: str) -> None:
    assert any(mount.startswith("/tmp:") for mount in _service(name)["tmpfs"])  # noqa: S108  # within the container


@pytest.mark.parametrize("name", [CONNECTOR, DEMO])
def test_a_connector_is_asked_for_its_health(name: str) -> None:
    assert _service(name)["healthcheck"]["test"][:3] == ["CMD", "python", "-c"]


def test_the_connector_serves_an_erp_on_8100_with_what_env_says_if_it_is_there() -> None:
    service = _service(CONNECTOR)
    assert service["command"] == ["serve"]
    assert service["ports"] == ["8100:8100"]
    assert service["env_file"] == [{"path": ".env", "required": False}]
    assert (service["environment"]["HOST"], service["environment"]["PORT"]) == ("0.0.0.0", "8100")  # noqa: S104
    assert "profiles" not in service


def test_the_connector_lets_nobody_in_unless_the_operator_says_so() -> None:
    assert not {"ALLOW_ANONYMOUS", "AUTH_MODE"} & set(_service(CONNECTOR)["environment"])


def test_keys_live_on_a_named_volume_where_the_image_keeps_them() -> None:
    assert "keys:/data" in _service(CONNECTOR)["volumes"]
    assert "keys" in _compose()["volumes"]
    assert _service(CONNECTOR)["environment"]["XDG_CONFIG_HOME"] == "/data"
    assert "XDG_CONFIG_HOME=/data" in " ".join(_instructions(FINAL, "ENV"))


def test_the_ionapi_file_is_mounted_for_reading_only() -> None:
    [mount] = [mount for mount in _service(CONNECTOR)["volumes"] if "ionapi" in mount]
    assert mount.endswith(":ro")


def test_the_demo_is_published_to_this_machine_only_and_needs_nothing() -> None:
    service = _service(DEMO)
    assert service["profiles"] == ["demo"]
    assert service["command"] == ["serve", "--demo"]
    assert service["ports"] == ["127.0.0.1:8100:8100"]
    assert service["environment"]["ALLOW_ANONYMOUS"] == "true"
    assert not {"env_file", "volumes"} & set(service)


def test_redis_is_pinned_keeps_nothing_and_is_reached_by_the_connector_only() -> None:
    service = _service(REDIS)
    assert service["profiles"] == ["redis"]
    assert re.search(r":\d+\.\d+-", service["image"])
    assert service["command"][1:5] == ["--save", "", "--appendonly", "no"]
    assert "ports" not in service
    assert service["networks"] == ["store"]
    assert _compose()["networks"]["store"] == {"internal": True}
    users = {name for name, other in _compose()["services"].items() if "store" in other["networks"]}
    assert users == {CONNECTOR, REDIS}


def test_the_workflow_may_read_only_and_uses_actions_as_they_were_looked_at() -> None:
    workflow = _workflow()
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used)
    assert all(not step["with"]["persist-credentials"] for step in steps if "checkout" in step.get("uses", ""))
    assert not any("permissions" in job for job in workflow["jobs"].values())


def test_the_workflow_runs_only_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    runs = [step.get("run", "") for job in _workflow()["jobs"].values() for step in job["steps"]]
    named = {name for run in runs for name in re.findall(r"^make ([a-z]+)", run, re.MULTILINE)}
    assert {"test", "check"} <= named <= targets
