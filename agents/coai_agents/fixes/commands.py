"""Commands that a shell reads, turned into a program and its list of arguments."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Final

from coai_agents.fixes.pieces import built, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.fixes.site import Site
    from coai_agents.source import Edit

_SHELL: Final = re.compile(r"[|&;<>$`*?~(){}\[\]\\#!\n]")
"""What only a shell understands."""

_PYTHON_RUNS: Final = frozenset({"run", "call", "check_call", "check_output", "Popen"})


def words_of(site: Site, command: Node) -> list[list[str]] | None:
    """Return the words of a command, each in its parts: text as JSON, values as they are written.

    None if the command needs a shell: quotes that hold values, pipes, patterns, variables.
    """
    there = built(site, command)
    if there is None:
        return None
    text = text_of(site, there)
    if _SHELL.search(text):
        return None
    try:
        words = shlex.split(text)
    except ValueError:
        return None
    values = [site.text(part.value) for part in there.parts if part.value is not None]
    if any(value[:1] in "\"'" for value in values):
        return None
    # A value in quotes or next to text is one word with it; one on its own is one word.
    found: list[list[str]] = []
    for word in words:
        parts: list[str] = []
        for piece in re.split("(\0)", word):
            if piece == "\0":
                parts.append(values.pop(0))
            elif piece:
                parts.append(json.dumps(piece, ensure_ascii=False))
        found.append(parts)
    starts = found and found[0][0].startswith('"')
    return found if starts and len(found[0]) == 1 else None


def _python_word(parts: list[str], quote: str) -> str:
    words = [_quoted(part, quote) for part in parts]
    if len(words) == 1:
        return words[0]
    return " + ".join(word if word[0] in "\"'" else f"str({word})" for word in words)


def _quoted(part: str, quote: str) -> str:
    if part[0] != '"' or quote == '"' or "'" in part or "\\" in part:
        return part
    return f"'{part[1:-1]}'"


def python_list(site: Site) -> Iterator[list[Edit]]:
    """Call `subprocess` with a list and without a shell."""
    call = site.call
    if call is None:
        return
    shell = site.keyword(call, "shell")
    callee = site.callee(call)
    command = site.argument(call, 0)
    if command is None or callee.rsplit(".", 1)[-1] not in _PYTHON_RUNS:
        return
    if shell is None or site.text(shell.child_by_field_name("value")) != "True":
        return
    off = site.replaced(shell, "shell=False")
    value = site.only_value(command) or command
    words = words_of(site, value)
    if words is not None:
        quote = "'" if "'" in site.text(value)[:3] else '"'
        listed = ", ".join(_python_word(parts, quote) for parts in words)
        inner = value
        if value.type == "parenthesized_expression" and value.named_child_count == 1:
            inner = value.named_children[0]
        if not _commented(site, inner):
            yield [site.replaced(inner, f"[{listed}]"), off]


def _commented(site: Site, node: Node) -> bool:
    return any(mark in site.text(node) for mark in ("#", "//", "/*"))


def python_system(site: Site) -> Iterator[list[Edit]]:
    """Call `subprocess.call` with a list where the answer of `os.system` is not looked at."""
    call = site.call
    if call is None or site.callee(call) != "os.system" or len(site.arguments(call)) != 1:
        return
    parent = call.parent
    command = site.argument(call, 0)
    function = call.child_by_field_name("function")
    if parent is None or parent.type != "expression_statement" or command is None:
        return
    words = words_of(site, command)
    if words is not None and function is not None and not _commented(site, command):
        quote = "'" if "'" in site.text(command)[:3] else '"'
        listed = ", ".join(_python_word(parts, quote) for parts in words)
        yield [
            site.replaced(function, "subprocess.call"),
            site.replaced(command, f"[{listed}], shell=False"),
        ]


_ECMASCRIPT: Final = {"exec": "execFile", "execSync": "execFileSync"}


def ecmascript_list(site: Site) -> Iterator[list[Edit]]:
    """Call `execFile` with a list where `exec` had a shell."""
    call = site.call
    command = None if call is None else site.argument(call, 0)
    function = None if call is None else call.child_by_field_name("function")
    if command is None or function is None or function.type != "member_expression":
        return
    name = function.child_by_field_name("property")
    put = _ECMASCRIPT.get(site.text(name), "")
    words = words_of(site, command)
    if name is None or not put or words is None or _commented(site, command):
        return
    program, *more = [" + ".join(parts) for parts in words]
    yield [site.replaced(name, put), site.replaced(command, f"{program}, [{', '.join(more)}]")]
