"""`coai acp` in a process of its own, spoken to by the SDK's own client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest
from acp import RequestError

from coai_server.acp.app import AGENTS
from coai_server.acp.modes import NAMES
from tests.server.acp.conftest import SHOP
from tests.server.test_explanations import local_model

if TYPE_CHECKING:
    from tests.server.acp.conftest import Editor, Shop
    from tests.support.llama import LlamaServer

TRACE: Final = """\
Why this?
Traceback (most recent call last):
  File "shop.py", line 11, in total_of
    return sum(prices)
TypeError: unsupported operand type(s) for +: 'int' and 'str'
"""

ANSWERS: Final = [
    ("explain", "nothing that is known", "Name a file"),
    ("fix", "everything", "Name the file"),
    ("document", "everything", "Name the file"),
    ("ask", "What does total_of do?", "`prices`"),
    ("ask", "Is shop.py secure?", "hash"),
    ("explain", "shop.py:signature", "`data`"),
    ("explain", TRACE, "total_of"),
    ("security", "", "findings in"),
    ("security", "shop.py", "hash"),
    ("performance", "shop.py", "Nothing slow"),
    ("architecture", "", "shop.py"),
    ("review", "since HEAD", "git"),
    ("ask", "/explain shop.py:total_of", "`prices`"),
    ("performance", "/nothing shop.py", "Nothing slow"),
    ("run", "no-such", "There is no workflow"),
    ("run", "code-review shop.py", "The run is"),
]


async def test_every_agent_answers_without_a_model_and_writes_nothing(
    shop: Shop, editor: Editor
) -> None:
    async with shop.talk(editor) as talk:
        for mode, prompt, expected in ANSWERS:
            await talk.mode(mode)
            said = await talk.ask(prompt)
            assert expected in said, (mode, prompt, said)
            assert said.strip(), (mode, prompt)
    assert shop.file.read_text() == SHOP
    assert not editor.written
    assert not editor.permissions


async def test_a_turn_shows_its_plan_and_its_work(shop: Shop, editor: Editor) -> None:
    async with shop.talk(editor) as talk:
        await talk.ask("Is shop.py secure?")
    last = editor.of("plan")[-1]
    assert {each.content: each.status for each in last.entries} == {
        "Ask: security": "completed",
        "Ask: answer": "completed",
    }
    begun, ended = editor.of("tool_call"), editor.of("tool_call_update")
    assert begun[0].title == "Read shop.py"
    assert [each.path for each in begun[0].locations] == [str(shop.file)]
    assert {each.tool_call_id for each in begun} == {each.tool_call_id for each in ended}
    assert {each.status for each in ended} == {"completed"}


async def test_modes_and_commands_are_told_and_are_the_agents(shop: Shop, editor: Editor) -> None:
    async with shop.connected(editor) as agent:
        begun = await agent.new_session(cwd=str(shop.folder))
        assert begun.modes is not None
        told = [each.id for each in begun.modes.available_modes]
        with pytest.raises(RequestError):
            await agent.set_session_mode(session_id=begun.session_id, mode_id="root")
    assert told == list(NAMES) == list(AGENTS)
    (commands,) = editor.of("available_commands_update")
    assert [each.name for each in commands.available_commands] == told


async def test_the_tiny_model_is_asked_and_named(
    shop: Shop, editor: Editor, llama_server: LlamaServer
) -> None:
    asking = {
        "COAI_ENDPOINTS__LLAMA_SERVER__ENABLED": "true",
        "COAI_ENDPOINTS__LLAMA_SERVER__URL": llama_server.base_url,
        "COAI_ENDPOINTS__LLAMA_SERVER__API_KEY": llama_server.api_key or "",
    }
    async with shop.talk(editor, **asking) as talk:
        said = await talk.ask("What does shop.py:signature do?")
    # Random weights say nothing that passes a check; whom was asked is told all the same.
    assert "`data`" in said
    assert "No model" not in said


async def test_a_models_words_are_marked(shop: Shop, editor: Editor) -> None:
    with local_model() as model:
        model.answer = "It hashes `data` with `hashlib.new`."
        asking = {
            "COAI_ENDPOINTS__LMSTUDIO__ENABLED": "true",
            "COAI_ENDPOINTS__LMSTUDIO__URL": f"{model.url}/v1",
        }
        async with shop.talk(editor, **asking) as talk:
            said = await talk.ask("What does shop.py:signature do?")
        assert model.requests
    assert "It hashes `data`" in said
    assert "says, unchecked" in said


@pytest.mark.parametrize("written", ["", 'not JSON\n{"jsonrpc": "2.0", "id": 1}\n'])
def test_it_ends_when_its_input_ends(shop: Shop, written: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "coai_server", "acp"],
        input=written,
        cwd=shop.folder,
        env={**os.environ, **shop.environment},
        capture_output=True,
        timeout=60,
        check=False,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in ended.stdout.splitlines())


WITHOUT: Final = """
import sys
from importlib.abc import MetaPathFinder
class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "acp" or name.startswith("acp."):
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Missing())
from coai_server.acp import start
sys.exit(start.main([]))
"""


def test_without_the_extra_it_says_what_to_install() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, check=False, text=True
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "pip install 'coai[acp]'" in ended.stderr


@pytest.mark.parametrize("module", ["serve", "lsp.app", "cli.app", "acp.start"])
def test_other_doors_import_none_of_it(module: str) -> None:
    program = f"import json, sys, coai_server.{module}; print(json.dumps(sorted(sys.modules)))"
    listed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    loaded = json.loads(listed.stdout)
    assert f"coai_server.{module}" in loaded
    assert [each for each in loaded if each.partition(".")[0] == "acp"] == []
