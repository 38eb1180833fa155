"""What a tool is, and what it works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from coai_agents.tools.errors import ToolError
from coai_agents.workflows.definition.types import ANY, NUMBER, TEXT, Json, Type, is_list

if TYPE_CHECKING:
    from coai_agents.tools.workspace import Folder
    from coai_agents.workflows.definition.known import Signature

TEXTS: Final = Type("list", item=TEXT)
LIST: Final = Type("list", item=ANY)

MOST_FOUND: Final = 200
"""Things that a tool which looks for them gives at most."""


class Web(Protocol):
    """The web as the user lets tools see it."""

    async def search(self, words: str, *, most: int) -> list[Json]:
        """Return {title, url, text} of what was found; raises `ToolError`."""
        ...

    async def fetch(self, url: str) -> Json:
        """Return {url, kind, text} of a page; raises `ToolError`."""
        ...


@dataclass(frozen=True)
class Bench:
    """What tools work with."""

    folder: Folder
    test_command: str = ""
    """The user's own, from the command line and from nowhere else."""
    web: Web | None = None
    """None where the user has not switched it on."""


Given: TypeAlias = Mapping[str, Json]
Use: TypeAlias = Callable[[Given, Bench], "Json | Awaitable[Json]"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: what it takes and gives, its effect, and how it is used.

    `use` is called in a thread, unless it is a coroutine function; it raises `ToolError`.
    """

    signature: Signature
    use: Use


def text_of(given: Given, name: str, default: str = "") -> str:
    """Return an argument that is a text; raises `ToolError`."""
    value = given.get(name, default)
    if not isinstance(value, str):
        raise ToolError(f"{name} has to be a text.")
    return value


def number_of(given: Given, name: str, default: int, most: int) -> int:
    """Return an argument that is a whole number from 1 to `most`; raises `ToolError`."""
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= most:
        raise ToolError(f"{name} has to be a number from 1 to {most}.")
    return int(value)


def list_of(value: Json) -> list[Json]:
    """Return a list; raises `ToolError` for what is none."""
    if not is_list(value):
        raise ToolError("A list was expected.")
    return value


def fields(**types: Type) -> Type:
    """Return the type of an object with these fields."""
    return Type("object", fields=tuple(types.items()))


PLACE: Final = {"path": TEXT, "line": NUMBER}
