"""What is known of each language's grammar: data in `languages/*.toml`, checked when it is read.

A file describes one grammar. `extends` names a file whose lists and queries come first; its own
are added to them, and its own single values take their place.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, Final, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coai_routing.errors import CoaiError

FOLDER: Final = Path(__file__).with_name("languages")

GRAMMARS: Final = {
    "c": "c",
    "cpp": "cpp",
    "csharp": "csharp",
    "go": "go",
    "java": "java",
    "javascript": "javascript",
    "javascriptreact": "javascript",
    "kotlin": "kotlin",
    "php": "php",
    "python": "python",
    "ruby": "ruby",
    "rust": "rust",
    "scala": "scala",
    "shellscript": "bash",
    "typescript": "typescript",
    "typescriptreact": "tsx",
}
"""The file that describes the grammar of each language, by LSP's language identifier."""


class Kind(StrEnum):
    """What a definition defines."""

    FUNCTION = "function"
    METHOD = "method"
    """A function of a class; files say `function`, the place in the tree makes it one."""
    CLASS = "class"
    INTERFACE = "interface"
    ENUM = "enum"
    TYPE = "type"
    MODULE = "module"
    IMPLEMENTATION = "implementation"
    VARIABLE = "variable"
    FIELD = "field"
    MACRO = "macro"


class LanguageFileError(CoaiError):
    """A language's file is wrong; the message names the file and the key."""

    def __init__(self, file: str, key: str, problem: str) -> None:
        super().__init__(
            f"{file}: {key}: {problem}.",
            remedy="It is a part of COAI: reinstall it, or correct the file if you changed it.",
        )


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GrammarName(_Model):
    """Where the grammar's wheel keeps it: a module, and the function that returns it."""

    module: str
    function: str = "language"
    ascii_only: bool = False
    """Whether its scanner may be given ASCII only; every other byte reads as a letter then."""


class Interpolated(_Model):
    """Strings with code in them: `f"{x}"`, `` `${x}` ``."""

    quotes: tuple[str, ...]
    open: tuple[str, ...]
    """What begins code within them, a bracket at its end."""
    prefix: str = ""
    """Letters before the quote, of which there must be one; any string if empty."""


class Lexical(_Model):
    """What is known of the text itself, for the moments in which there is no tree to ask."""

    line_comments: tuple[str, ...] = ()
    block_comments: tuple[tuple[str, str], ...] = ()
    quotes: tuple[str, ...] = ()
    """Quotes of strings that end with their line."""
    long_quotes: tuple[str, ...] = ()
    """Quotes of strings that may have several lines."""
    interpolated: tuple[Interpolated, ...] = ()
    indented: bool = False
    """Whether a block's extent is told by its indentation."""
    line_ends_statement: bool = False
    """Whether no statement goes on after its line's end, outside of brackets and blocks."""
    docstrings: bool = False
    """Whether a string that begins a body is documentation."""


class Nodes(_Model):
    """Kinds of nodes, by what they mean here."""

    comments: tuple[str, ...]
    strings: tuple[str, ...]
    """Strings, characters, regular expressions and here-documents."""
    interpolations: tuple[str, ...] = ()
    """Code within strings."""
    identifiers: tuple[str, ...]
    blocks: tuple[str, ...]
    containers: tuple[str, ...]
    """Nodes whose named children are statements, declarations or members."""
    continued: tuple[str, ...] = ()
    """Statements that can go on after a whole block, as with `else`."""
    leading: tuple[str, ...] = ()
    """What stands before a statement and belongs to it: attributes, decorators."""
    wrappers: tuple[str, ...] = ()
    """What stands around one definition and belongs to it: `export`, `template<...>`."""
    transparent: tuple[str, ...] = ()
    """Nodes that hide the rest of a name's path in a child that is no field."""


class Brackets(_Model):
    """A pair of brackets, which in some languages are words."""

    open: tuple[str, ...]
    close: str
    block: bool = False
    """Whether the closing one ends a block, and with it a statement."""
    except_in: tuple[str, ...] = ()
    """Nodes whose own children of these kinds are no brackets."""


class Definitions(_Model):
    """Nodes that define something, and where its name is."""

    nodes: tuple[str, ...]
    kind: Kind | None = None
    """What they define; None if only a value of `kinds` makes a definition of them."""
    name: tuple[str, ...] = ()
    """The fields that lead to the name, one after another; none for what has no name.

    `field?` is followed if it is there, `field*` as often as it is there, `0` is the first child.
    """
    names: tuple[str, ...] = ()
    """The nodes that can be a name; any if empty."""
    value: str = ""
    """The field of the value that is given to the name."""
    kinds: dict[str, Kind] = Field(default_factory=dict)
    """What is defined when the value, or a node on the way to the name, is one of these."""
    with_body: bool = False
    """Whether there is a definition only where there is a body."""


class Imports(_Model):
    """How a file says what it uses of others."""

    query: str
    """A query in tree-sitter's language.

    It captures `@import`, one or more `@module` whose texts are joined, and `@name`, `@alias`,
    `@star` (everything) or `@call` (the function that imports) where there is one.
    """
    separator: str = "."
    """What stands between the parts of a module's name."""
    calls: tuple[str, ...] = ()
    """Functions that import; a match that captures `@call` counts only for these."""
    itself: str = ""
    """The name that stands for the module itself."""


class LanguageSpec(_Model):
    """One language's file."""

    grammar: GrammarName
    lexical: Lexical
    nodes: Nodes
    brackets: tuple[Brackets, ...]
    definitions: tuple[Definitions, ...]
    imports: Imports
    file: str = Field(default="", exclude=True)
    """The file's name, for messages."""


def load_spec(name: str, folder: Path = FOLDER) -> LanguageSpec:
    """Read and check a language's file.

    Raises LanguageFileError that names the file and the key. Whether the kinds of nodes exist is
    checked against the grammar, by `grammars.load_grammar`.
    """
    file = f"{name}.toml"
    merged = _read(name, folder)
    try:
        return LanguageSpec.model_validate({**merged, "file": file})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise LanguageFileError(file, key, first["msg"]) from error


def _read(name: str, folder: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - not needed before the first document is parsed

    path = folder / f"{name}.toml"
    try:
        with path.open("rb") as stream:
            table = tomllib.load(stream)
    except OSError as error:
        raise LanguageFileError(path.name, "the file", f"it cannot be read ({error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LanguageFileError(path.name, "the file", f"it is not TOML ({error})") from error
    parent = table.pop("extends", None)
    if parent is None:
        return table
    if not isinstance(parent, str):
        raise LanguageFileError(path.name, "extends", "it must be a file's name")
    return _merge(_read(parent, folder), table)


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Add a file's tables to those of the file that it extends."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _merge(cast("dict[str, Any]", below), cast("dict[str, Any]", value))
        elif isinstance(below, list) and isinstance(value, list):
            merged[key] = [*cast("list[Any]", below), *cast("list[Any]", value)]
        elif isinstance(below, str) and isinstance(value, str) and "\n" in below:
            merged[key] = f"{below}\n{value}"
        else:
            merged[key] = value
    return merged
