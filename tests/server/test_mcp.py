"""`coai mcp` in a process of its own, spoken to by the SDK's own client in both protocol eras."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import TextContent

from coai_agents.application.shared.shared_models import shared_models
from tests.server.test_explanations import ALONE, local_model

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from mcp.types import CallToolResult

SHOP: Final = """\
import hashlib


def signature(data):
    return hashlib.new("md5", data).hexdigest()


def total_of(prices):
    if prices == None:
        return 0
    return sum(prices)
"""

TRACE: Final = """\
Traceback (most recent call last):
  File "shop.py", line 11, in total_of
    return sum(prices)
TypeError: unsupported operand type(s) for +: 'int' and 'str'
"""

DIFF: Final = """\
--- a/shop.py
+++ b/shop.py
@@ -8,4 +8,5 @@
 def total_of(prices):
     if prices == None:
         return 0
+    breakpoint()
     return sum(prices)
"""

SECRET: Final = "kept_outside_of_the_root"
ERAS: Final = {"legacy": "2025-11-25", "auto": "2026-07-28"}


@dataclass(frozen=True)
class Shop:
    """A workspace, a file outside of it, and the environment of a user without any model."""

    folder: Path
    environment: dict[str, str]

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "coai_server", "mcp"]

    @asynccontextmanager
    async def client(
        self, mode: Literal["auto", "legacy"] = "auto", *options: str, **environment: str
    ) -> AsyncGenerator[Client]:
        command = [*self.command, *options]
        server = StdioServerParameters(
            command=command[0],
            args=command[1:],
            cwd=self.folder,
            env={**self.environment, **environment},
        )
        async with Client(server, mode=mode, read_timeout_seconds=60) as client:
            yield client

    def texts(self) -> dict[str, bytes]:
        """Return every file of the workspace."""
        files = [each for each in self.folder.rglob("*") if each.is_file()]
        return {str(each.relative_to(self.folder)): each.read_bytes() for each in files}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "shop.py").write_text(SHOP)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text(f"def {SECRET}():\n    return 1\n")
    (folder / "link.py").symlink_to(outside / "secret.py")
    (folder / "linked").symlink_to(outside)
    home = {name: str(tmp_path / "home") for name in ("HOME", "USERPROFILE", "APPDATA")}
    none = {
        f"COAI_ENDPOINTS__{name}__ENABLED": "false"
        for name in ("OLLAMA", "LMSTUDIO", "LLAMA_SERVER", "VLLM")
    }
    return Shop(folder, {**home, **ALONE, **none, "LOCALAPPDATA": home["HOME"]})


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def value_of(result: CallToolResult) -> dict[str, Any]:
    """Return the structured value, which has the readable answer, too."""
    assert not result.is_error, text_of(result)
    value = cast("dict[str, Any]", result.structured_content)
    assert value["text"] == text_of(result)
    return value


FACTS: Final[list[tuple[str, dict[str, Any], str]]] = [
    ("audit", {}, "shop.py:5:12: warning weak-hash"),
    ("audit", {"path": "shop.py", "level": "error"}, "0 findings"),
    ("vulns", {}, "0 packages in 0 files: nothing known"),
    ("threats", {}, "# Threat model"),
    ("compliance", {"standards": ["asvs-5"]}, "shop.py:5"),
    ("explain", {"what": "shop.py:signature", "model": False}, "It takes `data`. [shop.py:4]"),
    # Where a model is wanted and none is there, the facts come with the reason.
    ("explain", {"what": "shop.py:signature"}, "Note: "),
    ("explain", {"what": "shop.py:5", "model": False}, "This hash is broken"),
    ("explain", {"trace": TRACE, "model": False}, "shop.py:11 in total_of"),
    ("ask", {"question": "What does total_of do?", "model": False}, "It takes `prices`."),
    ("ask", {"question": "What is it?", "path": "shop.py:signature", "model": False}, "`data`"),
    ("architecture", {}, "- Layer 0: shop.py"),
    ("review", {"diff": DIFF, "model": False}, "breakpoint"),
    ("fix", {"what": "shop.py", "model": False}, "Left: line 5"),
    ("document", {"what": "shop.py:signature", "model": False}, "+++ b/shop.py"),
    ("document", {"what": ".", "model": False}, "+++ b/shop.py"),
    ("refactorings", {}, "extract-variable: "),
    (
        "refactor",
        {"kind": "extract-variable", "what": "shop.py:11", "code": "sum(prices)", "name": "total"},
        "+    total = sum(prices)",
    ),
    ("run_workflow", {"name": "code-review", "input": "shop.py", "model": False}, "`findings`"),
]


OF_RUNS: Final = ("run_status", "run_answer", "run_cancel")


@pytest.mark.parametrize("mode", ERAS)
async def test_every_tool_answers_twice_without_a_model_and_writes_nothing(
    shop: Shop, mode: Literal["auto", "legacy"]
) -> None:
    before = shop.texts()
    async with shop.client(mode) as client:
        assert client.session.protocol_version == ERAS[mode]
        for name, arguments, expected in FACTS:
            value = value_of(await client.call_tool(name, arguments))
            assert expected in value["text"], (name, arguments, value["text"])
            if name == "run_workflow":
                seen = value_of(await client.call_tool("run_status", {"run": value["run"]}))
                assert (seen["run"], seen["state"]) == (value["run"], value["state"])
    assert shop.texts() == before


async def test_tools_have_schemas_and_say_what_they_change_in_a_fixed_order(shop: Shop) -> None:
    async with shop.client() as client:
        tools = [each.model_dump() for each in (await client.list_tools()).tools]
    # The order is the one in which their answers are tried above.
    names = [*dict.fromkeys(name for name, _, _ in FACTS), *OF_RUNS, "read_more"]
    assert [each["name"] for each in tools] == names
    for each in tools:
        assert each["title"], each["name"]
        assert each["description"], each["name"]
        assert each["input_schema"]["type"] == "object"
        assert "text" in each["output_schema"]["required"]
        acts = each["name"] in ("run_workflow", "run_answer", "run_cancel")
        assert each["annotations"]["read_only_hint"] is not acts
        assert each["annotations"]["destructive_hint"] is acts


OUTSIDE: Final = ["../outside/secret.py", "link.py", "linked", "linked/secret.py", "/", "x\0y"]


async def test_paths_that_lead_out_of_the_roots_are_refused_by_every_tool(shop: Shop) -> None:
    calls: list[tuple[str, dict[str, Any], str]] = [
        ("audit", {}, "path"),
        ("vulns", {}, "path"),
        ("threats", {}, "path"),
        ("compliance", {}, "path"),
        ("explain", {"model": False}, "what"),
        ("ask", {"question": "What is it?", "model": False}, "path"),
        ("architecture", {}, "path"),
        ("review", {"model": False}, "path"),
        ("fix", {"model": False}, "what"),
        ("document", {"model": False}, "what"),
        ("refactor", {"kind": "rename", "model": False}, "what"),
    ]
    async with shop.client() as client:
        for path, (name, arguments, key) in product(OUTSIDE, calls):
            result = await client.call_tool(name, {**arguments, key: path})
            assert result.is_error, (name, path)
            assert SECRET not in text_of(result)


async def test_nothing_outside_is_read_by_the_way(shop: Shop) -> None:
    outside = shop.folder.parent / "outside" / "secret.py"
    around = shop.folder / ".." / "outside" / "secret.py"
    frames = [outside, around, shop.folder / "link.py"]
    async with shop.client() as client:
        for each in frames:
            trace = f'Traceback (most recent call last):\n  File "{each}", line 1, in f\nOSError: x'
            said = await client.call_tool("explain", {"trace": trace, "model": False})
            assert SECRET not in text_of(said)
            change = f"--- a/{each}\n+++ b/{each}\n@@ -1 +1 @@\n-x\n+y\n"
            said = await client.call_tool("review", {"diff": change, "model": False})
            assert SECRET not in text_of(said)
            given = {"name": "code-review", "input": str(each), "model": False}
            assert SECRET not in text_of(await client.call_tool("run_workflow", given))
        asked = {"question": f"What does {SECRET} do?", "model": False}
        statements = value_of(await client.call_tool("ask", asked))["statements"]
        assert not [each for each in statements if each["evidence"]]
        assert "secret.py" not in text_of(await client.call_tool("architecture", {}))
        audited = value_of(await client.call_tool("audit", {}))
        assert {each["path"] for each in audited["findings"]} == {"shop.py"}
        assert [note for note in audited["notes"] if note.startswith("link.py: ")]


async def test_another_root_is_named_when_it_starts(shop: Shop) -> None:
    outside = shop.folder.parent / "outside"
    async with shop.client("auto", "--root", ".", "--root", str(outside)) as client:
        what = {"what": str(outside / "secret.py"), "model": False}
        assert SECRET in value_of(await client.call_tool("explain", what))["text"]


def test_a_root_that_is_no_folder_is_refused() -> None:
    command = [sys.executable, "-m", "coai_server", "mcp", "--root", "not there"]
    ended = subprocess.run(command, capture_output=True, check=False, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "is no folder" in ended.stderr


async def test_findings_come_in_pages_and_progress_is_told(shop: Shop) -> None:
    (shop.folder / "link.py").unlink()
    for number in range(5):
        (shop.folder / f"more{number}.py").write_text(SHOP)
    told: list[tuple[float, float | None]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total))
        assert message

    async with shop.client() as client:
        first = value_of(await client.call_tool("audit", {"limit": 4}, progress_callback=tell))
        rest = value_of(await client.call_tool("audit", {"limit": 4, "offset": 4}))
    assert told == [(count, 6) for count in range(1, 7)]
    assert "2 more findings: ask with offset 4." in first["notes"]
    found = [*first["findings"], *rest["findings"]]
    assert (first["total"], rest["total"], rest["notes"]) == (6, 6, [])
    assert sorted({each["path"] for each in found}) == sorted(
        ["shop.py", *(f"more{number}.py" for number in range(5))]
    )


async def test_a_cancelled_call_is_left_and_the_next_is_answered(shop: Shop) -> None:
    for number in range(40):
        (shop.folder / f"more{number}.py").write_text(SHOP)
    async with shop.client() as client:
        with anyio.CancelScope() as scope:

            async def cancel(progress: float, total: float | None, message: str | None) -> None:
                scope.cancel()

            await client.call_tool("audit", {}, progress_callback=cancel)
        assert scope.cancelled_caught
        assert value_of(await client.call_tool("audit", {"path": "shop.py"}))["files"] == 1


async def test_a_model_is_asked_by_the_users_settings_and_its_words_are_marked(shop: Shop) -> None:
    what = {"what": "shop.py:signature"}
    with local_model() as model:
        model.answer = "It hashes `data` with `hashlib.new`."
        asking = {
            "COAI_ENDPOINTS__LMSTUDIO__ENABLED": "true",
            "COAI_ENDPOINTS__LMSTUDIO__URL": f"{model.url}/v1",
        }
        async with shop.client("auto", **asking) as client:
            explained = value_of(await client.call_tool("explain", what))
            asked = len(model.requests)
            facts = value_of(await client.call_tool("explain", {**what, "model": False}))
            assert len(model.requests) == asked >= 1
    assert {each["origin"] for each in explained["statements"]} & {"model", "checked"}
    assert {each["origin"] for each in facts["statements"]} == {"fact"}


async def test_what_the_user_forbids_holds_from_the_next_call_on(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in shop.environment.items():
        monkeypatch.setenv(name, value)
    async with shared_models() as models:
        first = await models.asker(shop.folder, wanted=True)
        assert await models.asker(shop.folder, wanted=True) is first
        monkeypatch.setenv("COAI_PRIVACY__MODE", "true")
        second = await models.asker(shop.folder, wanted=True)
        assert second is not first
        assert await models.asker(shop.folder, wanted=True) is second


@pytest.mark.parametrize("written", ["", 'not JSON\n{"jsonrpc": "2.0", "id": 1}\n'])
def test_it_ends_when_its_input_ends(shop: Shop, written: str) -> None:
    ended = subprocess.run(
        shop.command,
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
        if name == "mcp" or name.startswith("mcp."):
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Missing())
from coai_server.mcp import start
sys.exit(start.main([]))
"""


def test_without_the_extra_it_says_what_to_install() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, check=False, text=True
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "pip install 'coai[mcp]'" in ended.stderr


@pytest.mark.parametrize("module", ["serve", "lsp.app", "cli.app"])
def test_other_doors_import_none_of_it(module: str) -> None:
    program = f"import json, sys, coai_server.{module}; print(json.dumps(sorted(sys.modules)))"
    listed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    loaded = json.loads(listed.stdout)
    ours = [each for each in loaded if each.startswith(("mcp", "coai_server.mcp"))]
    assert f"coai_server.{module}" in loaded
    assert ours == []
