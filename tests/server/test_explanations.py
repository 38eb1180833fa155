"""Explanations below a hover's facts: who is asked, how often, what is said without a model."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from tests.server.test_serve import Daemon
from tests.support.cloud_server import CloudServer, cloud_server
from tests.support.engine import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.support.lsp_client import Json

URI: Final = "file:///work/long.py"
SECRET: Final = "ghp_" + "a1B2c3D4e5F6" * 3
ALONE: Final = {
    "COAI_ENGINE__ENABLED": "false",
    "ANTHROPIC_API_KEY": "",
    "OPENAI_API_KEY": "",
    "OTEL_SDK_DISABLED": "true",
}
FUNCTIONS: Final = 40


def long_file(*, comment: str = "", factor: int = 2) -> str:
    """Return a file of 1,000 lines; of its functions one multiplies by another factor."""
    lines: list[str] = []
    for number in range(FUNCTIONS):
        by = factor if number == 7 else 2
        lines += [f"def step_{number}(value):", f"    # {comment or 'As it is.'}"]
        lines += [f"    value_{line} = value * {by} + {line + number}" for line in range(20)]
        lines += ["    return value_19", "", ""]
    return "\n".join(lines) + "\n"


@contextmanager
def local_model() -> Generator[CloudServer]:
    """Run a model server whose address counts as this machine."""
    with cloud_server() as server:
        server.answer = "It multiplies `value` and calls `os.fork`. It returns `value_19`."
        server.url = server.url.replace("0.0.0.0", "127.0.0.1")
        yield server


def settings_for(model: CloudServer) -> dict[str, str]:
    """Return the settings by which the daemon finds a model on this machine."""
    return {
        **ALONE,
        "COAI_ENDPOINTS__LMSTUDIO__ENABLED": "true",
        "COAI_ENDPOINTS__LMSTUDIO__URL": f"{model.url}/v1",
    }


def begun(daemon: Daemon, text: str, uri: str = URI) -> None:
    folders = [{"uri": "file:///work", "name": "work"}]
    daemon.initialize(options_off(), workspaceFolders=folders)
    daemon.open(text, uri)


def options_off() -> Json:
    """Return the capabilities of a client that pulls diagnostics, so that none are pushed."""
    return {"textDocument": {"diagnostic": {}}}


def hover(daemon: Daemon, line: int, uri: str = URI) -> str:
    where: Json = {"textDocument": {"uri": uri}, "position": {"line": line, "character": 5}}
    return daemon.call("textDocument/hover", where)["contents"]["value"]


def explained(daemon: Daemon, line: int, uri: str = URI) -> str:
    """Hover until the explanation is there, as somebody who wants to read it would."""
    deadline = time.monotonic() + PATIENCE
    while "says, unchecked:" not in (said := hover(daemon, line, uri)):
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    return said


def change(daemon: Daemon, text: str, version: int) -> None:
    document: Json = {"uri": URI, "version": version}
    daemon.notify(
        "textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]}
    )


def asked(model: CloudServer) -> int:
    return len(model.requests)


def test_of_a_thousand_lines_one_function_that_changed_costs_one_call(tmp_path: Path) -> None:
    with local_model() as model:
        with Daemon(tmp_path, **settings_for(model)) as daemon:
            text = long_file()
            assert text.count("\n") >= 1000
            begun(daemon, text)
            first = explained(daemon, 0)
            assert "function `step_0`" in first.partition("---")[0]
            assert "It returns `value_19`." in first
            assert "os.fork" not in first, "it is not in the code"
            every = range(0, FUNCTIONS * 25, 25)
            for line in every:
                explained(daemon, line)
            assert asked(model) == FUNCTIONS
            change(daemon, long_file(comment="Other words."), 2)
            for line in every:
                explained(daemon, line)
            assert asked(model) == FUNCTIONS, "a comment means nothing to the code"
            change(daemon, long_file(factor=3), 3)
            for line in every:
                explained(daemon, line)
            assert asked(model) == FUNCTIONS + 1
        # They are on disk: another session asks nobody.
        with Daemon(tmp_path, **settings_for(model)) as daemon:
            begun(daemon, long_file())
            explained(daemon, 25)
            assert asked(model) == FUNCTIONS + 1


def test_of_sensitive_code_nothing_is_kept_on_disk(tmp_path: Path) -> None:
    text = f"TOKEN = '{SECRET}'\n\n\ndef use(value):\n    return value\n"
    with local_model() as model:
        model.answer = "It returns `value`."
        for calls in (1, 2):
            with Daemon(tmp_path, **settings_for(model)) as daemon:
                begun(daemon, text)
                explained(daemon, 3)
                explained(daemon, 3)
                assert asked(model) == calls


def test_what_no_model_may_see_none_is_shown(tmp_path: Path) -> None:
    settings = {"COAI_PRIVACY__EXCLUDE": '["vault/"]', "COAI_COMPLETION__EXCLUDE": '["slow/"]'}
    with local_model() as model:
        model.answer = "It returns `value`."
        with Daemon(tmp_path, **settings_for(model), **settings) as daemon:
            text = "def {}(value):\n    return value\n"
            begun(daemon, text.format("one"), "file:///work/slow/a.py")
            explained(daemon, 0, "file:///work/slow/a.py")
            daemon.open(text.format("two"), "file:///work/vault/a.py")
            said = settled(daemon, 0, "file:///work/vault/a.py")
            assert "No model may see this file. It matches `vault/`" in said
            assert len(model.requests) == 1


@pytest.mark.parametrize(("mode", "calls"), [("local", 0), ("cached", 0), ("off", 0), ("full", 1)])
def test_only_where_the_user_says_so_a_cloud_is_asked(
    tmp_path: Path, mode: str, calls: int
) -> None:
    with cloud_server() as cloud:
        cloud.answer = "It returns `value`."
        settings = {
            **ALONE,
            "COAI_ROUTING__ALLOW_CLOUD": "true",
            "COAI_CLOUD__OPENAI__URL": f"{cloud.url}/v1",
            "COAI_CLOUD__OPENAI__API_KEY": "sk-nobody's",
        }
        if mode != "local":  # which is the default
            settings["COAI_EXPLANATIONS__HOVER"] = mode
        with Daemon(tmp_path, **settings) as daemon:
            begun(daemon, "def use(value):\n    return value\n")
            said = explained(daemon, 0) if mode == "full" else settled(daemon)
            assert said.startswith("```python\ndef use(value)\n```")
            assert ("says, unchecked" in said) == bool(calls)
            assert ("No model explains this" in said) == (mode == "local")
            # What is sensitive stays here in any case.
            daemon.open(
                f"TOKEN = '{SECRET}'\n\n\ndef other(key):\n    return key\n", "file:///s.py"
            )
            assert "says, unchecked" not in settled(daemon, 3, "file:///s.py")
        assert len(cloud.requests) == calls
        assert cloud.connections == calls


def settled(daemon: Daemon, line: int = 0, uri: str = URI) -> str:
    """Hover until nothing is being prepared."""
    deadline = time.monotonic() + PATIENCE
    while "being prepared" in (said := hover(daemon, line, uri)):
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    return said


def test_nothing_of_it_is_imported_before_somebody_hovers() -> None:
    program = (
        "import sys, coai_server.lsp.features\n"
        "heavy = ('coai_agents.specialists', 'coai_routing.router.router', 'diskcache')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"
