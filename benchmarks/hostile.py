"""Texts that no analysis may crash on or hang at: nested, long, broken and random ones.

`python -m benchmarks.static --hostile` measures them; the longest answer is the figure that counts.
"""

from __future__ import annotations

import random
from time import perf_counter
from typing import TYPE_CHECKING, Final

from benchmarks.support.report import Bar
from coai_agents.analysis.dataflow.lowering import LANGUAGES
from coai_agents.analysis.rules.rules import examples
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.support.report import Report

LIMIT: Final = 2.0
"""Seconds that one text may take."""

NESTED: Final = 10_000
LONG: Final = 10_000_000
JUST_PARSED: Final = 950_000

SEED: Final = 11

_HEADS: Final = {
    "go": "package a\nfunc f() {\n",
    "java": "class A { void f() {\n",
    "csharp": "class A { void F() {\n",
    "php": "<?php\n",
}

_STATEMENTS: Final = {
    "python": "x = f(y, 'a' + z)[1]; ",
    "javascript": "x = f(y, 'a' + z)[1]; ",
    "typescript": "x = f(y, 'a' + z)[1]; ",
    "tsx": "x = f(y, 'a' + z)[1]; ",
    "java": 'x = f(y, "a" + z)[1]; ',
    "go": 'x = f(y, "a" + z)[1]; ',
    "php": "$x = f($y, 'a' . $z)[1]; ",
    "ruby": "x = f(y, 'a' + z)[1]; ",
    "csharp": 'x = f(y, "a" + z)[1]; ',
}

_HARMS: Final = {
    "python": "import hashlib; hashlib.md5(b'x')\n",
    "javascript": "crypto.createHash('md5');\n",
    "ruby": "Digest::MD5.hexdigest('a')\n",
}

_WRAPPED: Final = (
    ("(", "a", ")"),
    ("[", "a", "]"),
    ("{", "a", "}"),
    ("f(", "a", ")"),
    ("a[", "0", "]"),
    ("a.b(", "", ")"),
    ("!", "a", ""),
    ("-", "a", ""),
    ("a ? b : ", "c", ""),
    ("a + ", "b", ""),
    ("a && ", "b", ""),
    ("x = ", "1", ""),
    ("if (a) { ", "b();", " }"),
    ("if (a) {} else ", "{}", ""),
    ("function f() { ", "a", " }"),
    ("`${", "a", "}`"),
    ("'a' + ", "b", ""),
    ("lambda: ", "a", ""),
    ("a.", "b", ""),
    ("<a>", "b", "</a>"),
)


def nested() -> Iterator[tuple[str, str, str]]:
    """Yield a name, a language and a text for each kind of nesting."""
    for language in sorted(LANGUAGES):
        head = _HEADS.get(language, "")
        for before, middle, after in _WRAPPED:
            text = f"{head}{before * NESTED}{middle}{after * NESTED}\n"
            yield f"{NESTED:,} nested {before.strip()}", language, text
            yield f"{NESTED:,} open {before.strip()}", language, head + before * NESTED
    yield (
        "nested blocks",
        "python",
        "".join(f"{' ' * depth}if a:\n" for depth in range(NESTED // 10))
        + " " * (NESTED // 10)
        + "b\n",
    )
    yield (
        "loops in loops",
        "python",
        "".join(f"{' ' * depth}for a{depth} in a{depth - 1}:\n" for depth in range(1, 60))
        + " " * 60
        + "a1 = a59\n",
    )


def long() -> Iterator[tuple[str, str, str]]:
    """Yield texts of one line, too long for the parser and just short enough for it."""
    for language in sorted(LANGUAGES):
        head, statement = _HEADS.get(language, ""), _STATEMENTS[language]
        for size in (JUST_PARSED, LONG):
            yield (
                f"{size:,} characters in a line",
                language,
                head + statement * (size // len(statement)),
            )
        yield "100,000 brackets that nothing closes", language, head + "[" * 100_000
        yield f"{LONG:,} characters in a text", language, f"{head}x = '{'a1/' * (LONG // 3)}'"
        yield f"{JUST_PARSED:,} of one sum", language, head + "x = a" + " + a" * (JUST_PARSED // 4)
        yield (
            f"{JUST_PARSED:,} of lines",
            language,
            head + f"{statement}\n" * (JUST_PARSED // len(statement)),
        )
    for language, harm in _HARMS.items():
        yield "19,000 findings", language, harm * 19_000
    yield (
        "19,000 secrets",
        "python",
        "".join(f"password_{number} = 'hunter2hunter{number}'\n" for number in range(19_000)),
    )
    yield "10,000,000 of secrets", "", "api_key='a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6'," * 240_000


def fuzzed(count: int) -> Iterator[tuple[str, str, str]]:
    """Yield programs of every language with bytes changed, left out, doubled and put in."""
    chance = random.Random(SEED)
    for language in sorted(LANGUAGES):
        some = examples(language)
        for number in range(count):
            text = bytearray(chance.choice(some).bad.encode() * chance.choice((1, 1, 3, 30)))
            for _ in range(chance.choice((1, 5, 50))):
                at = chance.randrange(len(text))
                match chance.randrange(4):
                    case 0:
                        text[at] = chance.randrange(256)
                    case 1:
                        del text[at : at + chance.randrange(1, 40)]
                    case 2:
                        text[at:at] = text[at : at + chance.randrange(1, 200)]
                    case _:
                        text[at:at] = bytes(chance.choices(b"()[]{}'\"`\\\n\xff\xc3\0", k=9))
                text = text or bytearray(b"\xff")
            yield f"fuzzed {number}", language, text.decode("utf-8", "replace")
        yield "random bytes", language, chance.randbytes(300_000).decode("utf-8", "replace")
        yield "broken UTF-8", language, (b"a\xff\xc3(\xf0\x9f" * 100_000).decode("utf-8", "replace")


def hostile(report: Report, count: int) -> None:
    """Measure all of them; a crash is one of the run."""
    times: list[tuple[float, str, str, str]] = []
    partial = 0
    for texts in (nested(), long(), fuzzed(count)):
        for name, language, text in texts:
            source = Source(
                "untitled:x", text, "typescriptreact" if language == "tsx" else language
            )
            started = perf_counter()
            analysis = analyse(source)
            times.append((perf_counter() - started, name, language, str(len(analysis.findings))))
            partial += not analysis.complete
    times.sort(reverse=True)
    table = [(f"{took:.2f} s", *rest) for took, *rest in times[:15]]
    report.table("Hostile texts, the slowest", ("time", "text", "language", "findings"), table)
    report.say(f"{len(times):,} texts, {partial:,} of them looked at in part, and it says so.")
    report.hold(Bar("one hostile text, the slowest", times[0][0], LIMIT, "s"))
