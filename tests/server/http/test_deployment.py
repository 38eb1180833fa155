"""The files that deploy COAI, held by rules: where Docker runs is not where the tests do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from configparser import ConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from coai_routing.settings.loading import load
from coai_server.http.config import Config, checked
from coai_server.http.start import parser_of_options

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).parents[3]
DEPLOY: Final = ROOT / "deploy"


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions with their arguments, continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def named(word: str) -> list[str]:
    return [rest for each, rest in instructions() if each == word]


def test_the_image_is_of_a_named_version_and_runs_as_nobody_special() -> None:
    for base in named("FROM"):
        assert re.fullmatch(r"[\w./-]+:(?!latest)[\w.-]+( AS \w+)?", base), base
    words = [word for word, _ in instructions()]
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert all(user not in ("0", "root") for user in named("USER"))
    assert "ADD" not in words
    assert named("STOPSIGNAL") == ["SIGTERM"]
    assert not [
        env for env in named("ENV") if re.search("key|token|secret|password", env, re.IGNORECASE)
    ]


def test_the_image_starts_without_a_shell_and_says_how_it_does() -> None:
    (entry,) = named("ENTRYPOINT")
    assert json.loads(entry) == ["coai", "http"]
    (health,) = named("HEALTHCHECK")
    command = json.loads(health.partition("CMD ")[2])
    assert "/healthz" in command[-1]
    compile(command[-1], "healthcheck", "exec")


def test_what_the_image_copies_is_there_and_packages_leave_nothing_behind() -> None:
    for copied in named("COPY"):
        *sources, _ = copied.split()
        for source in sources:
            if not source.startswith("--from=") and "--from=" not in copied:
                assert (ROOT / source).exists(), source
    for run in named("RUN"):
        if "apt-get install" in run:
            assert "--no-install-recommends" in run
            assert "--yes" in run
            assert "rm -rf /var/lib/apt/lists" in run
        if "pip install" in run:
            assert "--no-cache-dir" in run


def test_the_image_has_what_its_services_need(compose: dict[str, Any]) -> None:
    (installed,) = [
        set(found[1].split(","))
        for run in named("RUN")
        if (found := re.search(r'pip install [^"]*"\.\[([\w,]+)\]"', run))
    ]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert installed <= extras["optional-dependencies"].keys()
    (entry,) = named("ENTRYPOINT")
    for service in compose["services"].values():
        if service["image"] != "coai":
            continue
        words = [*service.get("entrypoint", json.loads(entry)), *service["command"]]
        assert NEEDED[words[1]] <= installed, words


NEEDED: Final = {"http": {"http", "mcp"}, "cluster": {"cluster"}}
"""The extras that commands of services need; `coai http` serves MCP as well."""


@pytest.fixture
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_only_the_proxy_can_be_reached_and_everything_is_of_a_named_version(
    compose: dict[str, Any],
) -> None:
    assert [name for name, one in compose["services"].items() if "ports" in one] == ["proxy"]
    for name, service in compose["services"].items():
        assert not service.get("privileged"), name
        image: str = service["image"]
        assert image == "coai" or not image.endswith(":latest"), name
        for volume in service.get("volumes", []):
            assert "docker.sock" not in volume
        if image == "coai":
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
    named_volumes = {
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if not volume.startswith(("$", ".", "/"))
    }
    assert named_volumes == compose["volumes"].keys()
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= compose["services"].keys()


def test_its_settings_are_settings_and_its_command_is_safe(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    service = compose["services"]["http"]
    loaded = load(environ=service["environment"], user_file=tmp_path / "none", directory=tmp_path)
    assert loaded.problems == ()
    assert loaded.settings.endpoints.llama_server.url == "http://llama:8080"
    assert loaded.settings.privacy.trusted_hosts == ("llama",)
    options = parser_of_options().parse_args(
        [re.sub(r"\$\{.*\}", "coai.example", each) for each in service["command"]]
    )
    proxy = compose["services"]["proxy"]["networks"]["inside"]["ipv4_address"]
    assert options.behind_proxy == proxy
    checked(
        Config(
            roots=(),
            host=options.host,
            names=tuple(options.host_name),
            proxy=options.behind_proxy,
        )
    )


def unit() -> ConfigParser:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # pyright: ignore[reportAttributeAccessIssue] - names have capitals
    parser.read(DEPLOY / "coai-http.service")
    return parser


def test_the_unit_confines_the_service_and_lets_it_end_what_it_began() -> None:
    service = unit()["Service"]
    assert service["User"] == "coai"
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["UMask"] == "0077"
    assert int(service["TimeoutStopSec"]) > 20, "longer than what is under way has"
    program, *options = service["ExecStart"].split()
    assert program.endswith("/coai")
    assert options[0] == "http"
    parser_of_options().parse_args(options[1:])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="There is no systemd here.")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "coai-http.service").read_text().replace("/opt/coai/bin/coai", "/bin/true")
    file = tmp_path / "coai-http.service"
    file.write_text(text)
    command: Sequence[str] = ["systemd-analyze", "verify", "--man=no", str(file)]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert [line for line in told.stderr.splitlines() if "coai-http" in line] == []
