"""The extension's package.json: true to the server, and nothing in it that no test uses."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Final

import pytest

from coai_routing.settings.reference import editor_properties
from coai_server.lsp.capabilities import COMMANDS
from tests.e2e.tools import EXTENSION, ROOT

UNTESTED: Final[dict[str, str]] = {}
"""Settings and commands that no test names, and why."""


@cache
def manifest() -> dict[str, Any]:
    """Return package.json."""
    return json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))


def settings() -> dict[str, Any]:
    """Return every setting that is declared."""
    groups = manifest()["contributes"]["configuration"]
    return {name: schema for group in groups for name, schema in group["properties"].items()}


def commands() -> dict[str, str]:
    """Return every command that is declared, with its title."""
    declared = manifest()["contributes"]["commands"]
    return {one["command"]: f"{one['category']}: {one['title']}" for one in declared}


@cache
def test_sources() -> str:
    """Return the text of all tests but this one."""
    here = ROOT / "tests"
    files = [*here.rglob("*.py"), *(EXTENSION / "test").glob("*.ts")]
    return "\n".join(one.read_text("utf-8") for one in files if one.name != "test_manifest.py")


test_sources.__test__ = False  # type: ignore[attr-defined] # pytest would take it for a test


def test_the_settings_are_the_servers_own() -> None:
    own = {name: schema for name, schema in settings().items() if ".server." not in name}
    assert own == json.loads(json.dumps(editor_properties())), (
        "see CONTRIBUTING.md: the settings have to be written anew"
    )


def test_no_setting_can_be_made_by_a_workspace() -> None:
    trust = manifest()["capabilities"]["untrustedWorkspaces"]
    assert {schema["scope"] for schema in settings().values()} == {"machine"}
    assert set(trust["restrictedConfigurations"]) == set(settings())
    assert trust["supported"] == "limited"


def test_every_setting_has_a_description_and_a_default() -> None:
    bare = [
        name
        for name, schema in settings().items()
        if not schema.get("markdownDescription") or "default" not in schema
    ]
    assert bare == []


def spellings(setting: str) -> list[str]:
    """Return how tests may write a setting's name: for editors, files and the environment."""
    path = [re.sub("([A-Z])", r"_\1", part).lower() for part in setting.split(".")[1:]]
    variable = "COAI_" + "__".join(path).upper()
    # A name of several words is nobody else's.
    alone = [path[-1]] if "_" in path[-1] else []
    return [setting, setting.replace(".", "__"), ".".join(path), variable, *alone]


@pytest.mark.parametrize("setting", settings())
def test_every_setting_is_used_by_a_test(setting: str) -> None:
    used = any(spelling in test_sources() for spelling in spellings(setting))
    assert used != (setting in UNTESTED)


@pytest.mark.parametrize("command", commands())
def test_every_command_is_used_by_a_test(command: str) -> None:
    title = commands()[command]
    sources = test_sources()
    used = title in sources or title.removeprefix("COAI: ") in sources
    assert used != (command in UNTESTED)


def test_no_command_is_one_that_the_server_registers() -> None:
    # The language client registers those under their own names, and VS Code takes a name once.
    assert set(commands()).isdisjoint(COMMANDS)


def test_every_command_has_an_action_and_every_action_a_command() -> None:
    found: set[str] = set()
    for name, table in (("commands.ts", "ACTIONS"), ("runs_view.ts", "RUN_ACTIONS")):
        source = (EXTENSION / "src" / name).read_text(encoding="utf-8")
        actions = source.split(f"export const {table}")[1].split("};")[0]
        found |= set(re.findall(r'"(coai\.[\w.]+)":', actions))
    assert found == set(commands())


def test_every_picture_that_a_text_shows_is_there() -> None:
    texts = [EXTENSION / "README.md", *(EXTENSION / "walkthrough").glob("*.md")]
    shown = [
        text.parent / name
        for text in texts
        for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text.read_text(encoding="utf-8"))
    ]
    assert shown
    assert [picture for picture in shown if not picture.is_file()] == []
