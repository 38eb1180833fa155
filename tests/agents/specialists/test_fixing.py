"""Fixes: what is proposed for a kind of error, what passes the checks, and what a test decides."""

# ruff: noqa: E501 - programs and outputs as they are written

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Edit, Source, Span
from coai_agents.specialists.asking import Asker, NobodyError, Prompt, Said
from coai_agents.specialists.diagnosing.problems import Frame, Problem
from coai_agents.specialists.edits import change
from coai_agents.specialists.fixing.agent import (
    MOST_ROUNDS,
    MOST_SAMPLES,
    fix_by_test,
    fix_findings,
)
from coai_agents.specialists.fixing.candidates import known_fixes
from coai_agents.specialists.fixing.checking import problems_in, sound
from coai_agents.specialists.fixing.rewriting import taken
from coai_agents.specialists.fixing.tally import Tried, brings_something, is_better
from coai_agents.specialists.targets import Target
from coai_agents.syntax.definitions import outline
from coai_agents.syntax.tree import parse
from coai_routing.providers.openai_compatible import OpenAICompatibleProvider
from tests.support.cloud_server import cloud_server
from tests.support.routing import place, routing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable


def source_of(text: str, language: str = "python") -> Source:
    return Source("file:///w/a", text, language)


class Model(Asker):
    """Says what it is told to, one answer after the other; keeps what it was asked."""

    def __init__(self, *answers: str) -> None:
        super().__init__()
        self._answers = list(answers)
        self.prompts: list[Prompt] = []

    async def samples(self, prompt: Prompt, most: int) -> AsyncGenerator[Said]:
        self.prompts.append(prompt)
        for _ in range(most):
            if not self._answers:
                raise NobodyError("It has nothing more to say.")
            yield Said(self._answers.pop(0), "model", local=True)


@pytest.mark.parametrize(
    ("language", "text", "line", "kind", "message", "expected"),
    [
        ("python", "total = 1\nprint(totl)\n", 2, "NameError", "name 'totl' is not defined",
         "total = 1\nprint(total)\n"),
        ("python", "print(json.dumps({}))\n", 1, "NameError", "name 'json' is not defined",
         "import json\nprint(json.dumps({}))\n"),
        ("python", "x = defaultdict(list)\n", 1, "F821", "Undefined name `defaultdict`",
         "from collections import defaultdict\nx = defaultdict(list)\n"),
        ("python", "now = datetime.now()\n", 1, "NameError", "name 'datetime' is not defined",
         "import datetime\nnow = datetime.now()\n"),
        ("python", "x = []\nx.appendd(1)\n", 2, "AttributeError",
         "'list' object has no attribute 'appendd'. Did you mean: 'append'?",
         "x = []\nx.append(1)\n"),
        ("python", "import os\nx = 1\n", 1, "F401", "`os` imported but unused", "x = 1\n"),
        ("python", "def f(x)  # '\n    return x\n", 1, "SyntaxError", "expected ':'",
         "def f(x):  # '\n    return x\n"),
        ("python", "if x = 1:\n    y = 2\n", 1, "SyntaxError",
         "invalid syntax. Maybe you meant '==' or ':=' instead of '='?", "if x == 1:\n    y = 2\n"),
        ("python", "print 'a'\n", 1, "SyntaxError",
         "Missing parentheses in call to 'print'. Did you mean print(...)?", "print('a')\n"),
        ("javascript", "const total = 1;\nf(totl);\n", 2, "ReferenceError", "totl is not defined",
         "const total = 1;\nf(total);\n"),
        ("typescript", "const total = 1;\nf(totl);\n", 2, "TS2552",
         "Cannot find name 'totl'. Did you mean 'total'?", "const total = 1;\nf(total);\n"),
        ("go", 'package main\n\nfunc f() string {\n\treturn strings.ToUpper("a")\n}\n', 4, "",
         "undefined: strings",
         'package main\n\nimport "strings"\n\nfunc f() string {\n\treturn strings.ToUpper("a")\n}\n'),
        ("go", 'package main\n\nimport "os"\n\nfunc f() {}\n', 3, "",
         '"os" imported and not used', "package main\n\n\nfunc f() {}\n"),
        ("java", "class A {\n  List<String> x;\n}\n", 2, "", "cannot find symbol\nsymbol: class List",
         "import java.util.List;\nclass A {\n  List<String> x;\n}\n"),
        ("rust", "fn f(total: i32) -> i32 { totl }\n", 1, "E0425",
         "cannot find value `totl` in this scope", "fn f(total: i32) -> i32 { total }\n"),
        ("c", "int f(int total) { return totl; }\n", 1, "",
         "'totl' undeclared (first use in this function)",
         "int f(int total) { return total; }\n"),
        ("python", "x = 1\n", 1, "KeyError", "'tea'", None),
    ],
)  # fmt: skip
def test_what_is_known_of_an_error_names_its_fix(
    *, language: str, text: str, line: int, kind: str, message: str, expected: str | None
) -> None:
    source = source_of(text, language)
    found = list(known_fixes(source, Problem(language, kind, message, (Frame("a", line),))))
    assert (change(source, found[0].edits).after.text if found else None) == expected


@pytest.mark.parametrize(
    "text",
    [
        "from os import *\nprint(getcwd())\n",
        "def f():\n    global x\n    x = 1\n\n\nprint(x, __name__, __file__)\n",
        "try:\n    pass\nexcept OSError as error:\n    print(error)\n",
        "match 1:\n    case [*rest]:\n        print(rest)\n    case {'a': 1, **more}:\n        print(more)\n",
        "print([y for x in [] if (y := x)])\nlambda z: z\n",
        "import a.b\nimport c as d\na, d\nfor (i, j) in []:\n    i, j\nwith a as e:\n    e\n",
    ],
)
def test_a_name_that_is_bound_anywhere_is_no_problem(text: str) -> None:
    assert problems_in(source_of(text)) == ()


@pytest.mark.parametrize(
    ("new", "passes"),
    [
        ("return a - b", True),
        ("return a + b", False),
        ("return (a - b", False),
        ("return a - c", False),
        ("return eval(a)", False),
        ("# so\n    return a + b", False),
    ],
)
def test_a_change_that_does_harm_or_nothing_is_refused(new: str, *, passes: bool) -> None:
    source = source_of("def f(a, b):\n    return a + b\n")
    at = source.text.index("return")
    edit = Edit(Span(at, at + len("return a + b")), new)
    assert (sound(source, [edit], analyse(source)) is not None) is passes


OLD = '''class A:
    def other(self):
        return 0

    @staticmethod
    def f(a: int, b: int = 2) -> int:
        """Join them.

        Both.
        """
        return a - b

    def last(self):
        return 1
'''


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("```python\ndef f(a, b=2):\n    c = a + b\n    return c\n```", "c = a + b\n        return c"),
        ("Sure:\n```\ndef f(a: int, b: int = 2) -> int:\n    '''Other words.'''\n    return a + b\n```",
         "return a + b"),
        ("def f(a, b):\n  if a:\n    return 1\n  return a + b", "if a:\n          return 1\n        return a + b"),
        ("class A:\n    def f(a, b):\n        return a + b\n", "return a + b"),
        ("```python\nimport os\ndef f(a, b):\n    return a + b\ndef g():\n    pass\n```", "return a + b"),
        ("```python\ndef f(x, y):\n    return x + y\n```", None),
        ("```python\ndef g(a, b):\n    return a + b\n```", None),
        ("I cannot do that.", None),
        ("", None),
    ],
)  # fmt: skip
def test_of_an_answer_only_the_body_is_taken(answer: str, expected: str | None) -> None:
    source = source_of(OLD)
    tree = parse(source)
    assert tree is not None
    function = next(each for each in outline(tree) if each.name == "f")
    edit = taken(tree, function, answer)
    if expected is None:
        assert edit is None
        return
    assert edit is not None
    assert change(source, [edit]).after.text == OLD.replace("return a - b", expected)


@pytest.mark.parametrize(
    ("language", "old", "answer", "expected"),
    [
        ("javascript", "const f = (a, b) => {\n  return a - b;\n}\n",
         "```js\nconst f = (a, b) => {\n    return a + b;\n};\n```",
         "const f = (a, b) => {\n    return a + b;\n}\n"),
        ("go", "package a\n\nfunc F(a int, b int) int {\n\treturn a - b\n}\n",
         "```go\nfunc F(a int, b int) int {\n\treturn a + b\n}\n```",
         "package a\n\nfunc F(a int, b int) int {\n\treturn a + b\n}\n"),
        ("rust", "fn f(a: i32, b: i32) -> i32 {\n    a - b\n}\n",
         "fn f(a: i32, b: i32) -> i32 {\n    a + b\n}", "fn f(a: i32, b: i32) -> i32 {\n    a + b\n}\n"),
        ("java", "class A {\n  int f(int a, int b) {\n    return a - b;\n  }\n}\n",
         "```java\nint f(int a, int b) {\n  return a + b;\n}\n```",
         "class A {\n  int f(int a, int b) {\n    return a + b;\n  }\n}\n"),
    ],
)  # fmt: skip
def test_bodies_in_brackets_are_taken_as_well(
    language: str, old: str, answer: str, expected: str
) -> None:
    source = source_of(old, language)
    tree = parse(source)
    assert tree is not None
    function = next(each for each in outline(tree) if each.name.lower() == "f")
    edit = taken(tree, function, answer)
    assert edit is not None
    assert change(source, [edit]).after.text == expected


@pytest.mark.parametrize(
    ("before", "now", "better", "something"),
    [
        ("2 failed, 1 passed in 1s", "1 failed, 2 passed in 1s", True, True),
        ("2 failed, 1 passed in 1s", "1 failed in 1s", False, False),
        ("2 failed in 1s", "2 failed in 1s", False, False),
        ("FAILED (failures=2, errors=1)", "FAILED (failures=1)", True, True),
        ("Tests:  3 failed, 1 passed, 4 total", "Tests:  2 failed, 2 passed, 4 total", True, True),
        ("  2 failing\n  1 passing", "  1 failing\n  2 passing", True, True),
        ("# pass 1\n# fail 2", "# pass 2\n# fail 1", True, True),
        ("--- FAIL: A\n--- FAIL: B\n", "--- FAIL: A\n", True, True),
        ("test result: FAILED. 1 passed; 2 failed;", "test result: FAILED. 2 passed; 1 failed;", True, True),
        ("NameError: name 'x' is not defined", "AssertionError", False, True),
        ("AssertionError", "NameError: name 'x' is not defined", False, False),
        ("nothing", "nothing", False, False),
    ],
)  # fmt: skip
def test_one_run_is_held_against_another(
    before: str, now: str, *, better: bool, something: bool
) -> None:
    one, other = Tried(False, before), Tried(False, now)
    assert is_better(other, one) is better
    assert brings_something(other, one) is something
    assert is_better(Tried(True, ""), one)
    assert not is_better(one, Tried(True, ""))


SUM = "def total(items):\n    result = 0\n    for item in items:\n        result -= item\n    return result\n"
GOOD = f"```python\n{SUM.replace('-=', '+=')}```"
BAD = f"```python\n{SUM.replace('-=', '*=')}```"
FAILED = 'Traceback (most recent call last):\n  File "t.py", line 2, in <module>\n    assert total([1]) == 1\nAssertionError\n'


def attempt_of(
    good: Callable[[str], bool], runs: list[str]
) -> Callable[[Source], Awaitable[Tried]]:
    async def attempt(source: Source) -> Tried:
        runs.append(source.text)
        passed = good(source.text)
        return Tried(passed, "" if passed else FAILED)

    return attempt


async def test_the_first_version_with_which_the_test_passes_is_taken() -> None:
    runs: list[str] = []
    model = Model(BAD, "nonsense", BAD, GOOD, BAD)
    state = await fix_by_test(
        source_of(SUM), Target("a"), model, attempt_of(lambda text: "+=" in text, runs), "/w/a.py"
    )
    assert state.after.text == SUM.replace("-=", "+=")
    assert state.tried is not None
    assert state.tried.passed
    # The file as it was, one bad version once, and the good one.
    assert len(runs) == 3
    assert "AssertionError" in model.prompts[0].about
    assert [each.by for each in state.steps] == ["model"]


async def test_a_round_that_brings_nothing_is_the_last_one() -> None:
    runs: list[str] = []
    model = Model(*[BAD.replace("*=", f"*= {n} *") for n in range(100)])
    state = await fix_by_test(
        source_of(SUM), Target("a"), model, attempt_of(lambda _: False, runs), "/w/a.py"
    )
    assert state.after.text == SUM
    assert not state.steps
    assert state.left
    assert len(runs) == 1 + MOST_SAMPLES


async def test_there_are_at_most_so_many_rounds() -> None:
    left = [40]

    async def attempt(source: Source) -> Tried:
        # Every change makes one test more pass, and never all of them.
        left[0] -= 1
        return Tried(False, f"{left[0]} failed, {100 - left[0]} passed")

    versions = [BAD.replace("*=", f"*= {n} *") for n in range(100)]
    model = Model(*versions)
    state = await fix_by_test(source_of(SUM), Target("a"), model, attempt, "/w/a.py")
    assert len(model.prompts) == MOST_ROUNDS
    assert state.after.text != SUM
    assert state.left


async def test_without_a_model_what_is_known_is_tried() -> None:
    text = "def total(items):\n    return sum(itms)\n"
    trace = "Traceback (most recent call last):\n  File \"/w/a.py\", line 2, in total\nNameError: name 'itms' is not defined\n"

    async def attempt(source: Source) -> Tried:
        passed = "itms" not in source.text
        return Tried(passed, "" if passed else trace)

    state = await fix_by_test(source_of(text), Target("a"), Asker(), attempt, "/w/a.py")
    assert state.after.text == "def total(items):\n    return sum(items)\n"
    assert state.tried is not None
    assert state.tried.passed


async def test_what_is_known_stays_where_a_model_cannot_do_the_rest() -> None:
    text = "def total(items):\n    return len(itms)\n"
    trace = "Traceback (most recent call last):\n  File \"/w/a.py\", line 2, in total\nNameError: name 'itms' is not defined\n"

    async def attempt(source: Source) -> Tried:
        return Tried(False, trace if "itms" in source.text else FAILED)

    model = Model("```python\ndef total(items):\n    return max(items)\n```")
    state = await fix_by_test(source_of(text), Target("a"), model, attempt, "/w/a.py")
    assert state.after.text == "def total(items):\n    return len(items)\n"
    assert [each.from_model for each in state.steps] == [False]
    assert "AssertionError" in state.left


async def test_a_test_that_passes_leaves_nothing_to_do() -> None:
    runs: list[str] = []
    state = await fix_by_test(
        source_of(SUM), Target("a"), Model(GOOD), attempt_of(lambda _: True, runs), "/w/a.py"
    )
    assert state.after is state.before
    assert len(runs) == 1


async def test_without_a_test_a_model_rewrites_the_named_place_only() -> None:
    source = source_of(SUM)
    assert (await fix_findings(source, Target("a"), Model(GOOD))).after is source
    state = await fix_findings(source, Target("a", 4, 4), Model("no", GOOD))
    assert state.after.text == SUM.replace("-=", "+=")
    nobody = await fix_findings(source, Target("a", 4, 4), Asker())
    assert nobody.after is source
    assert nobody.notes


async def test_a_rule_s_fix_comes_before_a_model() -> None:
    source = source_of("def f(items=[]):\n    items.append(1)\n    return items\n")
    model = Model()
    state = await fix_findings(source, Target("a", 1, 1), model)
    assert "items=None" in state.after.text
    assert not model.prompts
    assert not any(each.from_model for each in state.steps)


async def test_a_model_behind_the_router_fixes_what_a_test_judges() -> None:
    runs: list[str] = []
    with cloud_server() as server:
        server.answer = GOOD
        at = place("cloud", f"{server.url}/v1", provider=OpenAICompatibleProvider)
        async with routing(at) as router:
            attempt = attempt_of(lambda text: "+=" in text, runs)
            state = await fix_by_test(
                source_of(SUM), Target("a"), Asker(router), attempt, "/w/a.py"
            )
    assert state.after.text == SUM.replace("-=", "+=")
    assert [each.from_model for each in state.steps] == [True]
    assert len(server.requests) == 1
    assert b"AssertionError" in server.received


async def test_of_a_compiler_s_errors_each_is_looked_at() -> None:
    text = (
        'package main\n\nimport "os"\n\nfunc main() {\n\ttotal := 1\n'
        '\tprintln(strings.ToUpper("a"), totl)\n}\n'
    )

    async def attempt(source: Source) -> Tried:
        lines = source.text.split("\n")
        at = next(number for number, line in enumerate(lines, 1) if "println" in line)
        said = [
            f'./a.go:{lines.index(one) + 1}:8: "os" imported and not used'
            for one in lines
            if '"os"' in one
        ]
        said += ["./a.go:6:2: declared and not used: total"] if "totl" in source.text else []
        said += [f"./a.go:{at}:10: undefined: strings"] if '"strings"' not in source.text else []
        said += [f"./a.go:{at}:34: undefined: totl"] if "totl" in source.text else []
        return Tried(not said, "\n".join(said))

    source = Source("file:///w/a.go", text, "go")
    state = await fix_by_test(source, Target("a.go"), Asker(), attempt, "/w/a.go")
    assert state.tried is not None
    assert state.tried.passed, state.left
    assert len(state.steps) == 3
