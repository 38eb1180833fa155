"""What is known of web frameworks: `frameworks.toml` as values."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

KNOWN: Final = Path(__file__).with_name("frameworks.toml")


class Framework(BaseModel):
    """How one framework registers routes; the file says what each key means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    languages: frozenset[str]
    form: Literal["decorator", "call", "annotation", "own"]
    """`own`: what is special of it has a module of its own."""
    constructors: dict[str, str]
    types: frozenset[str] = frozenset()
    verbs: frozenset[str] = frozenset()
    any: frozenset[str] = frozenset()
    """Methods that register a route for every HTTP method."""
    route: frozenset[str] = frozenset()
    """Methods or annotations whose HTTP methods are a keyword."""
    handle: frozenset[str] = frozenset()
    """Methods that take the HTTP method as their first argument."""
    adders: dict[str, str] = {}
    """Methods that take the handler as an argument; the value is its keyword."""
    groups: frozenset[str] = frozenset()
    """Methods that return something with a longer prefix."""
    path_groups: frozenset[str] = frozenset()
    """The same, but the path is whole: the methods of what is returned take none."""
    chained: frozenset[str] = frozenset()
    """Methods that return what they were called on, beside those that register routes."""
    mounts: dict[str, str] = {}
    """Methods that put one thing below another; the value is the prefix's keyword, or nothing where
    the prefix is the first argument."""
    prefixing: frozenset[str] = frozenset()
    """Methods that put a prefix before all that is registered at what they are called on."""
    plugins: frozenset[str] = frozenset()
    """Methods that hand what they are called on to a function, as its first parameter."""
    named: frozenset[str] = frozenset()
    """What such a parameter is called where the file does not show who calls."""
    objects: frozenset[str] = frozenset()
    """Methods that take all of a route as an object with `method`, `url` and `handler`."""
    mount_replaces: bool = False
    """Whether a mount's prefix stands instead of the one that the router was made with."""
    parameter: re.Pattern[str]
    optional: re.Pattern[str] | None = None
    parameter_types: dict[str, dict[str, Any]]
    typed_handlers: bool = False
    """Whether a handler's declared parameters say what the request has."""
    package: str = ""
    controllers: frozenset[str] = frozenset()
    annotations: dict[str, str] = {}


@cache
def frameworks() -> tuple[Framework, ...]:
    """Return all frameworks that are known."""
    tables = tomllib.loads(KNOWN.read_text(encoding="utf-8"))
    return tuple(Framework(name=name, **table) for name, table in tables.items())
