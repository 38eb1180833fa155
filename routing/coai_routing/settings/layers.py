"""One layer of settings: what one file, the environment, an editor or a command line says.

Every value is checked by itself. A wrong one becomes a `Problem` and is left out, so that the layer
below shows through, and everything else of the layer counts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import SecretStr, ValidationError

from coai_routing.settings.fields import Branch, Entries, Leaf, dotted, leaves, settings_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coai_routing.settings.fields import KeyPath, Node

LONGEST_ECHO = 60
"""Characters of a wrong value that a problem repeats."""


class Layer(IntEnum):
    """Where settings come from; a greater one wins."""

    DEFAULT = 0
    USER = 1
    PROJECT = 2
    ENVIRONMENT = 3
    CLIENT = 4
    COMMAND_LINE = 5

    @property
    def label(self) -> str:
        """The layer in words."""
        return _LABELS[self]


_LABELS = {
    Layer.DEFAULT: "default",
    Layer.USER: "user file",
    Layer.PROJECT: "project file",
    Layer.ENVIRONMENT: "environment",
    Layer.CLIENT: "editor",
    Layer.COMMAND_LINE: "command line",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value stands."""

    layer: Layer
    file: Path | None = None
    line: int | None = None
    variable: str | None = None
    """The environment variable, where it is one."""

    def describe(self) -> str:
        """Return the place in words, such as `user file ~/.config/coai/config.toml:12`."""
        parts = [self.layer.label]
        if self.file is not None:
            line = f":{self.line}" if self.line is not None else ""
            parts.append(f"{short_path(self.file)}{line}")
        elif self.variable is not None:
            parts.append(f"variable {self.variable}")
        return " ".join(parts)


DEFAULT_ORIGIN = Origin(Layer.DEFAULT)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the user's settings that does not count, and why."""

    key: str
    """The setting, such as `completion.max_tokens`, or empty for a whole file."""
    message: str
    origin: Origin

    @property
    def file(self) -> Path | None:
        """The file that it stands in, if it is in one."""
        return self.origin.file

    @property
    def line(self) -> int | None:
        """The line of the file, from 1, if it is known."""
        return self.origin.line

    def __str__(self) -> str:
        """Return place, key and message on one line."""
        return ": ".join(part for part in (self.origin.describe(), self.key, self.message) if part)


@dataclass(frozen=True, slots=True)
class Assigned:
    """A value that passed its check, and where it was set."""

    value: Any
    origin: Origin


@dataclass(frozen=True)
class RawLayer:
    """What a layer says before it is checked."""

    values: Mapping[str, Any]
    place: Callable[[KeyPath], Origin]
    """Where the value under a key stands, the key spelled as in `values`."""
    trusted: bool = True
    """Whether it may set everything, or is a project's and may only narrow."""
    remote: bool = False
    """Whether whoever says it came over a network, and may name no file, server or variable."""
    is_text: bool = False
    """Whether values are text that is still to be read, as in the environment."""


@dataclass
class CheckedLayer:
    """What counts of a layer, and what does not."""

    values: dict[KeyPath, Assigned] = field(default_factory=dict["KeyPath", Assigned])
    problems: list[Problem] = field(default_factory=list[Problem])
    entries: dict[KeyPath, Origin] = field(default_factory=dict["KeyPath", Origin])
    """Where each entry of a map of sections is declared, even if it sets nothing."""


def check_layer(raw: RawLayer) -> CheckedLayer:
    """Check each value of a layer by itself; raise nothing for what it says."""
    check = _Check(raw)
    check.node(settings_tree(), raw.values, (), ())
    return check.checked


class _Check:
    """Walks a layer along the tree of settings."""

    def __init__(self, raw: RawLayer) -> None:
        self._raw = raw
        self.checked = CheckedLayer()

    def node(self, node: Node, value: object, path: KeyPath, spelled: KeyPath) -> None:
        """Check a value against a node; `spelled` is its path as the layer writes it."""
        if value is None:
            return  # An editor's way to say that a setting is not set.
        match node:
            case Leaf():
                self._leaf(node, value, path, spelled)
            case Branch():
                self._branch(node, value, path, spelled)
            case Entries():
                self._entries(node, value, path, spelled)

    def _branch(self, branch: Branch, value: object, path: KeyPath, spelled: KeyPath) -> None:
        table = _table(value)
        if table is None:
            self._wrong(path, spelled, "a table of settings", value, discreet=True)
            return
        for key, held in table.items():
            name = branch.name_of(key, any_case=self._raw.is_text)
            head, dot, rest = key.partition(".")
            if name is not None:
                self.node(branch.children[name], held, (*path, name), (*spelled, key))
            elif dot and (name := branch.name_of(head, any_case=self._raw.is_text)):
                # The way in which many editors write a setting: "completion.maxTokens".
                self.node(branch.children[name], {rest: held}, (*path, name), (*spelled, key))
            else:
                self._unknown(branch, key, path, spelled)

    def _entries(self, entries: Entries, value: object, path: KeyPath, spelled: KeyPath) -> None:
        table = _table(value)
        if table is None:
            self._wrong(path, spelled, entries.expected, value, discreet=True)
            return
        for name, held in table.items():
            try:
                entries.name.adapter.validate_python(name)
            except ValidationError:
                self._wrong(path, (*spelled, name), entries.name.expected, name, discreet=False)
                continue
            if isinstance(entries.entry, Branch) and _table(held) is not None:
                self.checked.entries[*path, name] = self._raw.place((*spelled, name))
            self.node(entries.entry, held, (*path, name), (*spelled, name))

    def _leaf(self, leaf: Leaf, value: object, path: KeyPath, spelled: KeyPath) -> None:
        if not self._raw.trusted and leaf.narrowing is None:
            self._problem(
                path,
                spelled,
                "a project file may not set this, as it comes with the code; "
                "set it in your user file",
            )
            return
        if self._raw.remote and leaf.names_place:
            self._problem(
                path,
                spelled,
                "a client that came over TCP may not set this, as it names a file, a server or a "
                "variable; set it in your user file",
            )
            return
        if path in self.checked.values:
            first = self.checked.values[path].origin.describe()
            self._problem(path, spelled, f"is set twice; what counts is in {first}")
            return
        if self._raw.is_text and leaf.is_list and isinstance(value, str):
            value = _list_in(value)
        try:
            checked = self._validated(leaf, value)
        except (ValidationError, TypeError, ValueError, RecursionError) as error:
            checked = self._salvaged(leaf, value, error, path, spelled)
        if checked is not None:
            self.checked.values[path] = Assigned(checked, self._raw.place(spelled))

    def _validated(self, leaf: Leaf, value: object) -> object:
        """Return a value as its type says; raise one of several errors if it is not of it."""
        if leaf.secret and isinstance(value, SecretStr):
            return value
        if self._raw.is_text and isinstance(value, str):
            return leaf.adapter.validate_strings(value)
        # By way of JSON: strict about numbers and switches, and lists and paths are no trouble.
        return leaf.adapter.validate_json(json.dumps(value, default=_plain), strict=True)

    def _salvaged(
        self, leaf: Leaf, value: object, error: Exception, path: KeyPath, spelled: KeyPath
    ) -> object:
        """Report a wrong value, and return what of a list is right, or None.

        One bad pattern in a list of exclusions must not let in what the others keep out.
        """
        places = error.errors() if isinstance(error, ValidationError) else []
        wrong = {place["loc"][0] for place in places if place["loc"]}
        if not leaf.is_list or not wrong:
            self._wrong(path, spelled, leaf.expected, value, discreet=leaf.discreet)
            return None
        right: list[object] = []
        for index, item in enumerate(cast("list[object]", value)):
            if index not in wrong:
                right.append(item)
                continue
            got = describe(item, discreet=leaf.discreet)
            self._problem(path, spelled, f"expected {leaf.expected}, got {got} in it")
        return self._validated(leaf, right) if right else None

    def _unknown(self, branch: Branch, key: str, path: KeyPath, spelled: KeyPath) -> None:
        guess = _closest(branch, key)
        hint = f"; did you mean {guess}?" if guess else ""
        self._problem((*path, key[:LONGEST_ECHO]), (*spelled, key), f"is not a setting{hint}")

    def _wrong(
        self, path: KeyPath, spelled: KeyPath, expected: str, value: object, *, discreet: bool
    ) -> None:
        got = describe(value, discreet=discreet)
        self._problem(path, spelled, f"expected {expected}, got {got}")

    def _problem(self, path: KeyPath, spelled: KeyPath, message: str) -> None:
        self.checked.problems.append(Problem(dotted(path), message, self._raw.place(spelled)))


def _table(value: object) -> Mapping[str, Any] | None:
    """Return a value if it is a table whose keys are text."""
    if not isinstance(value, dict):
        return None
    table = cast("dict[object, Any]", value)
    if not all(isinstance(key, str) for key in table):
        return None
    return cast("dict[str, Any]", table)


def _list_in(text: str) -> object:
    """Return the list that a text holds as JSON, or the text if it holds none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _plain(value: object) -> str:
    """Return what JSON has no form for but a command line may give."""
    if isinstance(value, Path):
        return str(value)
    raise TypeError(type(value).__name__)


def _closest(branch: Branch, key: str) -> str | None:
    """Return the setting that was probably meant: a similar one here, or of that name elsewhere."""
    from difflib import get_close_matches  # noqa: PLC0415 - not before something is misspelled

    if similar := get_close_matches(key, branch.names, n=1):
        return dotted((*branch.path, branch.names[similar[0]]))
    name = key.rpartition(".")[2].lower()
    return next((dotted(leaf.path) for leaf in leaves() if name == leaf.path[-1]), None)


def describe(value: object, *, discreet: bool) -> str:
    """Return a wrong value as the end of "got ...": the value itself, or only what it is."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number" if discreet else f"{value!s:.{LONGEST_ECHO}}"
        case str():
            return "text" if discreet else _echo(value)
        case dict():
            return "a table"
        case list() | tuple():
            return "a list"
        case None:
            return "nothing"
        case _:
            return f"a {type(value).__name__}"


def _echo(text: str) -> str:
    """Return text in quotes, without what a terminal would obey, and cut if it is long."""
    return json.dumps(text if len(text) <= LONGEST_ECHO else f"{text[:LONGEST_ECHO]}...")


def short_path(path: Path) -> str:
    """Return a path with the home directory as `~`."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):
        return str(path)
