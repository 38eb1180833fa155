"""The WebSocket of a run: events out; answers, cancels and pauses in.

Whoever opens one proves who they are by the header, by a ticket as a subprotocol, or by a first
message; never by the address.
"""

import asyncio
import contextlib
import json
from contextlib import aclosing
from typing import Any, Final, Literal

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.websockets import WebSocketDisconnect

from coai_routing.errors import CoaiError
from coai_server.http.access import Caller, caller_for
from coai_server.http.problems import RefusedError, problem_of
from coai_server.http.security.principals import Principal, Role
from coai_server.http.streams import SEND_SECONDS

router = APIRouter()

PROTOCOL: Final = "coai.v1"
TICKET: Final = "coai.ticket."
AUTH_SECONDS: Final = 10.0
"""In which a first message has to say who it is."""
MOST_MESSAGE: Final = 1_000_000
POLICY: Final = 1008
"""WebSocket's close code for who may not (RFC 6455, section 7.4.1)."""


class Said(BaseModel):
    """A message of the client's."""

    model_config = ConfigDict(strict=True, extra="forbid")

    type: Literal["auth", "answer", "cancel", "pause", "resume"]
    token: str = ""
    step: str = ""
    answer: Any = None


@router.websocket("/v1/runs/{run}/ws")
async def socket(websocket: WebSocket, run: str, after: int = -1) -> None:
    """Serve one client until the run is over or the client goes."""
    offered: list[str] = websocket.scope.get("subprotocols", [])
    protocol = PROTOCOL if PROTOCOL in offered else None
    services = websocket.app.state.services
    principal: Principal | None = getattr(websocket.state, "principal", None)
    ticket = next((each for each in offered if each.startswith(TICKET)), None)
    if principal is None and ticket is not None:
        # Raised before the connection is accepted, so the gate answers it.
        principal = services.doorkeeper.by_ticket(ticket.removeprefix(TICKET))
    await websocket.accept(subprotocol=protocol)
    try:
        if principal is None:
            principal = await _first_message(websocket)
        websocket.state.principal = principal
        caller = caller_for(principal, services, Role.VIEWER)
        row, _ = await caller.tenant.runs.row(run, caller.roots.folders)
        await _served(websocket, caller, row.id, after)
        await websocket.close()
    except CoaiError as error:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await _send(websocket, _error(error))
            await websocket.close(POLICY)
    except (WebSocketDisconnect, TimeoutError):
        pass  # it has gone, or does not read


async def _first_message(websocket: WebSocket) -> Principal:
    try:
        async with asyncio.timeout(AUTH_SECONDS):
            said = await _received(websocket)
    except TimeoutError as error:
        raise RefusedError(408, "too_slow", "Nobody said who they are.") from error
    if said.type != "auth":
        raise RefusedError(
            401,
            "missing_token",
            "The first message names nobody.",
            remedy='Send {"type": "auth", "token": TOKEN} first.',
        )
    return await websocket.app.state.services.doorkeeper.by_token(said.token)


async def _received(websocket: WebSocket) -> Said:
    text = await websocket.receive_text()
    if len(text) > MOST_MESSAGE:
        raise RefusedError(413, "too_large", "The message is too large.")
    try:
        return Said.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise RefusedError(
            422, "invalid_request", f"{'.'.join(map(str, first['loc']))}: {first['msg']}."
        ) from error


async def _served(websocket: WebSocket, caller: Caller, run: str, after: int) -> None:
    """Send what happens, and do what is asked, until the client goes or the run has ended."""
    telling = asyncio.create_task(_tell(websocket, caller, run, after))
    hearing = asyncio.create_task(_hear(websocket, caller, run))
    try:
        done, _ = await asyncio.wait((telling, hearing), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (telling, hearing):
            task.cancel()
        await asyncio.gather(telling, hearing, return_exceptions=True)


async def _tell(websocket: WebSocket, caller: Caller, run: str, after: int) -> None:
    seen, ended = after, False
    while not ended and not caller.services.draining:
        async with aclosing(caller.tenant.runs.watch(run, seen)) as happened:
            async for each in happened:
                if each is None:
                    await _send(websocket, {"type": "alive"})
                    continue
                seen = each.event.seq
                await _send(websocket, {"type": "event", **each.as_json()})
        row, last = await caller.tenant.runs.row(run, caller.roots.folders)
        ended = row.state in ("done", "failed", "cancelled") and seen >= last
        if not ended and row.state != "running":
            # It waits for somebody, perhaps for who is at the other end.
            await asyncio.sleep(0.2)


async def _hear(websocket: WebSocket, caller: Caller, run: str) -> None:
    while True:
        try:
            said = await _received(websocket)
            caller_for(caller.principal, caller.services, Role.RUNNER)
            caller.services.doorkeeper.counted(caller.principal)
            await _done(caller, run, said)
        except CoaiError as error:
            await _send(websocket, _error(error))


async def _done(caller: Caller, run: str, said: Said) -> None:
    runs = caller.tenant.runs
    match said.type:
        case "answer":
            await runs.answer(run, said.step, said.answer)
        case "cancel" | "pause":
            await runs.stop(run, said.type)
        case "resume":
            await runs.resume(run)
        case "auth":
            pass  # who it is, is known


def _error(error: CoaiError) -> dict[str, Any]:
    """Return an error as a message; its own type is its `code`."""
    _, problem = problem_of(error)
    said = {"message": problem.message, "remedy": problem.remedy}
    return {"type": "error", "code": problem.type, **said}


async def _send(websocket: WebSocket, said: dict[str, Any]) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await websocket.send_text(json.dumps(said))
