"""The answer to `initialize`, computed without pygls.

Importing pygls and lsprotocol costs several hundred milliseconds, nearly all of it for classes
that `initialize` does not need. So the answer is made here from the client's raw capabilities,
and pygls is imported after it was sent. A test holds that pygls would have answered the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POSITION_ENCODINGS = ("utf-8", "utf-16", "utf-32")
"""What positions can be counted in: bytes, UTF-16 code units, code points."""

DEFAULT_POSITION_ENCODING = "utf-16"
"""What the protocol has a client use that offers nothing."""

_INCREMENTAL = 2


class InvalidInitializeError(Exception):
    """The `initialize` request is none; the message says why."""


def _is_object(candidate: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(candidate, dict)


def client_capabilities(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the client's capabilities as they stand in an `initialize` request.

    Raises `InvalidInitializeError` if the request cannot be one.
    """
    params = message.get("params")
    if not _is_object(params):
        raise InvalidInitializeError("initialize needs params, an object.")
    capabilities = params.get("capabilities")
    if not _is_object(capabilities):
        raise InvalidInitializeError("initialize needs the client's capabilities, an object.")
    process_id: object = params.get("processId")
    if process_id is not None and type(process_id) is not int:
        raise InvalidInitializeError("processId is neither an integer nor null.")
    return capabilities


def negotiate_position_encoding(capabilities: Mapping[str, Any]) -> str:
    """Return the first encoding the client offers that is known here, in the client's order."""
    general = capabilities.get("general")
    offered = general.get("positionEncodings") if _is_object(general) else None
    if isinstance(offered, list):
        for encoding in cast("list[object]", offered):
            if encoding in POSITION_ENCODINGS:
                return cast("str", encoding)
    return DEFAULT_POSITION_ENCODING


def initialize_answer(
    capabilities: Mapping[str, Any],
    *,
    name: str,
    version: str,
    commands: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an `InitializeResult` for a client of these raw capabilities.

    `extra` is added to the server's capabilities as it is, key by key, and wins.
    """
    server: dict[str, Any] = {
        "positionEncoding": negotiate_position_encoding(capabilities),
        "textDocumentSync": {
            "openClose": True,
            "change": _INCREMENTAL,
            "save": {"includeText": False},
        },
        "inlineCompletionProvider": {},
        "executeCommandProvider": {"commands": list(commands)},
        "workspace": {"workspaceFolders": {"supported": True, "changeNotifications": True}},
        **(extra or {}),
    }
    return {"capabilities": server, "serverInfo": {"name": name, "version": version}}
