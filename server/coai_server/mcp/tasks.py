"""Calls that take long as tasks: a client that declares so gets a handle, and asks for the result.

The extension `io.modelcontextprotocol/tasks` of 2026-07-28 (SEP-2663). A call that is answered soon
is answered as always. Tasks belong to the process: with the daemon they outlive their connection.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, RequestParams
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from mcp.types import CallToolRequestParams

MODERN: Final = frozenset({"2026-07-28"})
"""The protocol's versions that have tasks as this extension."""

SOON_SECONDS: Final = 1.0
"""A call that is answered within this time makes no task."""
POLL_MS: Final = 500
KEPT_SECONDS: Final = 600.0
"""How long what a task came to is kept."""
MOST_KEPT: Final = 200


class _Named(RequestParams):
    """The parameters of all methods of tasks; what else they have means nothing here."""

    task_id: str


def _now() -> str:
    return datetime.now(UTC).isoformat()


@dataclass
class _Task:
    work: asyncio.Task[HandlerResult]
    created: str = field(default_factory=_now)
    changed: str = field(default_factory=_now)

    def as_json(self, name: str) -> dict[str, Any]:
        """Return it as the schema of the extension has it."""
        told: dict[str, Any] = {
            "taskId": name,
            "status": "working",
            "createdAt": self.created,
            "lastUpdatedAt": self.changed,
            "ttlMs": round(KEPT_SECONDS * 1000),
            "pollIntervalMs": POLL_MS,
        }
        if not self.work.done():
            return told
        if self.work.cancelled():
            return {**told, "status": "cancelled"}
        error = self.work.exception()
        if error is None:
            return {**told, "status": "completed", "result": _dumped(self.work.result())}
        known = error.error if isinstance(error, MCPError) else None
        failed = {"code": -32603, "message": "The call failed."}
        said = failed if known is None else known.model_dump(exclude_none=True)
        return {**told, "status": "failed", "error": said}


def _dumped(result: HandlerResult) -> dict[str, Any]:
    if isinstance(result, BaseModel):
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dict(result) if isinstance(result, Mapping) else {}


class KeptTasks:
    """The tasks of a process, by names that nobody can guess."""

    def __init__(self) -> None:
        """Keep none yet."""
        self._tasks: dict[str, _Task] = {}

    def keep(self, work: asyncio.Task[HandlerResult]) -> dict[str, Any]:
        """Keep a call that is under way; return what is told of it."""
        name = secrets.token_urlsafe(16)
        task = _Task(work)
        self._tasks[name] = task
        loop = asyncio.get_running_loop()

        def over(_: object) -> None:
            task.changed = _now()
            loop.call_later(KEPT_SECONDS, self._tasks.pop, name, None)

        work.add_done_callback(over)
        ended = [each for each, known in self._tasks.items() if known.work.done()]
        for each in ended[: max(0, len(self._tasks) - MOST_KEPT)]:
            del self._tasks[each]
        return task.as_json(name)

    def told(self, name: str) -> dict[str, Any]:
        """Return what is to be told of a task; raises `MCPError`."""
        return self._known(name).as_json(name)

    def cancel(self, name: str) -> None:
        """Cancel a task; one that has ended stays as it is. Raises `MCPError`."""
        self._known(name).work.cancel()

    def _known(self, name: str) -> _Task:
        if (task := self._tasks.get(name)) is None:
            raise MCPError(code=INVALID_PARAMS, message="There is no such task, or not any more.")
        return task

    async def aclose(self) -> None:
        """Cancel what is under way, and wait until it has ended."""
        works = [each.work for each in self._tasks.values()]
        for each in works:
            each.cancel()
        if works:
            await asyncio.wait(works)


class TasksExtension(Extension):
    """Makes tasks of calls of long tools, for clients that declare that they know tasks."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self, kept: KeptTasks, tools: frozenset[str]) -> None:
        """Take where tasks are kept, and the tools whose calls may take long."""
        self._kept = kept
        self._tools = tools

    def methods(self) -> Sequence[MethodBinding]:
        """Return what asks for tasks and cancels them. None of ours waits for input.

        Who does not declare the extension in a request is refused it, as SEP-2663 wants.
        """

        async def get(ctx: ServerRequestContext[Any, Any], params: _Named) -> HandlerResult:
            require_client_extension(ctx, self.identifier)
            return self._kept.told(params.task_id)

        async def update(ctx: ServerRequestContext[Any, Any], params: _Named) -> HandlerResult:
            require_client_extension(ctx, self.identifier)
            self._kept.told(params.task_id)
            return {}

        async def cancel(ctx: ServerRequestContext[Any, Any], params: _Named) -> HandlerResult:
            require_client_extension(ctx, self.identifier)
            self._kept.cancel(params.task_id)
            return {}

        handlers = {"tasks/get": get, "tasks/update": update, "tasks/cancel": cancel}
        return [MethodBinding(name, _Named, handler, MODERN) for name, handler in handlers.items()]

    async def intercept_tool_call(
        self,
        params: CallToolRequestParams,
        ctx: ServerRequestContext[Any, Any],
        call_next: CallNext,
    ) -> HandlerResult:
        """Answer soon, with the result or with a task."""
        declared = ctx.session.client_capabilities
        extensions = (declared and declared.extensions) or {}
        wanted = self.identifier in extensions and ctx.protocol_version in MODERN
        if not wanted or params.name not in self._tools:
            return await call_next(ctx)

        async def called() -> HandlerResult:
            return await call_next(ctx)

        work = asyncio.create_task(called())
        try:
            await asyncio.wait({work}, timeout=SOON_SECONDS)
        except asyncio.CancelledError:
            work.cancel()
            raise
        if work.done():
            return work.result()
        return {"resultType": "task", **self._kept.keep(work)}
