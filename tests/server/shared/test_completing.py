"""`coai complete` by the daemon: the same suggestion, from models that stay."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.agents.application.conftest import only
from tests.server.shared.daemons import User, some_user
from tests.support.llama import start_llama_server
from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Generator

CODE = "def add(a, b):\n    return \n"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Generator[User]:
    """Give a user whose only model is a tiny one, on a server of its own."""
    folder = tmp_path_factory.mktemp("coder")
    server = start_llama_server(write_tiny_gguf(folder / "qwen2.5-coder-tiny.gguf"))
    settings = {
        f"COAI_{key.upper().replace('.', '__')}": str(value) for key, value in only(server).items()
    }
    with some_user() as user:
        (user.folder / "a.py").write_text(CODE)
        yield replace(user, settings={**settings, "COAI_COMPLETION__TIMEOUT_MS": "30000"})
    server.kill()


def test_a_suggestion_comes_from_the_daemon_and_so_does_the_reason_for_none(user: User) -> None:
    (user.folder / "own.py").write_text(CODE)
    (user.folder / ".coaiignore").write_text("own.py\n")
    with user.daemon():
        there = user.coai("complete", "a.py:2:12", "--json")
        told = json.loads(there.stdout)
        assert user.status()["served"] == {"complete": 1}
        # What a model of random weights says is kept or filtered; that it was asked is the point.
        said = told["account"].get("reason", "suggestion")
        assert said.startswith(("suggestion", "filtered", "model_said")), told
        assert (told["suggestion"] is not None) == (there.returncode == 0) == (said == "suggestion")
        excluded = user.coai("complete", "own.py:2:12", "--json")
        assert excluded.returncode == 1
        assert json.loads(excluded.stdout)["account"]["reason"] == "excluded"
        text = user.coai("complete", "own.py:2:12")
        assert (text.returncode, text.stdout) == (1, "")
        assert "matches an exclusion" in text.stderr
