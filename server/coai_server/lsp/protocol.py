"""pygls's protocol with what is wrong in it put right.

pygls 2.1.1 registers features, knows LSP's types and computes capabilities; that is used as it is.
How messages are handled is replaced, because as it stands requests whose params cannot be decoded
get no reply, a nested key `jsonrpc` breaks a message, the client is sent tracebacks, cancelling
`workspace/executeCommand` leaves its coroutine running, documents are mutable and split at line
ends that LSP does not have, progress tokens are never freed, and a single client capability that
it does not know makes `initialize` fail. A test holds each of these.

Features are registered as ever, with `@server.feature(...)` and `@server.command(...)`:

- A coroutine function runs up to its first await before the next message is looked at, so a
  snapshot that is taken first is the document that the client saw. Others run to their end.
- They raise `CoaiError` for what the user can do something about (sent as it is, code -32803) and
  pygls's `JsonRpcException` for any other code. Whatever else they raise is logged under an error
  id, and the client is told only that.
- Methods that LSP does not define take their params and return their results as plain JSON.
- The server is given only to a first parameter called `ls`; pygls's guess by its type takes
  `params: object` for a server.

One file, because it is one class of pygls with what is wrong in it put right.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import secrets
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import attrs
from lsprotocol import types
from pygls.constants import ATTR_EXECUTE_IN_THREAD
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.progress import Progress
from pygls.protocol import LanguageServerProtocol, lsp_method

from coai_routing.errors import CoaiError
from coai_server.daemon.parent import wait_for_exit
from coai_server.jsonrpc import ErrorCode, error_message, success_message
from coai_server.lsp.decoding import UndecodableError, decode, decode_initialize, decode_params
from coai_server.lsp.documents import Documents, Folder, folders_at_start
from coai_server.lsp.enums import EnumReader

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping
    from concurrent.futures import Future

    from cattrs import Converter

    from coai_server.jsonrpc import MessageId, Notification, Request, Response
    from coai_server.lsp.decoding import Params
    from coai_server.lsp.session import Session

    Handler = Callable[..., object]
    Steps = Generator[Any, Any, Any]
    Step = tuple[Handler, tuple[object, ...], dict[str, object] | None]

logger = logging.getLogger(__name__)

_Registered = TypeVar("_Registered", bound="Handler")

# pygls logs whole messages, which hold the user's code and settings.
logging.getLogger("pygls").setLevel(logging.WARNING)

_CANCEL_SECONDS = 1.0

_UNSUPPORTED = (
    types.EXIT,  # The session's.
    types.NOTEBOOK_DOCUMENT_DID_OPEN,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE,
)
"""What pygls would handle although it is not advertised."""


class _Registry(Protocol):
    """The types that pygls's `FeatureManager` leaves out."""

    builtin_features: dict[str, Handler]
    features: dict[str, Handler]
    feature_options: dict[str, object]


class WorkProgress(Progress):
    """Progress whose tokens are forgotten at the end, so that they may be used again."""

    tokens: dict[types.ProgressToken, Future[Any]]

    async def create_async(self, token: types.ProgressToken) -> Any:  # noqa: ANN401 (pygls's type)
        """Have the client make a progress bar; deadlines are the caller's."""
        return await cast("Any", super()).create_async(token)

    def end(self, token: types.ProgressToken, value: types.WorkDoneProgressEnd) -> None:
        """Tell the client that the work is done."""
        super().end(token, value)
        self.tokens.pop(token, None)


class CoaiProtocol(LanguageServerProtocol):
    """Answers every request of one session exactly once; the session sees to the life cycle."""

    def __init__(self, server: LanguageServer, converter: Converter, *, session: Session) -> None:
        self._session = session
        self._running: dict[MessageId, asyncio.Task[Any]] = {}
        self._reacting: set[asyncio.Task[Any]] = set()
        self.documents = Documents()
        super().__init__(server, converter)
        self._enums = EnumReader(converter)
        self.progress = WorkProgress(self)
        self._registry = cast("_Registry", self.fm)
        for method in _UNSUPPORTED:
            self._registry.builtin_features.pop(method)
        self._registry.feature_options[types.TEXT_DOCUMENT_DID_SAVE] = types.SaveOptions(
            include_text=False
        )

    # What comes in

    async def adopt(self, request: Request) -> None:
        """Take in the `initialize` request, which the session has answered.

        What this server does not know of the client's capabilities is left out.
        """
        params = decode_initialize(self._converter, self._enums, request.message)
        self.documents.start(
            encoding=self._session.capabilities["positionEncoding"],
            folders=folders_at_start(params),
        )
        await self._call(self.lsp_initialize, params)
        if params.process_id is not None:
            self._session.spawn(self._end_with(params.process_id), name="watch the parent process")

    async def _end_with(self, process_id: int) -> None:
        if await wait_for_exit(process_id):
            logger.warning("The process that started this one, %d, is gone.", process_id)
            self._session.stop(1)

    def handle_request(self, request: Request) -> None:
        """Start answering a request."""
        if request.id in self._running:
            # With the id, this would be taken for the answer to the other one.
            reason = f"The id {request.id!r} is that of a request which is not answered yet."
            self._session.send(error_message(None, ErrorCode.INVALID_REQUEST, reason))
            return
        handler = self._handler(request.method)
        if handler is None:
            reason = f"{request.method} is not supported."
            self._session.send(error_message(request.id, ErrorCode.METHOD_NOT_FOUND, reason))
            return
        try:
            params = decode_params(self._converter, request.method, request.message)
        except UndecodableError as error:
            logger.warning("Refused %s: %s", request.method, error)
            self._session.send(error_message(request.id, ErrorCode.INVALID_PARAMS, str(error)))
            return
        context = contextvars.copy_context()
        context.run(self._ctx_msg_id.set, request.id)
        task = asyncio.create_task(
            self._call(handler, params), name=request.method, context=context
        )
        self._running[request.id] = task
        task.add_done_callback(partial(self._answer, request))

    def handle_notification(self, notification: Notification) -> None:
        """Act on a notification. What is wrong with it is logged."""
        method = notification.method
        if method == types.CANCEL_REQUEST:
            self._cancel(notification.message)
            return
        handler = self._handler(method)
        if handler is None:
            logger.debug("Ignored %s, which is not supported.", method)
            return
        try:
            params = decode_params(self._converter, method, notification.message)
        except UndecodableError as error:
            logger.error("Dropped %s: %s", method, error)  # noqa: TRY400 (its traceback says nothing more)
            if method == types.TEXT_DOCUMENT_DID_CHANGE:
                self.documents.lose_track(_document_uri(notification.message))
            return
        task = asyncio.create_task(self._call(handler, params), name=method)
        self._reacting.add(task)
        task.add_done_callback(self._finish_reaction)

    def handle_response(self, response: Response) -> None:
        """Resolve the future of whoever asked the client."""
        if response.id is None:
            logger.warning("The client could not read a message: %s", response.error)
            return
        future: Future[Any] | None = self._request_futures.pop(response.id, None)
        answer_type = self._result_types.pop(response.id, None)
        if future is None or future.cancelled():
            logger.debug("The client's answer to request %s came too late.", response.id)
        elif "error" in response.message:
            future.set_exception(_client_error(response.error))
        elif answer_type is None:
            future.set_result(response.message["result"])
        else:
            try:
                answer = decode(self._converter, response.message, answer_type)
            except UndecodableError as error:
                future.set_exception(error)
            else:
                future.set_result(answer.result)

    async def aclose(self) -> None:
        """Cancel everything that runs. Requests that do not end are answered nevertheless."""
        for future in self._request_futures.values():
            future.cancel()
        unfinished = {*self._running.values(), *self._reacting}
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished, timeout=_CANCEL_SECONDS)
            # Callbacks of tasks that just ended run in the loop's next turn.
            await asyncio.sleep(0)
        for message_id, task in [*self._running.items()]:
            logger.warning("%s did not end when it was cancelled.", task.get_name())
            del self._running[message_id]
            self._send_cancelled(message_id)

    def _handler(self, method: str) -> Handler | None:
        builtin = self._registry.builtin_features.get(method)
        return builtin or self._registry.features.get(method)

    def _cancel(self, message: Mapping[str, Any]) -> None:
        params = message.get("params")
        message_id = cast("dict[str, Any]", params).get("id") if isinstance(params, dict) else None
        task = self._running.get(message_id) if isinstance(message_id, str | int) else None
        if task is None:
            logger.debug("Nothing to cancel: request %r is unknown or answered.", message_id)
        else:
            task.cancel()

    # Running handlers

    async def _call(self, handler: Handler, *args: object, **kwargs: object) -> object:
        """Run a handler of any of the forms that pygls knows, within the current task."""
        registered = getattr(handler, "func", handler)
        if getattr(registered, ATTR_EXECUTE_IN_THREAD, False):
            return await asyncio.to_thread(handler, *args, **kwargs)
        outcome = handler(*args, **kwargs)
        if inspect.isgenerator(outcome):
            return await self._walk(cast("Steps", outcome))
        return await cast("Awaitable[object]", outcome) if inspect.isawaitable(outcome) else outcome

    async def _walk(self, steps: Steps) -> object:
        """Run a generator of pygls's: each thing it yields is a handler to call for it."""
        outcome: object = None
        while True:
            try:
                step: Step = steps.send(outcome)
            except StopIteration as end:
                return end.value
            handler, args, kwargs = step
            outcome = await self._call(handler, *args, **(kwargs or {}))

    def _finish_reaction(self, task: asyncio.Task[Any]) -> None:
        self._reacting.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("Handling %s failed.", task.get_name(), exc_info=error)

    def _answer(self, request: Request, task: asyncio.Task[Any]) -> None:
        if self._running.get(request.id) is not task:
            return  # It was answered when the session ended.
        del self._running[request.id]
        if task.cancelled():
            self._send_cancelled(request.id)
            return
        failure = task.exception()
        try:
            if failure is None:
                self._send_data(success_message(request.id, task.result()))
            else:
                self._send_data(_answer_to_failure(request, failure))
        except Exception as error:  # noqa: BLE001 (whatever it gave, the request is answered)
            # What the handler gave cannot be encoded. Nothing has been sent by then.
            self._send_data(_answer_to_defect(request, error))

    def _send_cancelled(self, message_id: MessageId) -> None:
        reason = "The request was cancelled."
        self._send_data(error_message(message_id, ErrorCode.REQUEST_CANCELLED, reason))

    # What goes out

    def _send_data(self, data: object) -> None:
        """Send a message; raise `TypeError` or `ValueError` if it cannot be encoded."""
        if not isinstance(data, dict):
            data = self._converter.unstructure(data)
        self._session.send(cast("dict[str, Any]", data), default=self._serialize_message)

    def _serialize_message(self, data: object) -> Any:  # noqa: ANN401 (JSON)
        if attrs.has(type(data)):
            return self._converter.unstructure(data)
        raise TypeError(f"{type(data).__qualname__} is not JSON")

    def send_request(
        self,
        method: str,
        params: Params = None,
        callback: Callable[[Any], None] | None = None,
        msg_id: MessageId | None = None,
    ) -> Future[Any]:
        """Ask the client. Nothing is kept of a request that could not be sent."""
        msg_id = str(uuid.uuid4()) if msg_id is None else msg_id
        try:
            return super().send_request(method, params, callback, msg_id)
        except (TypeError, ValueError):
            self._request_futures.pop(msg_id, None)
            self._result_types.pop(msg_id, None)
            raise

    def advertised(self) -> dict[str, Any]:
        """Return the capabilities that pygls computes from the registered features, as JSON."""
        return self._converter.unstructure(self.server_capabilities)

    # LSP's own methods

    def _registered(self, method: str, params: object) -> Steps:
        """Run what was registered for a method that is also handled here."""
        handler = self._registry.features.get(method)
        if handler is not None:
            yield handler, (params,), None

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *_: object) -> Steps:
        """Cancel the other requests and close the services, then answer."""
        for task in self._running.values():
            if task is not asyncio.current_task():
                task.cancel()
        yield from self._registered(types.SHUTDOWN, None)
        yield self._session.close_services, (), None

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> Steps:
        """Keep a snapshot of the document."""
        self.documents.open(params.text_document)
        yield from self._registered(types.TEXT_DOCUMENT_DID_OPEN, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> Steps:
        """Replace the document's snapshot."""
        self.documents.change(params.text_document, params.content_changes)
        yield from self._registered(types.TEXT_DOCUMENT_DID_CHANGE, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_SAVE)
    def lsp_text_document__did_save(self, params: types.DidSaveTextDocumentParams) -> Steps:
        """Tell the listeners."""
        self.documents.save(params.text_document)
        yield from self._registered(types.TEXT_DOCUMENT_DID_SAVE, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> Steps:
        """Forget the document."""
        self.documents.close(params.text_document)
        yield from self._registered(types.TEXT_DOCUMENT_DID_CLOSE, params)

    @lsp_method(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def lsp_workspace__did_change_workspace_folders(
        self, params: types.DidChangeWorkspaceFoldersParams
    ) -> Steps:
        """Replace the set of folders."""
        self.documents.change_folders(
            added=[Folder(folder.uri, folder.name) for folder in params.event.added],
            removed=[Folder(folder.uri, folder.name) for folder in params.event.removed],
        )
        yield from self._registered(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, params)


class CoaiLanguageServer(LanguageServer):
    """pygls's server on a session of ours: what `Application.build` returns."""

    def __init__(self, session: Session) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] (pygls leaves out some types)
            session.application.name,
            session.application.version,
            protocol_cls=cast("Any", partial(CoaiProtocol, session=session)),
        )
        self.session = session
        self.coai_protocol = cast("CoaiProtocol", self.protocol)

    def feature(
        self, feature_name: str, options: object = None
    ) -> Callable[[_Registered], _Registered]:
        """Register what answers a request or reacts to a notification, with its capability."""
        return _by_name_only(super().feature(feature_name, options))

    def command(self, command_name: str) -> Callable[[_Registered], _Registered]:
        """Register what `workspace/executeCommand` runs under this name."""
        return _by_name_only(super().command(command_name))

    @property
    def documents(self) -> Documents:
        """The open documents and the workspace's folders."""
        return self.coai_protocol.documents

    @property
    def work_done_progress(self) -> WorkProgress:
        """The client's progress bars."""
        return self.coai_protocol.progress

    async def adopt(self, request: Request) -> None:
        """See `CoaiProtocol`, as for the other methods of `Endpoint`."""
        await self.coai_protocol.adopt(request)

    def handle_request(self, request: Request) -> None:
        """See `CoaiProtocol`."""
        self.coai_protocol.handle_request(request)

    def handle_notification(self, notification: Notification) -> None:
        """See `CoaiProtocol`."""
        self.coai_protocol.handle_notification(notification)

    def handle_response(self, response: Response) -> None:
        """See `CoaiProtocol`."""
        self.coai_protocol.handle_response(response)

    async def aclose(self) -> None:
        """See `CoaiProtocol`."""
        await self.coai_protocol.aclose()


def _by_name_only(
    register: Callable[[Handler], Handler],
) -> Callable[[_Registered], _Registered]:
    """Return a decorator that hides a function's annotations from pygls, but not its names."""

    def decorate(handler: _Registered) -> _Registered:
        register(partial(handler))
        return handler

    return decorate


def _document_uri(message: Mapping[str, Any]) -> str:
    """Return the URI of the document that a notification is about, or an empty string."""
    try:
        return str(message["params"]["textDocument"]["uri"])
    except (LookupError, TypeError):
        return ""


def _client_error(error: object) -> JsonRpcException:
    """Turn the client's error into an exception."""
    fields = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    code = fields.get("code")
    return JsonRpcException(
        message=str(fields.get("message", error)),
        code=code if isinstance(code, int) else ErrorCode.INTERNAL_ERROR,
        data=fields.get("data"),
    )


def _answer_to_failure(request: Request, error: BaseException) -> dict[str, Any]:
    """Return what the client is told of a handler's exception; the log is told all of it."""
    if isinstance(error, JsonRpcException):
        logger.info("%s failed: %s", request.method, error)
        return error_message(request.id, error.code, error.message, error.data)
    if isinstance(error, CoaiError):
        logger.warning("%s failed: %s", request.method, error)
        return error_message(request.id, ErrorCode.REQUEST_FAILED, str(error))
    return _answer_to_defect(request, error)


def _answer_to_defect(request: Request, error: BaseException) -> dict[str, Any]:
    """Log an exception that is a defect under an id, and return what tells the client the id."""
    error_id = secrets.token_hex(4)
    logger.error("%s failed (error %s).", request.method, error_id, exc_info=error)
    reason = f"{request.method} failed because of a defect; the log has it as error {error_id}."
    return error_message(request.id, ErrorCode.INTERNAL_ERROR, reason)
