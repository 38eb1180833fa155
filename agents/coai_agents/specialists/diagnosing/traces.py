"""Traces of exceptions and panics, as the runtimes of the languages write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from coai_agents.specialists.diagnosing.problems import Frame, Problem, chained
from coai_agents.specialists.diagnosing.python_traces import pytest, python

Lines: TypeAlias = Sequence[str]

_TYPE: Final = r"[A-Za-z_][\w.$]*"


def traces(lines: Lines) -> Iterator[Problem]:
    """Yield what was raised, each with its causes; not in the order of the text."""
    for reader in _READERS:
        yield from reader(lines)


# ------------------------------------------------------------- JavaScript, Java

_JS_FRAME: Final = re.compile(
    r"\s+at (?:(?:async |new )*(?P<in>[^()]+?) \()?(?:file://)?"
    r"(?P<path>(?:[A-Za-z]:|node:)?[^():\s][^():]*?):(?P<line>\d+):(?P<column>\d+)\)?(?: \{)?"
)
_JS_HEAD: Final = re.compile(
    rf"(?:Uncaught (?:\(in promise\) )?)?(?P<kind>{_TYPE}(?:Error|Exception)|Error)"
    r"(?: \[\w+\])?(?:: (?P<message>.*?))?(?: \{)?"
)
_JS_CAUSE: Final = re.compile(
    rf"\s+\[cause\]: (?P<kind>{_TYPE})(?: \[\w+\])?(?:: (?P<message>.*))?"
)
_JS_PLACE: Final = re.compile(r"(?:file://)?(?P<path>\S+\.[cm]?[jt]sx?):(?P<line>\d+)")
_JVM_HEAD: Final = re.compile(
    rf"(?:Exception in thread \"[^\"]*\" |Caused by: )?(?P<kind>{_TYPE})(?:: (?P<message>.*))?"
)
_JVM_FRAME: Final = re.compile(
    r"\s+at (?:[\w.@-]+/)*(?P<in>[\w.$<>]+)"
    r"\((?P<path>[\w$]+\.(?:java|kt|scala|groovy)):(?P<line>\d+)\)"
)
_SKIPPED: Final = re.compile(r"\s+(?:at |\.\.\. \d+ more)|\s*--- End of")
_CS_HEAD: Final = re.compile(
    rf"(?:Unhandled exception\. )?(?: ?---> )?(?P<kind>{_TYPE}(?:Exception|Error))"
    r"(?:: (?P<message>.*))?"
)
_CS_FRAME: Final = re.compile(r"\s+at (?P<in>.+?\)) in (?P<path>.+?):line (?P<line>\d+)\s*")


def _javascript(lines: Lines) -> Iterator[Problem]:
    def cause(line: str) -> bool:
        return _JS_CAUSE.match(line) is not None

    for problem in _with_at(lines, _JS_FRAME, (_JS_CAUSE, _JS_HEAD), "javascript", cause):
        yield _at_header(lines, problem)


def _at_header(lines: Lines, problem: Problem) -> Problem:
    """Add the place above a SyntaxError of node's, whose trace is node's own."""
    own = [frame for frame in problem.frames if not frame.path.startswith("node:")]
    if own or not problem.kind.endswith("SyntaxError"):
        return problem
    above = [
        _JS_PLACE.fullmatch(line.strip()) for line in lines[max(0, problem.at - 6) : problem.at]
    ]
    place = next((match for match in above if match is not None), None)
    if place is None:
        return problem
    return replace(problem, frames=(Frame(place["path"], int(place["line"])), *problem.frames))


def _java(lines: Lines) -> Iterator[Problem]:
    def cause(line: str) -> bool:
        return line.startswith("Caused by: ")

    yield from _with_at(lines, _JVM_FRAME, (_JVM_HEAD,), "java", cause)


def _csharp(lines: Lines) -> Iterator[Problem]:
    """Read .NET's traces, in which inner exceptions stand above the outer one's frames."""
    heads: list[Problem] = []
    frames: list[Frame] = []
    for at, line in enumerate(lines):
        if frame := _CS_FRAME.fullmatch(line):
            frames.append(Frame(frame["path"], int(frame["line"]), 0, frame["in"]))
        elif heads and re.match(r"\s*--- End of inner", line):
            heads[-1] = replace(heads[-1], frames=heads[-1].frames or tuple(frames))
            frames = []
        elif heads and line.startswith(" --->") and (head := _CS_HEAD.fullmatch(line)):
            heads.append(Problem("csharp", head["kind"], head["message"] or "", at=at))
        elif (head := _CS_HEAD.fullmatch(line)) and not line.startswith(" "):
            yield from _finished(heads, frames)
            heads = [Problem("csharp", head["kind"], head["message"] or "", at=at)]
            frames = []
    yield from _finished(heads, frames)


def _finished(heads: list[Problem], frames: list[Frame]) -> Iterator[Problem]:
    if heads and (frames or any(head.frames for head in heads)):
        yield chained([replace(heads[0], frames=tuple(frames)), *heads[1:]])


def _with_at(
    lines: Lines,
    frame_of: re.Pattern[str],
    heads: Sequence[re.Pattern[str]],
    language: str,
    is_cause: Callable[[str], bool],
) -> Iterator[Problem]:
    """Read traces whose frames are lines with `at` below what was thrown."""
    found: list[Problem] = []
    at = 0
    while at < len(lines):
        head = next((match for each in heads if (match := each.fullmatch(lines[at]))), None)
        behind = bool(found) and is_cause(lines[at])
        if head is None or _SKIPPED.match(lines[at]):
            at += 1
            continue
        start, at = at, at + 1
        message = [head["message"] or ""]
        # A message may have several lines; what follows without a frame is no trace.
        ahead = next(
            (n for n in range(at, min(at + 6, len(lines))) if frame_of.fullmatch(lines[n])), None
        )
        if ahead is None:
            continue
        message += [] if any(_SKIPPED.match(line) for line in lines[at:ahead]) else lines[at:ahead]
        at = ahead
        frames: list[Frame] = []
        while at < len(lines) and (_SKIPPED.match(lines[at]) or frame_of.fullmatch(lines[at])):
            if match := frame_of.fullmatch(lines[at]):
                fields = match.groupdict()
                column = int(fields.get("column") or 0)
                frames.append(
                    Frame(_within(fields, language), int(match["line"]), column, match["in"] or "")
                )
            at += 1
        problem = Problem(
            language, head["kind"], "\n".join(message).strip(), tuple(frames), at=start
        )
        if not behind and found:
            yield chained(found)
            found = []
        found.append(problem)
    if found:
        yield chained(found)


def _within(fields: dict[str, str], language: str) -> str:
    """Return a frame's path; Java names the package where others name a folder."""
    if language != "java":
        return fields["path"]
    package = fields["in"].split("$")[0].split(".")[:-1]
    package = package if package and package[-1][:1].islower() else package[:-1]
    return "/".join([*package, fields["path"]])


# -------------------------------------------------------------- Go, Rust, others

_GO_PANIC: Final = re.compile(r"(?:panic|fatal error): (?P<message>.+?)(?: \[recovered\])?")
_GO_FUNCTION: Final = re.compile(
    r"(?:created by )?(?P<in>[\w./*()\-]+?)(?:\(.*\)| in goroutine \d+)?"
)
_GO_FRAME: Final = re.compile(r"\t(?P<path>\S.*\.go):(?P<line>\d+)(?: \+0x[0-9a-f]+)?")
_GO_TEST: Final = re.compile(r"\s+(?P<path>\w+_test\.go):(?P<line>\d+): (?P<message>.+)")


def _go(lines: Lines) -> Iterator[Problem]:
    for at, line in enumerate(lines):
        if test := _GO_TEST.fullmatch(line):
            frame = Frame(test["path"], int(test["line"]))
            yield Problem("go", "", test["message"], (frame,), at=at)
        panic = _GO_PANIC.fullmatch(line)
        if panic is None:
            continue
        frames: list[Frame] = []
        for number in range(at + 1, len(lines)):
            if _GO_PANIC.fullmatch(lines[number]):
                break
            if frame := _GO_FRAME.fullmatch(lines[number]):
                above = _GO_FUNCTION.fullmatch(lines[number - 1])
                name = "" if above is None else above["in"]
                frames.append(Frame(frame["path"], int(frame["line"]), 0, name))
            elif frames and not lines[number].strip():
                # The other goroutines were only there.
                break
        yield Problem("go", "panic", panic["message"], tuple(frames), at=at)


_RS_PANIC: Final = re.compile(
    r"thread '[^']*'(?: \(\d+\))? panicked at (?:'(?P<message>.*)', )?"
    r"(?P<path>[^\s:'][^:']*):(?P<line>\d+):(?P<column>\d+):?"
)
_RS_FRAME: Final = re.compile(r"\s+at (?P<path>\S.*?\.rs):(?P<line>\d+):(?P<column>\d+)")
_RS_FUNCTION: Final = re.compile(r"\s+\d+: +(?:0x[0-9a-f]+ - )?(?P<in>.+)")


def _rust(lines: Lines) -> Iterator[Problem]:
    for at, line in enumerate(lines):
        panic = _RS_PANIC.fullmatch(line)
        if panic is None:
            continue
        message = panic["message"] or (lines[at + 1] if at + 1 < len(lines) else "")
        frames = [Frame(panic["path"], int(panic["line"]), int(panic["column"]))]
        for number in range(at + 1, len(lines)):
            if frame := _RS_FRAME.fullmatch(lines[number]):
                above = _RS_FUNCTION.fullmatch(lines[number - 1])
                name = "" if above is None else above["in"]
                frames.append(Frame(frame["path"], int(frame["line"]), int(frame["column"]), name))
            elif _RS_PANIC.fullmatch(lines[number]):
                break
        yield Problem("rust", "panic", message, tuple(frames), at=at)


_PHP_HEAD: Final = re.compile(
    r"(?:PHP )?(?:Fatal error: +)?Uncaught (?P<kind>[\w\\]+): (?P<message>.*?)"
    r" in (?P<path>\S+\.php):(?P<line>\d+)"
)
_PHP_FRAME: Final = re.compile(r"#\d+ (?P<path>.+?)\((?P<line>\d+)\): (?P<in>[^(]+)\(.*")


def _php(lines: Lines) -> Iterator[Problem]:
    for at, line in enumerate(lines):
        head = _PHP_HEAD.match(line)
        if head is None:
            continue
        frames = [Frame(head["path"], int(head["line"]))]
        for below in lines[at + 1 :]:
            if frame := _PHP_FRAME.fullmatch(below):
                frames.append(Frame(frame["path"], int(frame["line"]), 0, frame["in"]))
            elif below.strip() != "Stack trace:":
                break
        yield Problem("php", head["kind"], head["message"], tuple(frames), at=at)


_RB_HEAD: Final = re.compile(
    r"(?P<path>[^\s:][^:]*\.rb):(?P<line>\d+):in [`'](?P<in>[^']*)': (?P<message>.*?)"
    r"(?: \((?P<kind>[A-Z][\w:]*)\))?"
)
_RB_KIND: Final = re.compile(r"(?P<message>.*) \((?P<kind>[A-Z][\w:]*)\)")
_RB_FRAME: Final = re.compile(
    r"\s*(?:\d+: )?from (?P<path>[^\s:][^:]*\.rb):(?P<line>\d+)(?::in [`'](?P<in>[^']*)')?"
)


def _ruby(lines: Lines) -> Iterator[Problem]:
    found: list[Problem] = []
    for at, line in enumerate(lines):
        if head := _RB_HEAD.fullmatch(line):
            kind, message = head["kind"] or "", head["message"]
            frames = (Frame(head["path"], int(head["line"]), 0, head["in"]),)
            problem = Problem("ruby", kind, message, frames, at=at)
            if found and found[-1].frames[0] == frames[0] and not kind:
                continue
            found.append(problem)
        elif found and (frame := _RB_FRAME.fullmatch(line)):
            more = Frame(frame["path"], int(frame["line"]), 0, frame["in"] or "")
            found[-1] = replace(found[-1], frames=(*found[-1].frames, more))
    yield from found


_ASAN: Final = re.compile(
    r"==\d+==\s?ERROR: (?P<kind>\w+Sanitizer): (?P<message>[\w-]+(?: [\w-]+)*).*"
)
_C_FRAME: Final = re.compile(
    r"\s+#\d+ 0x[0-9a-f]+ in (?P<in>.+?) (?P<path>/?[^\s:]+\.\w+):(?P<line>\d+)"
    r"(?::(?P<column>\d+))?"
)
_C_ASSERT: Final = re.compile(
    r"\S+: (?P<path>\S+\.\w+):(?P<line>\d+): (?P<in>.+): (?P<message>Assertion [`'].*' failed)\.?"
)
_C_THROWN: Final = re.compile(r"terminate called after throwing an instance of '(?P<kind>[^']+)'")
_C_WHAT: Final = re.compile(r"\s+what\(\): +(?P<message>.*)")


def _native(lines: Lines) -> Iterator[Problem]:
    for at, line in enumerate(lines):
        if found := _ASAN.fullmatch(line):
            frames: list[Frame] = []
            for below in lines[at + 1 :]:
                if frame := _C_FRAME.fullmatch(below):
                    place = Frame(
                        frame["path"], int(frame["line"]), int(frame["column"] or 0), frame["in"]
                    )
                    frames.append(place)
                elif frames:
                    break
            yield Problem("cpp", found["kind"], found["message"], tuple(frames), at=at)
        elif found := _C_ASSERT.fullmatch(line):
            place = Frame(found["path"], int(found["line"]), 0, found["in"])
            yield Problem("cpp", "assert", found["message"], (place,), at=at)
        elif found := _C_THROWN.fullmatch(line):
            what = _C_WHAT.fullmatch(lines[at + 1]) if at + 1 < len(lines) else None
            yield Problem("cpp", found["kind"], "" if what is None else what["message"], at=at)


_READERS: Final[tuple[Callable[[Lines], Iterator[Problem]], ...]] = (
    python,
    pytest,
    _javascript,
    _java,
    _csharp,
    _go,
    _rust,
    _php,
    _ruby,
    _native,
)
