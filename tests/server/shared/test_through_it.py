"""What the tools' door offers beside plain calls: runs, tasks, resources, prompts, pages."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import pytest
from mcp import MCPError
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.types import CallToolResult, Request, RequestParams, Result, TextResourceContents
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from coai_server.mcp.pages import PAGE_CHARACTERS
from tests.server.shared.daemons import User, some_user
from tests.server.shared.test_daemon import client_of
from tests.server.test_mcp import ERAS, SHOP, text_of, value_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence

    from mcp import Client

ASKING: Final = """\
name: asking
nodes:
  - {kind: human, name: ok, question: Shall it go on?, choices: [yes please, no]}
  - {kind: script, name: told, script: told.sh, given: {said: ok}}
"""
SLEEPING: Final = "name: sleeping\nnodes:\n  - {kind: script, name: long, script: sleep.sh}\n"


@pytest.fixture(scope="module")
def served() -> Generator[User]:
    """Give a user with workflows of their own, whose daemon runs."""
    with some_user() as user:
        (user.folder / "shop.py").write_text(SHOP)
        own = user.home / ".config" / "coai"
        for name, text in (("asking", ASKING), ("sleeping", SLEEPING)):
            path = own / "ensembles" / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for name, text in (("told.sh", "cat"), ("sleep.sh", "exec sleep 600")):
            path = own / "scripts" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o700)
        with user.daemon():
            yield user


async def run_workflow(client: Client, name: str, **more: object) -> dict[str, Any]:
    given = {"name": name, "input": "shop.py", "model": False, **more}
    return value_of(await client.call_tool("run_workflow", given))


# ------------------------------------------------------------------------------- runs


async def test_a_person_is_asked_and_their_answer_goes_on_with_the_run(served: User) -> None:
    told: list[str | None] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)

    async with client_of(served) as client:
        run = await run_workflow(client, "asking")
        assert (run["state"], run["questions"]) == ("waiting", ["ok: Shall it go on?"])
        wrong = await client.call_tool("run_answer", {"run": run["run"], "answer": "perhaps"})
        assert wrong.is_error
        assert "yes please, no" in text_of(wrong)
        answer = {"run": run["run"], "answer": "yes please"}
        done = await client.call_tool("run_answer", answer, progress_callback=tell)
        assert value_of(done)["result"] == {"said": "yes please"}
        late = await client.call_tool("run_answer", answer)
        assert late.is_error
    assert told == ["ok: done", "told: done"]


async def test_a_run_is_cancelled_for_good(served: User) -> None:
    async with client_of(served) as client:
        run = await run_workflow(client, "sleeping", wait=False)
        assert run["state"] == "running"
        ended = value_of(await client.call_tool("run_cancel", {"run": run["run"]}))
        assert ended["state"] == "cancelled"
        again = await client.call_tool("run_cancel", {"run": run["run"]})
        assert again.is_error


async def test_a_run_of_another_folder_is_nobodys(served: User) -> None:
    other = served.folder.parent / "other"
    other.mkdir(exist_ok=True)
    async with client_of(served) as client:
        run = (await run_workflow(client, "asking"))["run"]
    async with client_of(served, folder=other) as client:
        for name, more in (
            ("run_status", {}),
            ("run_cancel", {}),
            ("run_answer", {"answer": "no"}),
        ):
            refused = await client.call_tool(name, {"run": run, **more})
            assert refused.is_error, name
            assert "no run" in text_of(refused)
        with pytest.raises(MCPError):
            await client.read_resource(f"coai://runs/{run}")


# ------------------------------------------------------------------------------ tasks


class Handle(Result):
    """What a server answers instead of a result."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")

    result_type: Literal["task"] = "task"
    task_id: str
    status: str
    poll_interval_ms: int


class Asked(RequestParams):
    """The parameters of what asks for a task."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    task_id: str


class Told(Result):
    """What is told of a task."""

    model_config = ConfigDict(extra="allow")


class Tasks(ClientExtension):
    """Knows tasks: asks for each until it has ended."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self, *, cancel: bool = False) -> None:
        self.cancel = cancel
        self.statuses: list[str] = []

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Handle, resolve=self.resolve)]

    async def resolve(self, handle: Handle, ctx: ClaimContext) -> CallToolResult:
        self.statuses.append(handle.status)
        if self.cancel:
            await self.ask(ctx, "tasks/cancel", handle.task_id)
        while (task := await self.ask(ctx, "tasks/get", handle.task_id))["status"] == "working":
            pass
        self.statuses.append(task["status"])
        return CallToolResult.model_validate(task.get("result", {"content": [], "isError": True}))

    async def ask(self, ctx: ClaimContext, method: str, name: str) -> dict[str, Any]:
        request: Request[Asked, str] = Request(method=method, params=Asked(task_id=name))
        told = await ctx.session.send_request(cast("Any", request), Told)
        return told.model_dump(by_alias=True)


@asynccontextmanager
async def knowing(user: User, tasks: Tasks) -> AsyncGenerator[Client]:
    async with client_of(user, extensions=[tasks]) as client:
        yield client


async def test_a_long_call_is_a_task_for_a_client_that_declares_them(served: User) -> None:
    for number in range(400):
        (served.folder / f"more{number}.py").write_text(SHOP * 40)
    tasks = Tasks()
    async with knowing(served, tasks) as client:
        audited = value_of(await client.call_tool("audit", {}))
        assert audited["files"] == 401
        assert tasks.statuses == ["working", "completed"]
        # What is answered soon is no task.
        await client.call_tool("refactorings", {})
        assert len(tasks.statuses) == 2


async def test_a_task_is_cancelled(served: User) -> None:
    tasks = Tasks(cancel=True)
    async with knowing(served, tasks) as client:
        await client.call_tool("run_workflow", {"name": "sleeping", "model": False})
    assert tasks.statuses == ["working", "cancelled"]


# --------------------------------------------------------------- resources and prompts


@pytest.mark.parametrize("mode", ERAS)
async def test_rules_runs_and_findings_are_read_as_resources(
    served: User, mode: Literal["auto", "legacy"]
) -> None:
    async with client_of(served, mode=mode) as client:
        (listed,) = (await client.list_resources()).resources
        assert str(listed.uri) == "coai://rules"
        named = [
            each.uri_template
            for each in (await client.list_resource_templates()).resource_templates
        ]
        assert named == ["coai://rules/{id}", "coai://runs/{id}", "coai://findings/{+path}"]
        run = (await run_workflow(client, "asking"))["run"]
        for address, expected in [
            ("coai://rules", "- `weak-hash` (warning): "),
            ("coai://rules/weak-hash", "# "),
            (f"coai://runs/{run}", "Shall it go on?"),
            ("coai://findings/shop.py", "shop.py:5:12: warning weak-hash"),
        ]:
            (content,) = (await client.read_resource(address)).contents
            assert isinstance(content, TextResourceContents)
            assert expected in content.text, address
        for address in ("coai://rules/none", "coai://runs/none", "coai://findings/none.py"):
            with pytest.raises(MCPError):
                await client.read_resource(address)
        for path in ("../outside.py", "/etc/passwd", "..%2Foutside.py"):
            with pytest.raises(MCPError):
                await client.read_resource(f"coai://findings/{path}")


@pytest.mark.parametrize("mode", ERAS)
async def test_workflows_are_prompts_by_name(served: User, mode: Literal["auto", "legacy"]) -> None:
    async with client_of(served, mode=mode) as client:
        prompts = (await client.list_prompts()).prompts
        names = [each.name for each in prompts]
        assert names == sorted(names)
        assert {"code-review", "asking"} <= set(names)
        for each in prompts:
            assert [one.name for one in each.arguments or []] == ["input"]
        told = await client.get_prompt("code-review", {"input": "shop.py"})
        (message,) = told.messages
        assert "run_workflow" in str(message.content)
        assert "shop.py" in str(message.content)
        with pytest.raises(MCPError):
            await client.get_prompt("none", {"input": "x"})


# ------------------------------------------------------------------------------ pages


async def test_a_long_answer_comes_in_pages_of_which_none_is_lost(served: User) -> None:
    long = served.folder.parent / "long"
    long.mkdir()
    names = [
        f"compute_the_{'very_' * 60}long_sum_of_what_is_given_and_{each}" for each in range(60)
    ]
    functions = [f"def {name}(a, b):\n    return a + b\n" for name in names]
    (long / "long.py").write_text("\n\n".join(functions))
    async with client_of(served, folder=long) as client:
        what = {"what": "long.py", "model": False}
        first = value_of(await client.call_tool("document", what))
        assert first["pages"] > 1
        text = first["text"]
        for page in range(2, first["pages"] + 1):
            more = {"answer": first["more"], "page": page}
            read = value_of(await client.call_tool("read_more", more))
            assert len(read["text"]) < PAGE_CHARACTERS + 200
            text += read["text"]
        for name in names:
            assert f"def {name}(a, b):" in text
        rest = {name: each for name, each in first.items() if name != "text"}
        assert len(json.dumps(rest)) < 1.2 * PAGE_CHARACTERS
        for wrong in ({"answer": "none"}, {"answer": first["more"], "page": 1000}):
            assert (await client.call_tool("read_more", wrong)).is_error
