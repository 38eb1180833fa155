"""Examples that a project has already: in its readme, its documentation comments and its tests.

Each is parsed before it is shown. What was found runs nothing: whether an example is run as well is
the user's to say, with a command of the user's own.
"""

from __future__ import annotations

import doctest
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.source import Source, normal_language
from coai_agents.specialists.documentation.reading import bare
from coai_agents.specialists.documents.syntax import walk
from coai_agents.syntax.language import GRAMMARS
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from coai_agents.syntax.tree import SyntaxTree

MOST_CHARACTERS: Final = 2_000
"""Of an example: a longer one is no example any more."""

_FENCED: Final = re.compile(
    r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\n]*)\n"
    r"(?P<code>.*?)^[ \t]*(?P=fence)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_TAGGED: Final = re.compile(r"^@example\b[ \t]*(?P<code>.*?)(?=^@\w|\Z)", re.MULTILINE | re.DOTALL)
_JAVASCRIPT: Final = frozenset({"javascript", "javascriptreact", "typescript", "typescriptreact"})

_ASSERTED: Final = {
    "python": (r"assert (?P<call>[A-Za-z_].*\)) == (?P<gives>.+)",),
    "ruby": (
        r"assert_equal (?P<gives>.+?), (?P<call>[A-Za-z_][\w.]*\(.*\))",
        r"expect\((?P<call>[A-Za-z_].*\))\)\.to eq[( ]\s*(?P<gives>.+?)\)?",
    ),
    "php": (r"\$this->assert(?:Same|Equals)\((?P<gives>.+?), (?P<call>[A-Za-z_].*\))\);",),
    "java": (r"assertEquals\((?P<gives>.+?), (?P<call>[A-Za-z_][\w.]*\(.*\))\);",),
    "csharp": (r"Assert\.Equal\((?P<gives>.+?), (?P<call>[A-Za-z_][\w.]*\(.*\))\);",),
    "rust": (r"assert_eq!\((?P<call>[A-Za-z_][\w:]*\(.*\)), (?P<gives>.+)\);",),
    **dict.fromkeys(
        _JAVASCRIPT,
        (
            r"expect\((?P<call>[A-Za-z_].*\))\)\.to(?:Be|Equal|StrictEqual)\((?P<gives>.+)\);?",
            (
                r"assert\.(?:(?:deepS|s)trict|deep)?[eE]qual"
                r"\((?P<call>[A-Za-z_].*\)), (?P<gives>.+)\);?"
            ),
        ),
    ),
}
"""What a line of a test compares, by language."""

_NAMES: Final = frozenset(
    {"identifier", "constant", "variable_name", "shorthand_property_identifier"}
)


@dataclass(frozen=True, slots=True)
class Example:
    """A piece of code that shows how something is used."""

    language: str
    code: str
    place: str
    """Where it stands, or how it was made."""
    gives: str = ""
    """What the place says that comes of it."""
    program: str = ""
    """What is run to try it: it fails where something else comes of it. Empty: the code itself."""


def fenced_in(text: str, path: str, language: str = "", line: int = 0) -> Iterator[Example]:
    """Yield the fenced blocks of a text whose language has a grammar.

    `language` is that of blocks that name none.
    """
    for match in _FENCED.finditer(text):
        word = re.split(r"[\s,{]", match["info"].strip(), maxsplit=1)[0]
        named = normal_language(word) if word else language
        code = _moved(match["code"], len(match["indent"]))
        at = line + text.count("\n", 0, match.start("code")) + 1
        if named in GRAMMARS and named != "shellscript":
            yield from _kept(Example(named, code.rstrip(), f"{path}:{at}"))


def _moved(code: str, margin: int) -> str:
    """Return code without the margin of the block that it stands in."""
    return "\n".join(
        line[min(margin, len(line) - len(line.lstrip())) :] for line in code.splitlines()
    )


def documented(
    comment: str, language: str, path: str, line: int, imported: str
) -> Iterator[Example]:
    """Yield the examples of a documentation comment, which stands from a line, from 1, on.

    `imported` is the statement by which the code of another file gets at what it is about.
    """
    text = bare(comment)
    if language == "python" and ">>>" in text:
        yield from _sessions(text, path, line, imported)
    yield from fenced_in(text, path, language, line - 1)
    if language in _JAVASCRIPT:
        for match in _TAGGED.finditer(text):
            code = match["code"].strip()
            if code and "```" not in code:
                yield from _kept(Example(language, code, f"{path}:{line}"))


def _sessions(text: str, path: str, line: int, imported: str) -> Iterator[Example]:
    """Yield Python's examples of its prompt; those without words between them are one."""
    try:
        parts = doctest.DocTestParser().parse(text)
    except ValueError:
        return
    session: list[doctest.Example] = []
    for each in (*parts, "end"):
        if isinstance(each, doctest.Example):
            session.append(each)
        elif each.strip() and session:
            yield from _kept(_session(session, path, line, imported))
            session = []


def _session(parts: list[doctest.Example], path: str, line: int, imported: str) -> Example:
    code = "".join(each.source for each in parts).rstrip()
    text = "".join(
        ">>> " + "... ".join(each.source.splitlines(keepends=True)) + each.want for each in parts
    )
    whole = f">>> {imported}\n{text}" if imported else text
    program = (
        "import doctest\n"
        f"_text = {whole!r}\n"
        "_found = doctest.DocTestParser().get_doctest(_text, {}, 'example', None, 0)\n"
        "raise SystemExit(bool(doctest.DocTestRunner(verbose=False).run(_found).failed))\n"
    )
    gives = parts[-1].want.rstrip()
    return Example("python", code, f"{path}:{line + parts[0].lineno}", gives, program)


def asserted(tree: SyntaxTree, path: str, known: Iterable[str]) -> Iterator[tuple[str, Example]]:
    """Yield what lines of tests call with what result: the name that is called, and the example.

    Only calls that need nothing but what is `known` and constants: they hold wherever they stand.
    """
    language = tree.source.language
    names = frozenset(known)
    for pattern in _ASSERTED.get(language, ()):
        for match in re.finditer(rf"^[ \t]*{pattern}[ \t]*$", tree.source.text, re.MULTILINE):
            call, gives = match["call"], match["gives"]
            used = _used(call, language)
            called = re.match(r"[\w.:]+", call)
            if called is None or used is None or _used(gives, language) != set():
                continue
            name = re.split(r"\.|::", called[0])[-1]
            if name in names and used <= names:
                line = tree.source.line_at(match.start()) + 1
                program = match[0].strip() if language == "python" else ""
                found = Example(language, call, f"{path}:{line}", gives, program)
                yield from ((name, each) for each in _kept(found))


def _used(code: str, language: str) -> set[str] | None:
    """Return the names that an expression uses; None where it is none."""
    tree = parse(Source("untitled:expression", wrapped(code, language), language))
    if tree is None or tree.has_error:
        return None
    skipped = {"Main", "main", "f"} if wrapped(code, language) != code else set[str]()
    return {tree.text(node) for node in walk(tree.root) if node.type in _NAMES} - skipped


def wrapped(code: str, language: str) -> str:
    """Return statements as a whole file, where the language has none outside of functions."""
    if language == "php" and "<?php" not in code:
        return f"<?php\n{code.rstrip(';')};"
    if language in {"java", "csharp"}:
        return f"class Main {{ void f() {{ {code.rstrip(';')}; }} }}"
    if language in {"rust", "kotlin"}:
        return f"fn f() {{ {code} }}" if language == "rust" else f"fun f() {{ {code} }}"
    if language == "go":
        return f"package main\nfunc main() {{\n{code}\n}}"
    return code


def _kept(example: Example) -> Iterator[Example]:
    """Yield an example that parses, as it stands or as the statements of a function."""
    if not example.code.strip() or len(example.code) > MOST_CHARACTERS:
        return
    for code in dict.fromkeys((example.code, wrapped(example.code, example.language))):
        tree = parse(Source("untitled:example", code, example.language))
        if tree is not None and not tree.has_error:
            yield example
            return
