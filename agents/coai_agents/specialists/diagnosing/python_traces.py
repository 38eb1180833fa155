"""Python's tracebacks: chained ones, groups, and pytest's own form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from coai_agents.specialists.diagnosing.problems import Frame, Problem, chained

Lines: TypeAlias = Sequence[str]

_TYPE: Final = r"[A-Za-z_][\w.$]*"

_PY_START: Final = "Traceback (most recent call last):"
_PY_FRAME: Final = re.compile(r'\s*File "(?P<path>[^"]+)", line (?P<line>\d+)(?:, in (?P<in>.+))?')
_PY_END: Final = re.compile(rf"(?P<kind>{_TYPE})(?:: (?P<message>.*))?")
_PY_GROUP: Final = re.compile(r"^\s*[|+] ")
_PY_MEMBER: Final = re.compile(r"\s*\+[-+]+ (?:\d+|\.\.\.) -+")
_PY_DIRECT: Final = "The above exception was the direct cause of the following exception:"
_PY_DURING: Final = "During handling of the above exception, another exception occurred:"
_PYTEST_ERROR: Final = re.compile(rf"E\s+(?P<kind>{_TYPE})(?:: (?P<message>.*))?")
_PYTEST_ASSERT: Final = re.compile(r"E\s+(?P<message>assert .*)")
_PYTEST_PLACE: Final = re.compile(
    rf"(?P<path>[^\s:][^:\n]*\.py):(?P<line>\d+): (?:(?P<kind>{_TYPE}))?"
)


def python(lines: Lines) -> Iterator[Problem]:
    """Yield the tracebacks of an output, each with its causes."""
    cleaned = [_PY_GROUP.sub("", line) for line in lines]
    earlier: list[Problem] = []
    at = 0
    while at < len(cleaned):
        line = cleaned[at]
        bare = _PY_FRAME.fullmatch(line) is not None
        if not line.endswith(_PY_START) and not bare:
            at += 1
            continue
        problem, at = _python_one(cleaned, at if bare else at + 1, at)
        if problem is None:
            continue
        if problem.kind.endswith("Group"):
            members, at = _members(lines, cleaned, at)
            yield from members[1:]
            problem = chained([problem, *members[:1]])
        earlier.insert(0, problem)
        gap = next((each for each in cleaned[at : at + 3] if each.strip()), "")
        if gap.strip() not in (_PY_DIRECT, _PY_DURING):
            yield chained(earlier)
            earlier = []
    if earlier:
        yield chained(earlier)


def _members(lines: Lines, cleaned: Lines, at: int) -> tuple[list[Problem], int]:
    """Read what an exception group holds, groups within it opened; return where it ends."""
    found: list[Problem] = []
    while at < len(lines) and lines[at].lstrip()[:1] in ("|", "+"):
        if _PY_MEMBER.fullmatch(lines[at]) is None:
            at += 1
            continue
        first = cleaned[at + 1] if at + 1 < len(cleaned) else ""
        member: Problem | None = None
        if first.endswith(_PY_START):
            member, at = _python_one(cleaned, at + 2, at + 1)
        else:
            if end := _PY_END.fullmatch(first):
                member = Problem("python", end["kind"], end["message"] or "", at=at + 1)
            at += 1
        if member is not None and not member.kind.endswith("Group"):
            found.append(member)
    return found, at


def _python_one(lines: Lines, at: int, start: int) -> tuple[Problem | None, int]:
    """Read frames and the line that says what was raised; return where it ends."""
    frames: list[Frame] = []
    while at < len(lines):
        line = lines[at]
        if frame := _PY_FRAME.fullmatch(line):
            frames.insert(0, Frame(frame["path"], int(frame["line"]), 0, frame["in"] or ""))
        elif line[:1] not in ("", " ", "\t"):
            end = _PY_END.fullmatch(line)
            if end is None:
                return None, at + 1
            message = end["message"] or ""
            return Problem("python", end["kind"], message, tuple(frames), at=start), at + 1
        elif line.endswith(_PY_START) and frames:
            return None, at
        at += 1
    return None, at


def pytest(lines: Lines) -> Iterator[Problem]:
    """Read pytest's own form: `E   Type: message`, and the frames' places below their code."""
    problem: Problem | None = None
    for at, line in enumerate(lines):
        if problem is None:
            error = _PYTEST_ERROR.fullmatch(line)
            if error is None or ("." not in error["kind"] and not _raised(error["kind"])):
                error = _PYTEST_ASSERT.fullmatch(line)
            if error is not None:
                kind = error.groupdict().get("kind") or "AssertionError"
                problem = Problem("python", kind, error["message"] or "", at=at)
        elif place := _PYTEST_PLACE.fullmatch(line.strip()):
            yield replace(problem, frames=(Frame(place["path"], int(place["line"])),))
            problem = None


def _raised(name: str) -> bool:
    return name.endswith(("Error", "Exception", "Warning", "Interrupt", "Exit", "Iteration"))
