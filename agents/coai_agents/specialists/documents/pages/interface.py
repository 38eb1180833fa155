"""How a program is used from outside, as its code shows it: where it begins, options, variables."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path, PurePosixPath
from string import Template
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from coai_agents.specialists.documentation.reading import read
from coai_agents.specialists.documents.pages.page import Entry
from coai_agents.specialists.documents.symbols import module_of
from coai_agents.specialists.documents.syntax import call_of, string_of, walk
from coai_agents.syntax.definitions import FUNCTIONS, outline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.specialists.documents.syntax import Call
    from coai_agents.syntax.tree import SyntaxTree

KNOWN: Final = Path(__file__).with_name("interface.toml")

_TESTS: Final = re.compile(
    r"(?:^|/)(?:tests?|__tests__|spec|fixtures|testdata)/|(?:^|/)test_|_test\."
)


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    languages: frozenset[str]


class Option(_Data):
    """A call that declares an option."""

    calls: frozenset[str]
    receiver: str = ""
    help: str = ""
    help_at: int = -1
    name_at: int = 0
    prefix: str = ""


class Variable(_Data):
    """How code reads a variable of its environment."""

    pattern: re.Pattern[str]


class Beginning(_Data):
    """How code shows that a program begins in its file."""

    pattern: re.Pattern[str]
    run: str


@cache
def _known() -> tuple[tuple[Option, ...], tuple[Variable, ...], tuple[Beginning, ...]]:
    table = tomllib.loads(KNOWN.read_text(encoding="utf-8"))
    return (
        tuple(Option(**each) for each in table["options"]),
        tuple(Variable(**each) for each in table["environment"]),
        tuple(Beginning(**each) for each in table["entries"]),
    )


def is_of_tests(path: str) -> bool:
    """Say whether a file is one of tests, by its name."""
    return bool(_TESTS.search(path))


def options_in(tree: SyntaxTree, path: str) -> Iterator[Entry]:
    """Yield the options that a file's code declares, with the words that it gives them."""
    known = [each for each in _known()[0] if tree.source.language in each.languages]
    for node in walk(tree.root) if known else ():
        call = call_of(tree, node)
        if call is None:
            continue
        for option in known:
            names = _names(tree, call, option)
            if names:
                line = node.start_point[0] + 1
                yield Entry(", ".join(names), _help(tree, call, option), f"{path}:{line}")
                break


def _names(tree: SyntaxTree, call: Call, option: Option) -> list[str]:
    if call.name not in option.calls:
        return []
    if option.receiver and (call.receiver is None or tree.text(call.receiver) != option.receiver):
        return []
    given = call.arguments[option.name_at :]
    if option.help_at >= 0:
        given = given[:1]
    texts = [text for each in given if (text := string_of(tree, each, {}))]
    named = [each for each in texts if re.match(r"^(?:-|<|\[|[A-Za-z])[^\n]{0,80}$", each)]
    return [f"{option.prefix}{each}" for each in named]


def _help(tree: SyntaxTree, call: Call, option: Option) -> str:
    node = call.keywords.get(option.help) if option.help else None
    if node is None and option.help_at >= 0:
        node = call.argument(option.help_at)
    return " ".join((string_of(tree, node, {}) or "").split())


def variables_in(tree: SyntaxTree, path: str) -> Iterator[Entry]:
    """Yield the environment variables that a file's code reads; what a comment says is none."""
    text = tree.source.text
    for variable in _known()[1]:
        if tree.source.language not in variable.languages:
            continue
        for match in variable.pattern.finditer(text):
            groups = match.groupdict()
            name = groups["name"] or groups.get("quoted") or ""
            if not _is_code(tree, match.start()):
                continue
            default = groups.get("default")
            said = "" if default is None else f"Without it: `{default.replace('`', chr(39))}`."
            yield Entry(name, said, f"{path}:{tree.source.line_at(match.start()) + 1}")


def entries_in(tree: SyntaxTree, path: str) -> Iterator[Entry]:
    """Yield how the program that begins in a file is started, and what the file says of itself."""
    for each in _known()[2]:
        if tree.source.language in each.languages:
            match = each.pattern.search(tree.source.text)
            if match is not None and (match[0].startswith("#!") or _is_code(tree, match.start())):
                folder = PurePosixPath(path).parent.as_posix()
                run = Template(each.run).substitute(path=path, folder=folder)
                yield Entry(run or path, _says(tree), path)
                return


def _says(tree: SyntaxTree) -> str:
    """Return what a file says of itself, or of its main function."""
    said = module_of(tree, "").comment.summary
    for each in () if said else outline(tree):
        if each.kind in FUNCTIONS and each.name.lower() == "main" and each.documentation:
            return read(tree.source.slice(each.documentation)).summary
    return said


def _is_code(tree: SyntaxTree, offset: int) -> bool:
    """Say whether a place is neither in a comment nor in a text."""
    start = offset + len(tree.source.text[offset:]) - len(tree.source.text[offset:].lstrip())
    leaf = tree.leaf_after(start)
    types = tree.grammar.comments | tree.grammar.strings
    node = leaf
    while node is not None:
        if node.type in types:
            return False
        node = node.parent
    return True
