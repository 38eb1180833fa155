"""One client, from its first message to the exit code: the protocol's life cycle without pygls.

What is wired where:

- `transport.run_stdio(application)` and `transport.run_tcp(application, address)` own the process:
  streams, signals, exit code. They build a `Session` and feed it messages.
- `Application` is what `app.py` provides: what `initialize` answers, which must be cheap to know,
  and `build`, called once after that answer was written. `build(session)` imports pygls, makes a
  `protocol.CoaiLanguageServer(session, ...)`, registers features and returns it. It may call
  `session.on_stop(hook)` for each service to close and `session.spawn(coroutine)` for each task.
- The session then hands every message to what `build` returned (an `Endpoint`).

Order: messages are handled one after the other, as they came. After one was handed over, what it
started runs up to its first await before the next is looked at. So a handler that takes its
snapshot before it awaits anything sees exactly the document that its client saw.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from coai_server.jsonrpc import (
    ErrorCode,
    Malformed,
    Notification,
    Request,
    Response,
    encode_frame,
    error_message,
    success_message,
)
from coai_server.lsp.handshake import InvalidInitializeError, client_capabilities, initialize_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from coai_server.jsonrpc import Incoming

logger = logging.getLogger(__name__)

HOOK_SECONDS = 2.0
"""How long a service may take to close, unless it was registered with a time of its own."""

_FLUSH_SECONDS = 2.0
_CANCEL_SECONDS = 1.0

_MESSAGE_TYPE_ERROR = 1


class Wire(Protocol):
    """What a session needs of the transport below it."""

    def send(self, frame: bytes) -> None:
        """Queue a frame; never blocks."""
        ...

    def consumed(self) -> None:
        """Say that one delivered message was handled, so that another may be read."""
        ...

    async def flush(self, seconds: float) -> None:
        """Return when everything queued was written, or after so many seconds."""
        ...


class Endpoint(Protocol):
    """What handles messages once the client has been answered: see `protocol.py`."""

    async def adopt(self, request: Request) -> None:
        """Take in the `initialize` request, which was answered already."""
        ...

    def handle_request(self, request: Request) -> None:
        """Start answering."""
        ...

    def handle_notification(self, notification: Notification) -> None:
        """Act on it."""
        ...

    def handle_response(self, response: Response) -> None:
        """Hand it to whoever asked the client."""
        ...

    async def aclose(self) -> None:
        """Cancel what still runs; every open request has been answered when this returns."""
        ...


def _no_more(client: Mapping[str, Any]) -> Mapping[str, Any]:
    del client
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What a server is made of, known without importing anything heavy."""

    name: str
    version: str
    build: Callable[[Session], Endpoint]
    commands: tuple[str, ...] = ()
    """Names that `workspace/executeCommand` takes."""
    capabilities: Callable[[Mapping[str, Any]], Mapping[str, Any]] = _no_more
    """What is added to the server's capabilities for a client of these capabilities."""


@dataclass(frozen=True, slots=True)
class EndOfInput:
    """The client will send no more; `fault` says what was wrong with what it sent, if anything."""

    fault: str = ""


Delivery: TypeAlias = "Incoming | EndOfInput"


class _Phase(Enum):
    WAITING = auto()
    RUNNING = auto()
    SHUT_DOWN = auto()


class Session:
    """The state of one client's connection. Everything but `deliver` runs on its event loop."""

    def __init__(self, application: Application, wire: Wire, *, remote: bool = False) -> None:
        self.application = application
        self.remote = remote
        """Whether the client came over TCP, so that it may not name files and servers."""
        self._wire = wire
        self._phase = _Phase.WAITING
        self._deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
        self._stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._endpoint: Endpoint | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._hooks: list[tuple[Callable[[], Awaitable[None]], float]] = []
        self._closing: asyncio.Task[None] | None = None
        self.capabilities: Mapping[str, Any] = {}
        """What `initialize` answered."""

    def deliver(self, delivery: Delivery) -> None:
        """Queue what came in. The transport calls it on the loop, in the stream's order."""
        self._deliveries.put_nowait(delivery)

    def send(
        self, message: Mapping[str, Any], *, default: Callable[[Any], Any] | None = None
    ) -> None:
        """Send one message; never blocks.

        `default` turns what is not JSON into what is. Raises `TypeError` or `ValueError` for a
        message that cannot be encoded, and has sent nothing then.
        """
        self._wire.send(encode_frame(message, default=default))

    def stop(self, exit_code: int) -> None:
        """End the session with this code, unless it ends already."""
        if not self._stopped.done():
            self._stopped.set_result(exit_code)

    def spawn(self, coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Run a coroutine as a task that this session owns: cancelled and awaited at its end.

        A failure is logged with its traceback and ends that task only.
        """
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("The background task %s failed.", task.get_name(), exc_info=error)

    def on_stop(
        self, hook: Callable[[], Awaitable[None]], *, seconds: float = HOOK_SECONDS
    ) -> None:
        """Have `hook` awaited at the end, within so many seconds; the last one goes first."""
        self._hooks.append((hook, seconds))

    async def close_services(self) -> None:
        """Run the hooks given to `on_stop`, once; later calls wait for the same run."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._run_hooks(), name="close services")
        # A caller that is cancelled leaves the services closing.
        await asyncio.shield(self._closing)

    async def _run_hooks(self) -> None:
        for hook, seconds in reversed(self._hooks):
            name = getattr(hook, "__qualname__", repr(hook))
            try:
                async with asyncio.timeout(seconds):
                    await hook()
            except TimeoutError:
                logger.warning("%s did not end within %g s and was cancelled.", name, seconds)
            except Exception:
                # The other services have to be closed all the same.
                logger.exception("%s failed.", name)

    async def run(self) -> int:
        """Handle messages until the session is to end; return the process's exit code."""
        pump = asyncio.create_task(self._pump(), name="message pump")
        try:
            return await self._stopped
        finally:
            pump.cancel()
            await asyncio.wait({pump}, timeout=_CANCEL_SECONDS)

    async def aclose(self) -> None:
        """Cancel what runs, close the services, and let what was queued be written."""
        if self._endpoint is not None:
            await self._endpoint.aclose()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CANCEL_SECONDS)
        await self.close_services()
        await self._wire.flush(_FLUSH_SECONDS)

    async def _pump(self) -> None:
        while True:
            delivery = await self._deliveries.get()
            self._wire.consumed()
            try:
                await self._handle(delivery)
            except Exception:
                # One message that meets a defect of ours must not end the session.
                logger.exception("A message could not be handled.")
                if isinstance(delivery, Request):
                    reason = f"{delivery.method} met a defect; the log has it."
                    self.send(error_message(delivery.id, ErrorCode.INTERNAL_ERROR, reason))
            # What was just started goes first: see the module's docstring.
            await asyncio.sleep(0)

    async def _handle(self, delivery: Delivery) -> None:
        match delivery:
            case EndOfInput(fault):
                self._end(fault)
            case Malformed(code, reason, message_id):
                logger.warning("The client sent a malformed message: %s", reason)
                self.send(error_message(message_id, code, reason))
            case Request(method="initialize"):
                await self._handle_initialize(delivery)
            case Request():
                self._handle_request(delivery)
            case Notification(method="exit"):
                self.stop(0 if self._phase is _Phase.SHUT_DOWN else 1)
            case Notification():
                if self._endpoint is not None and self._phase is _Phase.RUNNING:
                    self._endpoint.handle_notification(delivery)
                else:
                    logger.debug("Dropped %s, which came out of turn.", delivery.method)
            case Response():
                if self._endpoint is not None:
                    self._endpoint.handle_response(delivery)

    def _end(self, fault: str) -> None:
        if fault:
            logger.error("The client's stream cannot be read on: %s", fault)
            self.send(error_message(None, ErrorCode.PARSE_ERROR, f"Not a frame of LSP: {fault}."))
        else:
            logger.info("The client closed its stream.")
        self.stop(1)

    def _refuse(self, request: Request, code: ErrorCode, reason: str) -> None:
        logger.warning("Refused %s: %s", request.method, reason)
        self.send(error_message(request.id, code, reason))

    def _handle_request(self, request: Request) -> None:
        match self._phase:
            case _Phase.WAITING:
                reason = f"{request.method} came before initialize."
                self._refuse(request, ErrorCode.SERVER_NOT_INITIALIZED, reason)
            case _Phase.SHUT_DOWN:
                reason = f"{request.method} came after shutdown."
                self._refuse(request, ErrorCode.INVALID_REQUEST, reason)
            case _Phase.RUNNING:
                assert self._endpoint is not None
                if request.method == "shutdown":
                    self._phase = _Phase.SHUT_DOWN
                self._endpoint.handle_request(request)

    async def _handle_initialize(self, request: Request) -> None:
        if self._phase is not _Phase.WAITING:
            self._refuse(request, ErrorCode.INVALID_REQUEST, "initialize may be sent only once.")
            return
        try:
            offered = client_capabilities(request.message)
        except InvalidInitializeError as error:
            self._refuse(request, ErrorCode.INVALID_REQUEST, str(error))
            return
        application = self.application
        answer = initialize_answer(
            offered,
            name=application.name,
            version=application.version,
            commands=application.commands,
            extra=application.capabilities(offered),
        )
        self.capabilities = answer["capabilities"]
        self.send(success_message(request.id, answer))
        # The imports below hold the interpreter for long, so the answer has to be out by then.
        await self._wire.flush(_FLUSH_SECONDS)
        try:
            self._endpoint = application.build(self)
            await self._endpoint.adopt(request)
        except Exception as error:
            # Whatever it is, the client has to be told.
            logger.exception("The server could not be built.")
            reason = f"{application.name} could not start: {error}"
            self.send(
                {
                    "jsonrpc": "2.0",
                    "method": "window/showMessage",
                    "params": {"type": _MESSAGE_TYPE_ERROR, "message": reason},
                }
            )
            self.stop(1)
        else:
            self._phase = _Phase.RUNNING
