"""What was added by mistake or left behind: conflict markers, debugging, tasks, skipped tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Severity
from coai_agents.specialists.refactoring.shapes import family
from coai_agents.specialists.reviewing.comments import Comment, at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.specialists.reviewing.diffs import FileChange, Line
    from coai_agents.syntax.tree import SyntaxTree

_CONFLICT: Final = re.compile(r"^(?:<{7}|>{7}|\|{7}) \S|^={7}$")
_TASK: Final = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
_COMMENT: Final = re.compile(r"#|//|/\*|^\s*\*|--|<!--")
_STOPS: Final = {
    "python": re.compile(r"\bbreakpoint\(\)|\bpdb\.set_trace\(|\bimport pdb\b"),
    "javascript": re.compile(r"^\s*debugger\b"),
    "ruby": re.compile(r"\bbinding\.(?:pry|irb)\b|\bbyebug\b"),
    "php": re.compile(r"\b(?:dd|xdebug_break)\("),
    "csharp": re.compile(r"\bDebugger\.(?:Break|Launch)\("),
    "go": re.compile(r"\bruntime\.Breakpoint\("),
}
_PRINTS: Final = {
    "python": re.compile(r"(?<![\w.])print\("),
    "javascript": re.compile(r"\bconsole\.(?:log|debug|dir|trace)\("),
    "java": re.compile(r"\bSystem\.(?:out|err)\.print|\.printStackTrace\(\)"),
    "go": re.compile(r"\bfmt\.Print(?:ln|f)?\(|(?<![\w.])println\("),
    "php": re.compile(r"\b(?:var_dump|print_r|var_export)\("),
    "ruby": re.compile(r"^\s*(?:p|pp|puts)\s"),
    "csharp": re.compile(r"\bConsole\.Write(?:Line)?\("),
}
_SKIPS: Final = re.compile(
    r"@pytest\.mark\.(?:skip|xfail)\b|@unittest\.skip|\bpytest\.skip\(|\b(?:it|test|describe)\.skip\(|"
    r"\bx(?:it|describe|test)\(|\b(?:it|test|describe)\.only\(|@Disabled\b|@Ignore\b|\bt\.Skip(?:Now|f)?\(|"
    r"markTestSkipped\(|\[Ignore\b|Skip\s*=\s*\""
)


def left_behind(change: FileChange) -> Iterator[Comment]:
    """Yield comments on lines that were added."""
    code = _code_lines(change.new)
    commented = _code_lines(change.new, comments=True)
    kind = family(change.source("").language)
    for line in change.added:
        plain = code.get(line.number, line.text if change.new is None else "")
        if _CONFLICT.match(line.text) and _has_conflict(change):
            yield at(
                line,
                change.path,
                "conflict-marker",
                ("A conflict was left unresolved.", "The line is one of git's markers."),
                Severity.ERROR,
            )
        said = commented.get(line.number, line.text)
        if _TASK.search(said) and not _TASK.search(plain) and _COMMENT.search(said):
            yield at(
                line,
                change.path,
                "task-added",
                ("A task is left in the code.", "The diff adds the comment."),
                Severity.INFORMATION,
            )
        yield from _debugging(change, line, plain, kind)
        if change.is_test and _SKIPS.search(line.text):
            yield at(
                line,
                change.path,
                "test-skipped",
                ("A test is skipped, or others are.", "The diff adds the mark."),
                Severity.WARNING,
            )


def _has_conflict(change: FileChange) -> bool:
    """Say whether a file has a whole conflict: `=======` alone is a heading."""
    texts = [each.text for each in change.added]
    return any(each.startswith("<<<<<<< ") for each in texts) and any(
        each.startswith(">>>>>>> ") for each in texts
    )


def _debugging(change: FileChange, line: Line, plain: str, kind: str) -> Iterator[Comment]:
    stop, print_ = _STOPS.get(kind), _PRINTS.get(kind)
    if stop is not None and stop.search(plain):
        yield at(
            line,
            change.path,
            "debugger-added",
            ("A breakpoint is left in the code.", "The diff adds the call."),
            Severity.ERROR,
        )
    elif print_ is not None and print_.search(plain) and not _prints_anyway(change, kind):
        yield at(
            line,
            change.path,
            "debug-print-added",
            (
                "A print for debugging seems to be left in the code.",
                "The diff adds it, and the file printed nothing before.",
            ),
            Severity.WARNING,
        )


def _prints_anyway(change: FileChange, kind: str) -> bool:
    """Say whether printing is what a file is for: it did before, it is a script, or a test."""
    if change.is_test or re.search(
        r"(?:^|/)(?:cli|bin|scripts?|examples?|main|cmd)(?:/|\.|$)", change.path
    ):
        return True
    before = _code_lines(change.old)
    whole = "\n".join(before.values()) if before else change.before or ""
    after = change.after or ""
    return bool(_PRINTS[kind].search(whole)) or "__main__" in after or "package main" in after


def _code_lines(tree: SyntaxTree | None, *, comments: bool = False) -> dict[int, str]:
    """Return a file's lines, from 1, without strings, and without comments unless they count."""
    if tree is None:
        return {}
    text = list(tree.source.text)
    kinds = tree.grammar.strings if comments else tree.grammar.comments | tree.grammar.strings
    waiting = [tree.root]
    while waiting:
        node = waiting.pop()
        if node.type in kinds:
            start, end = tree.start(node), tree.end(node)
            for place in range(start, end):
                if text[place] not in "\r\n":
                    text[place] = " "
            continue
        waiting.extend(node.children)
    return dict(enumerate("".join(text).splitlines(), 1))
