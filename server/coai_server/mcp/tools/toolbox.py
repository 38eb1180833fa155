"""What all tools have, and how what they return becomes an answer of the protocol."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Final, ParamSpec, TypeVar, cast

import anyio
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent
from pydantic import Field

from coai_routing.errors import CoaiError
from coai_server.mcp.answers import Answer, Changes
from coai_server.mcp.pages import PAGE_CHARACTERS, Pages
from coai_server.mcp.tasks import KeptTasks
from coai_server.terminal import printable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from mcp.server.mcpserver import Context

    from coai_agents.application.roots import Roots
    from coai_agents.application.shared.background_runs import BackgroundRuns
    from coai_agents.application.shared.shared_models import Models
    from coai_agents.specialists.asking import Asker

ModelWish = Annotated[
    bool, Field(description="Whether a model may be asked; false for facts alone.")
]

TICK_SECONDS: Final = 5.0
"""How often a client hears that a call goes on: what it hears puts off its deadline."""


@dataclass(frozen=True)
class Shared:
    """What a process has once for all its clients."""

    runs: BackgroundRuns
    pages: Pages = field(default_factory=Pages)
    tasks: KeptTasks = field(default_factory=KeptTasks)
    auditing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Rules of the user's own count in a whole process, so audits go one after the other."""


@dataclass(frozen=True)
class Toolbox:
    """What tools look at and ask."""

    roots: Roots
    models: Models
    shared: Shared

    async def asker(self, root: Path, *, wanted: bool) -> Asker:
        """Return what asks models by a folder's settings."""
        return await self.models.asker(root, wanted=wanted)


_P = ParamSpec("_P")
_Box = TypeVar("_Box", bound=Toolbox)


def told(
    tool: Callable[Concatenate[_Box, _P], Awaitable[Answer]],
) -> Callable[Concatenate[_Box, _P], Awaitable[CallToolResult]]:
    """Make a tool of what answers: its errors are sentences, its answer comes in both forms."""

    @wraps(tool)
    async def telling(box: _Box, /, *args: _P.args, **kwargs: _P.kwargs) -> CallToolResult:
        try:
            answer = await tool(box, *args, **kwargs)
        except CoaiError as error:
            raise ToolError(printable(str(error))) from error
        return result_of(answer, box.shared.pages)

    return telling


def result_of(answer: Answer, pages: Pages) -> CallToolResult:
    """Return an answer in both forms, each short enough for clients to show all of it."""
    if not isinstance(answer, Changes):
        # A diff has to stay as it is; anything else must not steer or mislead who reads it.
        answer.text = printable(answer.text)
    page = pages.first(answer.text)
    if page.name:
        answer.text = page.text + following(page.name, 1, page.count)
        answer.more, answer.pages = page.name, page.count
    value = answer.model_dump(mode="json")
    _shorten(value)
    return CallToolResult(content=[TextContent(text=answer.text)], structured_content=value)


def following(name: str, number: int, count: int) -> str:
    """Return what is said at the end of a page that is not the last."""
    return f"\n[Page {number} of {count}: `read_more` with answer {name} and page {number + 1}.]\n"


def _shorten(value: dict[str, Any]) -> None:
    """Leave out the ends of the longest lists, until the values beside the text are short, too."""
    lists = {
        name: cast("list[Any]", each) for name, each in value.items() if isinstance(each, list)
    }
    sizes = {name: [len(repr(one)) for one in each] for name, each in lists.items()}
    left = 0
    while sum(map(sum, sizes.values())) > PAGE_CHARACTERS:
        name = max(sizes, key=lambda each: sum(sizes[each]))
        sizes[name].pop()
        lists[name].pop()
        left += 1
    if left:
        value["notes"].append(f"{left} values are left out here; `text` and its pages have all.")


async def tell(ctx: Context[Any, Any], done: float, total: float | None, words: str) -> None:
    """Tell a client how far its call is; one that is gone hears nothing."""
    with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
        await ctx.report_progress(done, total, words)


@asynccontextmanager
async def going_on(ctx: Context[Any, Any], doing: str) -> AsyncGenerator[None]:
    """Tell a client now and again that its call goes on, until it has ended."""

    async def tick() -> None:
        count = 0
        while True:
            count += 1
            await tell(ctx, count, None, doing)
            await asyncio.sleep(TICK_SECONDS)

    ticking = asyncio.create_task(tick())
    # So that even what takes no time is told of once.
    await asyncio.sleep(0)
    try:
        yield
    finally:
        ticking.cancel()
        await asyncio.wait({ticking})
