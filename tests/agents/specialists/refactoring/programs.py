"""Python functions made at random, and a child process that runs them before and after a change.

Every program ends: it loops over short lists only. What it does besides returning is written to a
log, so that an effect that moved is seen.
"""

# ruff: noqa: C901, PLR0911, PLR0912, E501 - a branch for each form that a program can have

from __future__ import annotations

import json
import random
import sys
from typing import Any, Final

from coai_routing.processes import child_environment, run

INPUTS: Final = ("(0, 1, [])", "(3, 2, [1, 2, 3])", "(-1, 5, [5, 0, 2, 7])", "('a', 'b', ['c'])")

PRELUDE: Final = """\
LOG = []
def note(*values):
    LOG.append(repr(values))
    return values[-1]
def bump(items):
    items.append(len(items))
    return len(items)
class Box:
    def __init__(self, size):
        self.size = size
        self.seen = 0
    def touch(self):
        self.seen += 1
        return self.seen
"""

_RUNNER: Final = """
import json, sys
def attempt(program, call):
    space = {}
    try:
        exec(compile(program, "program", "exec"), space)
        value = eval("f" + call, space)
        outcome = ["value", repr(value)]
    except RecursionError:
        outcome = ["deep", ""]
    except Exception as error:
        outcome = ["error", ""]
    return outcome + [space.get("LOG", [])]
asked = json.load(sys.stdin)
json.dump([[attempt(program, call) for call in asked["calls"]] for program in asked["programs"]], sys.stdout)
"""


def outcomes(programs: list[str]) -> list[Any]:
    """Run programs on all inputs, in a process of their own."""
    asked = json.dumps({"programs": [PRELUDE + each for each in programs], "calls": INPUTS})
    done = run(
        [sys.executable, "-I", "-c", _RUNNER],
        given=asked.encode(),
        environment=child_environment(),
        seconds=120,
    )
    assert done.code == 0, done.err.decode()
    return json.loads(done.out)


class Writer:
    """Writes one function at random."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._names = ["a", "b", "xs"]
        self._count = 0

    def program(self) -> str:
        """Return a program with a function `f(a, b, xs)`."""
        lines = ["def f(a, b, xs):", "    box = Box(a)"]
        lines += self._block(1, self._random.randint(4, 8))
        lines.append(f"    return {self._expression(2)}")
        if self._random.random() < 0.3:
            lines.insert(0, "import sys")
            lines.insert(1, "import os")
        return "\n".join(lines) + "\n"

    def _block(self, depth: int, count: int, loop: bool = False) -> list[str]:
        lines: list[str] = []
        for _ in range(count):
            lines += self._statement(depth, loop)
        return lines

    def _statement(self, depth: int, loop: bool) -> list[str]:
        pad, choose = "    " * depth, self._random.random()
        if choose < 0.3:
            return [f"{pad}{self._target()} = {self._expression(2)}"]
        if choose < 0.37:
            return [f"{pad}{self._known()} += {self._expression(1)}"]
        if choose < 0.45:
            return [f"{pad}note({self._expression(2)})"]
        if choose < 0.5:
            return [f"{pad}box.size = {self._expression(1)}"]
        if choose < 0.54 and depth < 4:
            one, other = self._target(), None
            other = one
            return [f"{pad}if {self._condition()}:", f"{pad}    {one} = {self._expression(1)}",
                    f"{pad}else:", f"{pad}    {other} = {self._expression(1)}"]  # fmt: skip
        if choose < 0.68 and depth < 4:
            lines = [f"{pad}if {self._condition()}:", *self._inner(depth, loop)]
            if self._random.random() < 0.6:
                lines += [f"{pad}else:", *self._inner(depth, loop)]
            return lines
        if choose < 0.78 and depth < 3:
            name = self._fresh()
            lines = [f"{pad}for {name} in [1, 2, a]:"]
            self._names.append(name)
            return [*lines, *self._inner(depth, True)]
        if choose < 0.86:
            return self._filling(pad)
        if choose < 0.89:
            return [f"{pad}return {self._expression(1)}"]
        if choose < 0.92 and loop:
            return [f"{pad}{self._random.choice(['break', 'continue'])}"]
        if choose < 0.95:
            name = self._fresh()
            line = f"{pad}{name} = lambda v: {self._expression(1)}"
            return [line, f"{pad}note({name}(1))"]
        if choose < 0.97:
            one, other = self._fresh(), self._fresh()
            line = f"{pad}{one}, {other} = {self._expression(1)}, {self._expression(1)}"
            self._names += [one, other]
            return [line]
        return [
            f"{pad}try:",
            *self._inner(depth, loop),
            f"{pad}except TypeError:",
            f"{pad}    note({self._known()})",
        ]

    def _inner(self, depth: int, loop: bool) -> list[str]:
        return self._block(depth + 1, self._random.randint(1, 2), loop)

    def _filling(self, pad: str) -> list[str]:
        name, item = self._fresh(), self._fresh()
        lines = [f"{pad}{name} = []", f"{pad}for {item} in xs[:5]:"]
        self._names.append(item)
        if self._random.random() < 0.5:
            lines += [
                f"{pad}    if {self._condition()}:",
                f"{pad}        {name}.append({self._expression(1)})",
            ]
        else:
            lines.append(f"{pad}    {name}.append({self._expression(1)})")
        if self._random.random() < 0.7:
            self._names.remove(item)
        self._names.append(name)
        return lines

    def _fresh(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def _target(self) -> str:
        if self._random.random() < 0.4:
            return self._known()
        name = self._fresh()
        self._names.append(name)
        return name

    def _known(self) -> str:
        return self._random.choice(self._names)

    def _condition(self) -> str:
        choose, one = self._random.random(), self._known()
        if choose < 0.25:
            return f"{one} == {self._expression(1)}"
        if choose < 0.4:
            return f"not {one}"
        if choose < 0.55:
            return f"not ({one} and {self._known()})"
        if choose < 0.7:
            return f"{one} is not None and {self._expression(1)}"
        if choose < 0.8:
            return f"len(xs) > {self._random.randint(0, 3)}"
        return f"{one} or note({self._known()})"

    def _expression(self, depth: int) -> str:
        choose = self._random.random()
        if depth == 0 or choose < 0.25:
            return self._random.choice([*self._names, "1", "2", "'s'", "None"])
        one, other = self._expression(depth - 1), self._expression(depth - 1)
        if choose < 0.5:
            return f"{self._tight(one)} {self._random.choice(['+', '-', '*', '+'])} {self._tight(other)}"
        if choose < 0.58:
            return f"note({one}, {other})"
        if choose < 0.63:
            return "box.size"
        if choose < 0.68:
            return "box.touch()"
        if choose < 0.73:
            return "bump(xs)"
        if choose < 0.78:
            return f"({one} if {self._condition()} else {other})"
        if choose < 0.82:
            return f"[w for w in xs if {self._known()}]"
        if choose < 0.86:
            return f"'n: ' + str({one}) + '.'"
        if choose < 0.9:
            return f"'%s-%r' % ({one}, {other})"
        if choose < 0.94:
            return f"'{{}}/{{}}'.format({one}, {other})"
        return f"(not {self._known()} or not {self._known()})"

    def _tight(self, text: str) -> str:
        return f"({text})" if " " in text else text
