"""Turning the client's JSON into lsprotocol's types, with faults that say where they are."""

from __future__ import annotations

import copy
import logging
import re
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from cattrs import transform_error
from lsprotocol import types

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cattrs import Converter

    from coai_server.lsp.enums import EnumReader

logger = logging.getLogger(__name__)

Params: TypeAlias = Any
"""A method's params: of lsprotocol's type for methods that LSP defines, else plain JSON."""

_Message = TypeVar("_Message")

_SHOWN_FAULTS = 3
"""So many of the things wrong with a message are named."""

_PATH_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")

_DEPTH_OF_PARAMS = 1


class UndecodableError(Exception):
    """A message does not have the shape that LSP gives its method; the text says where."""


def decode(
    converter: Converter, message: Mapping[str, Any], message_type: type[_Message]
) -> _Message:
    """Return a message as lsprotocol's type, or raise `UndecodableError`."""
    try:
        return converter.structure(message, message_type)
    # lsprotocol's hooks raise whatever an unexpected value makes them stumble over.
    except Exception as error:
        faults = transform_error(error, path="message")
        raise UndecodableError("; ".join(faults[:_SHOWN_FAULTS])) from error


def decode_params(converter: Converter, method: str, message: Mapping[str, Any]) -> Params:
    """Return the params of a request or notification, or raise `UndecodableError`."""
    if method not in types.METHOD_TO_TYPES:
        return message.get("params")
    message_type = cast("type[Any]", types.METHOD_TO_TYPES[method][0])
    return decode(converter, message, message_type).params


def decode_initialize(
    converter: Converter, enums: EnumReader, message: Mapping[str, Any]
) -> types.InitializeParams:
    """Return what can be decoded of an `initialize` request; the rest is logged and left out.

    A newer client names things that lsprotocol does not know, a symbol kind say, and lsprotocol
    then refuses the whole of the message. Raises `UndecodableError` if too little remains.
    """
    kept = copy.deepcopy(dict(message))
    while True:
        try:
            with enums.strictly():
                return converter.structure(kept, types.InitializeRequest).params
        except Exception as error:
            fault = transform_error(error, path="message")[0]
            if not prune(kept, fault.rpartition(" @ ")[2]):
                raise UndecodableError(fault) from error
            logger.warning("Ignored a part of initialize: %s", fault)


def prune(message: dict[str, Any], path: str) -> bool:
    """Take out of a message what cattrs' `path` points at, or the deepest part of it there is.

    Return False, leaving the message as it is, if that would be all of its params or of the
    client's capabilities.
    """
    parent: object = None
    place: object = message
    steps: list[str | int] = []
    for name, index in _PATH_STEP.findall(path):
        step: str | int = int(index) if index else _camel_case(name)
        inner = _inside(place, step)
        if inner is None:
            break
        parent, place = place, inner[0]
        steps.append(step)
    if len(steps) <= _DEPTH_OF_PARAMS or steps[_DEPTH_OF_PARAMS:] == ["capabilities"]:
        return False
    del cast("dict[str | int, object]", parent)[steps[-1]]
    return True


def _inside(place: object, step: str | int) -> tuple[object] | None:
    """Return what is found in an object or array, in a tuple because it may be None."""
    if isinstance(place, dict):
        fields = cast("dict[str | int, object]", place)
        return (fields[step],) if step in fields else None
    if isinstance(place, list) and isinstance(step, int):
        items = cast("list[object]", place)
        return (items[step],) if step < len(items) else None
    return None


def _camel_case(name: str) -> str:
    """Turn lsprotocol's name of an attribute into LSP's."""
    first, *others = name.strip("_").split("_")
    return first + "".join(word.capitalize() for word in others)
