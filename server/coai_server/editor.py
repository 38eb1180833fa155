r"""An editor without a screen: it starts the real daemon and speaks LSP with it, as editors do.

`coai demo`, `coai complete` and the benchmarks use it. It shares the daemon's framing and its
snapshots of documents, and nothing else: what it learns of the daemon it learns over the wire.

    async with launched(folder) as editor:
        buffer = editor.open("hello.py", "def greet(name):\n    ")
        for ghost in await buffer.ask():
            await buffer.accept(ghost)

One file, because an editor is one client of the protocol.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import deque
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from coai_agents.source import Edit, Encoding, Position, Source, Span
from coai_routing.errors import CoaiError
from coai_routing.processes import child_environment, python_command, start_async
from coai_server.jsonrpc import (
    ErrorCode,
    FrameParser,
    FramingError,
    Malformed,
    Notification,
    Request,
    Response,
    encode_frame,
    error_message,
    read_message,
    success_message,
)

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from coai_server.jsonrpc import Incoming

REQUEST_SECONDS: Final = 30.0
"""How long a request may take, unless it is made with a time of its own."""

STOP_SECONDS: Final = 12.0
"""How long the daemon may take to end; it ends itself by force after ten."""

SETTINGS_SECTION: Final = "coai"

Json: TypeAlias = Any
"""What a JSON document holds; its form is the method's."""

Answer: TypeAlias = "Callable[[Json], Json]"
"""What an editor answers to the parameters of a request; it must not wait."""

_REFRESH: Final = "workspace/textDocumentContent/refresh"
"""Who answers this can show virtual documents."""

_CHUNK: Final = 64 * 1024
_LOG_BYTES: Final = 4000
_NOTIFICATIONS: Final = 1000
_LAST_WORDS_SECONDS: Final = 1.0


class EditorError(CoaiError):
    """The daemon did not do what an editor may expect of it."""


class DaemonEndedError(EditorError):
    """The daemon ended, or said something that is not LSP; the message has its last words."""


class RequestFailedError(EditorError):
    """The daemon answered a request with an error; `code` is JSON-RPC's."""

    def __init__(self, method: str, code: int, reason: str) -> None:
        super().__init__(f"The daemon answered {method} with an error ({code}): {reason}")
        self.code = code


class RequestTimeoutError(EditorError):
    """The daemon did not answer in time; the request was cancelled."""


class Trigger(IntEnum):
    """Why an editor asks for inline completions (LSP's InlineCompletionTriggerKind)."""

    INVOKED = 1
    """The user asked."""
    AUTOMATIC = 2
    """The user typed."""


@dataclass(frozen=True, slots=True)
class Ghost:
    """A suggestion as an editor shows it: text that would take a span's place."""

    text: str
    span: Span
    """What it replaces: often nothing, at the cursor."""
    command: Mapping[str, Any] | None
    """What the editor runs when the user accepts it."""


def daemon_command(*options: str) -> tuple[str, ...]:
    """Return the command that starts the daemon of this installation."""
    return python_command("coai_server", "serve", *options)


@asynccontextmanager
async def launched(
    folder: Path,
    *,
    command: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    encoding: Encoding = Encoding.UTF_16,
    answers: Mapping[str, Answer] | None = None,
) -> AsyncGenerator[Editor]:
    """Start the daemon on a workspace folder, initialize it, and stop it in the end.

    `settings` are what the user set in this editor, `environment` is added to this process's own.
    `answers` say what this editor answers besides when the daemon asks it something.
    Raises `EditorError`; the process is gone however the block is left.
    """
    words = tuple(command or daemon_command())
    try:
        # As editors do, in this directory: what a `.env` file in it narrows has to count.
        process = await start_async(
            words,
            directory=Path.cwd(),
            stderr=asyncio.subprocess.PIPE,
            environment=child_environment(environment),
        )
    except OSError as error:
        raise DaemonEndedError(
            f"{words[0]} cannot be started: {error.strerror or error}."
        ) from error
    editor = Editor(process, folder, settings=settings, encoding=encoding, answers=answers or {})
    try:
        await editor.initialize()
        yield editor
    finally:
        await editor.aclose()


class Editor:
    """One editor with one daemon. It belongs to one event loop; `launched` makes it."""

    def __init__(
        self,
        process: Process,
        folder: Path,
        *,
        settings: Mapping[str, Any] | None,
        encoding: Encoding,
        answers: Mapping[str, Answer],
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.folder = folder
        self.encoding = encoding
        """How positions are counted; offered alone, so the daemon has to take it."""
        self.capabilities: Mapping[str, Any] = {}
        """What the daemon said it can do."""
        self.notifications: deque[Notification] = deque(maxlen=_NOTIFICATIONS)
        """What the daemon told last, oldest first."""
        self._settings = settings
        self._answers = answers
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._ids = itertools.count(1)
        self._open: dict[int, asyncio.Future[Response]] = {}
        self._log = b""
        self._end: DaemonEndedError | None = None
        self._tasks = (
            asyncio.create_task(self._read(), name="read the daemon"),
            asyncio.create_task(self._read_log(), name="read the daemon's log"),
        )

    @property
    def log(self) -> str:
        """What the daemon wrote to standard error, the last of it."""
        return self._log.decode("utf-8", "replace").rstrip()

    # ------------------------------------------------------------ messages

    def notify(self, method: str, params: object) -> None:
        """Send a notification. Order is kept; a daemon that is gone is noticed by requests."""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    async def request(
        self, method: str, params: object = None, *, seconds: float = REQUEST_SECONDS
    ) -> Json:
        """Send a request and return its result.

        Cancelling the call, or its time being up, cancels the request at the daemon. Raises
        `RequestFailedError`, `RequestTimeoutError` and `DaemonEndedError`.
        """
        if self._end is not None:
            raise self._end
        number = next(self._ids)
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._open[number] = answer
        message = {"jsonrpc": "2.0", "id": number, "method": method}
        self._send(message if params is None else {**message, "params": params})
        try:
            async with asyncio.timeout(seconds):
                response = await answer
        except TimeoutError:
            self.notify("$/cancelRequest", {"id": number})
            raise RequestTimeoutError(
                f"The daemon did not answer {method} within {seconds:g} s."
            ) from None
        except asyncio.CancelledError:
            self.notify("$/cancelRequest", {"id": number})
            raise
        finally:
            del self._open[number]
        if response.error is not None:
            raise _failure(method, response.error)
        return response.message["result"]

    def _send(self, message: Mapping[str, Any]) -> None:
        if not self._stdin.is_closing():
            self._stdin.write(encode_frame(message))

    async def _read(self) -> None:
        parser = FrameParser()
        fault = "ended"
        try:
            while chunk := await self._stdout.read(_CHUNK):
                for body in parser.feed(chunk):
                    self._take(body if isinstance(body, Malformed) else read_message(body))
        except FramingError as error:
            fault = f"wrote what is not LSP ({error})"
        await self._fail(fault)

    async def _fail(self, fault: str) -> None:
        """Let everything that waits for the daemon fail, with its last words."""
        with suppress(TimeoutError):
            # It closes its output before it is gone; what it says meanwhile is the reason.
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await asyncio.wait({self._tasks[1]})
                await self.process.wait()
        code = self.process.returncode
        said = f" Its last words:\n{self.log}" if self._log else ""
        status = "" if code is None else f" with exit code {code}"
        self._end = DaemonEndedError(
            f"The daemon {fault}{status}.{said}",
            remedy="Run `coai serve --log-level debug` to see what it does.",
        )
        for answer in self._open.values():
            if not answer.done():
                answer.set_exception(self._end)

    async def _read_log(self) -> None:
        while chunk := await self._stderr.read(_CHUNK):
            self._log = (self._log + chunk)[-_LOG_BYTES:]

    def _take(self, message: Incoming) -> None:
        match message:
            case Response(number):
                answer = self._open.get(number) if isinstance(number, int) else None
                # There is none if it was cancelled meanwhile.
                if answer is not None and not answer.done():
                    answer.set_result(message)
            case Request():
                self._answer(message)
            case Notification():
                self.notifications.append(message)
            case _:
                raise FramingError(message.reason)

    def _answer(self, request: Request) -> None:
        """Do what the daemon asks, of what it may ask an editor of these capabilities."""
        if request.method == "workspace/configuration":
            items = cast("Sequence[object]", request.message["params"]["items"])
            self._send(success_message(request.id, [self._settings for _ in items]))
        elif request.method in ("client/registerCapability", "window/workDoneProgress/create"):
            self._send(success_message(request.id, None))
        elif request.method in self._answers:
            answer = self._answers[request.method](request.message.get("params"))
            self._send(success_message(request.id, answer))
        else:
            reason = f"This editor does not know {request.method}."
            self._send(error_message(request.id, ErrorCode.METHOD_NOT_FOUND, reason))

    # ----------------------------------------------------------- life cycle

    async def initialize(self) -> None:
        """Introduce the editor; raises `EditorError`."""
        uri = self.folder.as_uri()
        workspace: dict[str, Any] = {
            "workspaceFolders": True,
            "configuration": self._settings is not None,
        }
        if _REFRESH in self._answers:
            workspace["textDocumentContent"] = {"dynamicRegistration": True}
        answer = await self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "clientInfo": {"name": "coai"},
                "rootUri": uri,
                "workspaceFolders": [{"uri": uri, "name": self.folder.name}],
                "capabilities": {
                    "general": {"positionEncodings": [self.encoding.value]},
                    "textDocument": {
                        "synchronization": {"didSave": True},
                        "inlineCompletion": {},
                    },
                    "workspace": workspace,
                },
                "initializationOptions": self._settings,
            },
        )
        self.capabilities = answer["capabilities"]
        self.notify("initialized", {})

    async def status(self) -> Mapping[str, Any]:
        """Return what the daemon's status bar item would show."""
        return await self.request("coai/status", {})

    def open(self, path: Path | str, text: str, language: str = "") -> Buffer:
        """Open a document of the workspace, whether or not there is a file; the cursor is at 0.

        Without a language the daemon goes by the file's name.
        """
        return Buffer(self, Source((self.folder / path).as_uri(), text, language, version=1))

    async def aclose(self) -> None:
        """End the daemon as the protocol says, or by force if it does not."""
        if self._end is None:
            with suppress(EditorError):
                await self.request("shutdown", seconds=STOP_SECONDS)
                self.notify("exit", None)
        self._stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        # What the daemon started may hold its standard error open.
        await asyncio.wait(self._tasks, timeout=_LAST_WORDS_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)


class Buffer:
    """An open document with a cursor. Every change is told to the daemon at once."""

    def __init__(self, editor: Editor, source: Source) -> None:
        self._editor = editor
        self.source = source
        self.cursor = 0
        """The offset at which `insert` writes, in code points."""
        editor.notify(
            "textDocument/didOpen",
            {
                "textDocument": {
                    "uri": source.uri,
                    "languageId": source.language,
                    "version": source.version,
                    "text": source.text,
                }
            },
        )

    @property
    def text(self) -> str:
        """The whole text."""
        return self.source.text

    def insert(self, text: str) -> None:
        """Type at the cursor, which goes on to the end of what was typed."""
        self.replace(Span(self.cursor, self.cursor), text)

    def replace(self, span: Span, text: str) -> None:
        """Put text in a span's place, with the cursor at its end."""
        before = self.source
        self.source = before.apply(Edit(span, text), version=before.version + 1)
        self.cursor = span.start + len(text)
        self._editor.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": before.uri, "version": self.source.version},
                "contentChanges": [
                    {
                        "range": {
                            "start": self._position(before, span.start),
                            "end": self._position(before, span.end),
                        },
                        "text": text,
                    }
                ],
            },
        )

    async def ask(
        self, trigger: Trigger = Trigger.AUTOMATIC, *, seconds: float = REQUEST_SECONDS
    ) -> list[Ghost]:
        """Ask for inline completions at the cursor; raises what `Editor.request` raises."""
        source, cursor = self.source, self.cursor
        answer = await self._editor.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": source.uri},
                "position": self._position(source, cursor),
                "context": {"triggerKind": int(trigger)},
            },
            seconds=seconds,
        )
        # LSP lets a server answer with a list of items, with an object that has it, or with null.
        items = cast("Json", answer).get("items") if isinstance(answer, dict) else answer
        return [self._ghost(source, cursor, item) for item in items or ()]

    async def accept(self, ghost: Ghost) -> None:
        """Take a suggestion: edit the document, and run the command that goes with it."""
        self.replace(ghost.span, ghost.text)
        if ghost.command is not None:
            wanted = {
                "command": ghost.command["command"],
                "arguments": ghost.command.get("arguments", []),
            }
            await self._editor.request("workspace/executeCommand", wanted)

    def close(self) -> None:
        """Close the document."""
        self._editor.notify("textDocument/didClose", {"textDocument": {"uri": self.source.uri}})

    def _ghost(self, source: Source, cursor: int, item: Mapping[str, Any]) -> Ghost:
        span = Span(cursor, cursor)
        if (where := item.get("range")) is not None:
            start, end = (Position(**where[edge]) for edge in ("start", "end"))
            span = source.span_at(start, end, self._editor.encoding)
        return Ghost(item["insertText"], span, item.get("command"))

    def _position(self, source: Source, offset: int) -> dict[str, int]:
        position = source.position_at(offset, self._editor.encoding)
        return {"line": position.line, "character": position.character}


def _failure(method: str, error: object) -> RequestFailedError:
    fields = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    reason = str(fields.get("message", error))
    return RequestFailedError(method, int(fields.get("code", 0)), reason)
