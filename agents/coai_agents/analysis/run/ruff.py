"""ruff's security rules, beside ours: one `ruff server` for this process, asked by its protocol.

A process for each file costs 6 ms, the server that is kept 1.2 ms (300 lines, measured). It gets
our configuration and nobody else's, it is never told a path of the user's, and every wait for it
has an end: what does not answer in time is killed, and the next file starts another one.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import queue
import re
import threading
import tomllib
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from typing import IO, TYPE_CHECKING, Any, Final, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coai_agents.analysis.findings.findings import Finding, Severity
from coai_agents.analysis.rules.rules import FOLDER, Regex, RuleFileError, catalogue
from coai_agents.source import Encoding, Position
from coai_routing.errors import CoaiError
from coai_routing.processes import start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from coai_agents.source import Source, Span

ORIGIN: Final = "ruff"

FILE: Final = "ruff_codes.toml"

START_SECONDS: Final = 0.8
"""How long its start and first answer may take: whoever saves a file waits for no more than that,
and what comes too late is there at the next one."""

ANSWER_SECONDS: Final = 0.5
"""How long an answer may take; the measured median is a millisecond."""

MAX_CHARACTERS: Final = 300_000
"""Longer files, of some 10,000 lines, are not shown to it: their answer would not be in time."""

_CLOSE_SECONDS: Final = 1.0


class RuffError(CoaiError):
    """ruff is not there, or it did not answer."""


class _Code(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    severity: Severity | None = None
    unless: Regex = ""
    """What the code at the place must not have in it."""


class _Codes(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    codes: dict[str, _Code] = Field(min_length=1)


@cache
def codes(folder: Path = FOLDER) -> Mapping[str, _Code]:
    """Return what ruff's codes are in our catalogue; raises `RuleFileError`."""
    try:
        found = _Codes.model_validate(tomllib.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise RuleFileError(FILE, "the file", str(error)) from error
    known = catalogue(folder)
    for code, each in found.codes.items():
        if each.rule not in known:
            raise RuleFileError(FILE, f"codes.{code}", f"there is no rule {each.rule!r}")
    return found.codes


def ruff_findings(source: Source) -> Sequence[Finding]:
    """Return what ruff's security rules find in a Python document; raises `RuffError`."""
    if source.language != "python":
        return ()
    if len(source.text) > MAX_CHARACTERS:
        raise RuffError("The file is too large for ruff.")
    return tuple(_findings(source, _server().check(source.text)))


def complementing(ours: Iterable[Finding], theirs: Iterable[Finding]) -> list[Finding]:
    """Return those of ruff's findings that say something that ours do not say at the place.

    Takes time in proportion to the findings, of which a generated file may have tens of thousands.
    """
    places: dict[str, list[Span]] = {}
    for finding in ours:
        for matter in _matters(finding):
            places.setdefault(matter, []).append(finding.span)
    known = {matter: _Places(spans) for matter, spans in places.items()}
    return [
        each
        for each in theirs
        if not any(matter in known and each.span in known[matter] for matter in _matters(each))
    ]


def _matters(finding: Finding) -> tuple[str, ...]:
    """Return what a finding is about: its rule and its weaknesses."""
    return (finding.rule, *(f"CWE-{number}" for number in finding.cwe))


class _Places:
    """Spans, of which it can be asked whether any of them touches another."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for span in sorted(spans, key=lambda each: each.start):
            if self._ends and span.start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], span.end)
            else:
                self._starts.append(span.start)
                self._ends.append(span.end)

    def __contains__(self, span: Span) -> bool:
        at = bisect_right(self._starts, span.end) - 1
        return at >= 0 and self._ends[at] >= span.start


def _findings(source: Source, items: Sequence[Any]) -> Iterable[Finding]:
    concepts = catalogue()
    for item in items:
        code = codes().get(str(item.get("code", "")))
        if code is None:
            continue
        concept = concepts[code.rule]
        start, end = (item["range"][side] for side in ("start", "end"))
        span = source.span_at(
            Position(start["line"], start["character"]),
            Position(end["line"], end["character"]),
            Encoding.UTF_32,
        )
        if code.unless and re.search(code.unless, source.text[span.start : span.end]):
            continue
        yield Finding(
            rule=concept.id,
            span=span,
            message=f"{concept.message} (ruff {item['code']}: {item['message']})",
            severity=code.severity or concept.severity,
            uri=source.uri,
            version=source.version,
            cwe=concept.cwe,
            origin=ORIGIN,
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A text to look at, and where the answer goes."""

    text: str
    answer: queue.SimpleQueue[Sequence[Any] | Exception]


class RuffServer:
    """One `ruff server`, and the thread that talks to it; closed by whoever made it."""

    def __init__(self, command: Sequence[str]) -> None:
        try:
            self._process = start(command)
        except OSError as error:
            raise RuffError(f"ruff cannot be started ({error}).") from error
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._started = False
        self._turn = threading.Lock()
        # Its waits end when the process does, and `close` ends that.
        self._thread = threading.Thread(target=self._talk, name="ruff", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None and self._thread.is_alive()

    def check(self, text: str) -> Sequence[Any]:
        """Return the diagnostics of a text, in the protocol's form; raises `RuffError`."""
        with self._turn:
            seconds = ANSWER_SECONDS if self._started else START_SECONDS
            answer: queue.SimpleQueue[Sequence[Any] | Exception] = queue.SimpleQueue()
            self._asked.put(_Asked(text, answer))
            try:
                found = answer.get(timeout=seconds)
            except queue.Empty as error:
                self.close()
                raise RuffError("ruff did not answer in time.") from error
            if isinstance(found, Exception):
                self.close()
                raise RuffError(f"ruff ended ({found}).") from found
            self._started = True
            return found

    def close(self) -> None:
        """End it."""
        self._asked.put(None)
        self._process.kill()
        self._process.wait()
        self._thread.join(_CLOSE_SECONDS)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            try:
                stream.close()
            except OSError:
                # What was not yet written cannot be written any more.
                continue

    def _talk(self) -> None:
        """Ask what is to be asked, one text after the other, until there is nothing more."""
        reading, writing = self._process.stdout, self._process.stdin
        assert reading is not None
        assert writing is not None
        number = 0
        while (asked := self._asked.get()) is not None:
            try:
                if number == 0:
                    _send(writing, "initialize", _INITIALIZE, 0)
                    _answer(reading, 0)
                    _send(writing, "initialized", {})
                number += 1
                found = _checked(reading, writing, asked.text, number)
            except (OSError, ValueError, KeyError, TypeError) as error:
                asked.answer.put(error)
                return
            asked.answer.put(found)


_INITIALIZE: Final = {
    "processId": None,
    "rootUri": None,
    "capabilities": {
        "general": {"positionEncodings": ["utf-32"]},
        "textDocument": {"diagnostic": {"dynamicRegistration": False}},
    },
    "initializationOptions": {
        "settings": {
            # Nothing that lies in the user's folders is read.
            "configurationPreference": "editorOnly",
            "lint": {"select": ["S"], "preview": False},
        }
    },
}


def _checked(reading: IO[bytes], writing: IO[bytes], text: str, number: int) -> Sequence[Any]:
    document = {"uri": f"untitled:document-{number}.py"}
    _send(
        writing,
        "textDocument/didOpen",
        {"textDocument": {**document, "languageId": "python", "version": 1, "text": text}},
    )
    _send(writing, "textDocument/diagnostic", {"textDocument": document}, number)
    answer = _answer(reading, number)
    _send(writing, "textDocument/didClose", {"textDocument": document})
    return cast("Sequence[Any]", answer["items"])


def _send(writing: IO[bytes], method: str, params: object, number: int | None = None) -> None:
    message: dict[str, object] = {"jsonrpc": "2.0", "method": method, "params": params}
    if number is not None:
        message["id"] = number
    body = json.dumps(message).encode()
    writing.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    writing.flush()


def _answer(reading: IO[bytes], number: int) -> Any:  # noqa: ANN401 - JSON of another program
    """Return the answer to a request; raises OSError, ValueError or KeyError if there is none."""
    while True:
        length = 0
        while line := reading.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if length == 0:
            raise OSError("its output ended")
        message: Any = json.loads(reading.read(length))
        if not isinstance(message, dict):
            raise TypeError("what it said is no message")
        known = cast("dict[str, Any]", message)
        if known.get("id") == number and "method" not in known:
            return known["result"]


_kept: tuple[int, RuffServer] | None = None
_keeping: Final = threading.Lock()


def _server(make: Callable[[Sequence[str]], RuffServer] = RuffServer) -> RuffServer:
    """Return this process's server, started if there is none that lives."""
    global _kept  # noqa: PLW0603 - one for the process, whoever asks
    with _keeping:
        # After a fork, the pipes still lead to the server of the process before.
        if _kept is not None and _kept[0] == os.getpid() and _kept[1].alive:
            return _kept[1]
        server = make((_binary(), "server"))
        if _kept is None or _kept[0] != os.getpid():
            atexit.register(close)
        _kept = (os.getpid(), server)
        return server


def close() -> None:
    """End this process's server, if there is one."""
    global _kept
    with _keeping:
        kept, _kept = _kept, None
    if kept is not None and kept[0] == os.getpid():
        kept[1].close()


def _binary() -> str:
    try:
        # It has neither stubs nor type hints, and only Python's analysis needs it.
        package: Any = importlib.import_module("ruff")
        return str(package.find_ruff_bin())
    except (ImportError, FileNotFoundError) as error:
        raise RuffError("ruff is not installed.", remedy="Install COAI again.") from error
