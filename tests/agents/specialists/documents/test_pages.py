"""Pages about a project: what they say without a model, what of a model's words they take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import pytest

from coai_agents.application.specialists.pages import PageKind, PageWish, page
from coai_agents.source import Source
from coai_agents.specialists.asking import Asker
from coai_agents.specialists.documentation.signature import signature_of
from coai_agents.specialists.documents.pages.examples import asserted, documented, fenced_in
from coai_agents.specialists.documents.pages.interface import (
    entries_in,
    options_in,
    variables_in,
)
from coai_agents.specialists.documents.pages.project import first_paragraph, project_of
from coai_agents.specialists.documents.pages.tutorial import checked_call
from coai_agents.specialists.documents.templates import TemplateError
from coai_agents.syntax.definitions import outline
from coai_agents.syntax.tree import parse
from coai_routing.privacy.sensitivity import Sensitivity
from coai_routing.request import ModelReply
from coai_routing.router.router import Routed

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.specialists.documents.pages.examples import Example
    from coai_agents.syntax.tree import SyntaxTree
    from coai_routing.policy.question import Question
    from coai_routing.router.router import Router

MANIFEST = """
[project]
name = "slugs"
description = "Turns titles into *slugs*."
requires-python = ">=3.11"
[project.scripts]
slug = "slugs.main:main"
"""
MODULE = '''"""Makes slugs."""
import argparse
import os

LIMIT = os.environ.get("SLUG_LIMIT", "40")


def slug(title: str, limit: int = 40) -> str:
    """Return a title as a slug.

    >>> slug("A b")
    'a-b'
    """
    return title.lower().replace(" ", "-")[:limit]


def joined(first: str, second: str) -> str:
    """Join two slugs."""
    return f"{first}-{second}"


def counted(text: str) -> int:
    """Count."""
    return len(text)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-l", "--limit", help="The longest slug.")
    parser.add_argument("title")


if __name__ == "__main__":
    main()
'''
TESTS = 'from slugs.main import joined\n\ndef test_it():\n    assert joined("a", "b") == "a-b"\n'


def tree_of(text: str, language: str) -> SyntaxTree:
    tree = parse(Source("file:///w/a", text, language))
    assert tree is not None
    return tree


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "slugs").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "pyproject.toml").write_text(MANIFEST)
    (tmp_path / "slugs/__init__.py").write_text('"""Slugs."""\n')
    (tmp_path / "slugs/main.py").write_text(MODULE)
    (tmp_path / "tests/test_main.py").write_text(TESTS)
    (tmp_path / "README.md").write_text(
        "# Slugs\n\nMore.\n\n```python\nfrom slugs.main import slug\nslug('x')\n```\n\n"
        "```python\nthis is (no python\n```\n"
    )
    return tmp_path


class Speaker:
    """A router whose model says one thing."""

    def __init__(self, says: str) -> None:
        self._says = says
        self.asked: list[Question] = []

    async def answer(self, question: Question) -> Routed:
        """Say it."""
        self.asked.append(question)
        reply = ModelReply(text=self._says, finish="stop", model="m", provider="test")
        return Routed(reply.text, reply, "model", Sensitivity(), "speaker")


async def made(
    folder: Path, kind: PageKind, template: Path | None = None, says: str | None = None
) -> str:
    asker = Asker() if says is None else Asker(cast("Router", Speaker(says)))
    return (await page(folder, PageWish(kind, template), asker)).text


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        (
            PageKind.GUIDE,
            [
                "# slugs",
                r"Turns titles into \*slugs\*.",
                r"- `Python` \>=3.11 (`pyproject.toml`)",
                "- `slug` Starts `slugs.main:main`. (`pyproject.toml`)",
                "- `python slugs/main.py` Makes slugs. (`slugs/main.py`)",
                "- `-l, --limit` The longest slug. (`slugs/main.py:29`)",
                "- `title` (`slugs/main.py:30`)",
                "- `SLUG_LIMIT` Without it: `40`. (`slugs/main.py:5`)",
                "- `joined` Join two slugs. (`slugs/main.py:17`)",
            ],
        ),
        (
            PageKind.TUTORIAL,
            [
                "# slugs: a tutorial",
                "slug('x')",
                "*Parsed, not run, from `README.md:6`.*",
                "from slugs.main import slug",
                'slug("A b")',
                "'a-b'",
                "*Parsed, not run, from `slugs/main.py:11`.*",
                'joined("a", "b")',
                "*Parsed, not run, from `tests/test_main.py:4`.*",
                "counted(text)",
            ],
        ),
        (
            PageKind.ARCHITECTURE,
            [
                "# slugs: architecture",
                "- 3 files, 42 lines, 1 imports among them.",
                "```mermaid",
                "### `slugs`",
                "2 files, 37 lines. Imports no other part. Imported by `tests`.",
                "- `slugs/__init__.py` Slugs.",
                "- `python slugs/main.py` Makes slugs. (`slugs/main.py`)",
            ],
        ),
    ],
)
async def test_a_page_says_what_the_project_says(
    project: Path, kind: PageKind, lines: list[str]
) -> None:
    text = await made(project, kind)
    missing = [line for line in lines if line not in text.splitlines()]
    assert not missing, text
    assert text == await made(project, kind)
    assert "this is (no python" not in text


async def test_a_models_words_are_marked_and_speak_of_what_is_there(project: Path) -> None:
    says = "`slugs` makes slugs. `nothing_such` deletes them."
    for kind in PageKind:
        text = await made(project, kind, says=says)
        assert "*`speaker` says, unchecked:* `slugs` makes slugs." in text
        assert "nothing_such" not in text


async def test_a_model_is_shown_paths_as_the_user_names_them(project: Path) -> None:
    speaker = Speaker("Nothing.")
    await page(project, PageWish(PageKind.GUIDE), Asker(cast("Router", speaker)))
    (asked,) = speaker.asked
    assert str(project / "slugs/main.py") in asked.paths


async def test_a_template_replaces_parts(project: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('document = "$title: $options"\noptions = "$items"\nitem = "$name"\n')
    assert await made(project, PageKind.GUIDE, own) == "slugs: `-l, --limit`\n`title`\n"
    own.write_text('document = "$steps"\n')
    with pytest.raises(TemplateError, match="steps"):
        await made(project, PageKind.GUIDE, own)
    own.write_text('step = "x"\n')
    with pytest.raises(TemplateError, match="part of a guide"):
        await made(project, PageKind.GUIDE, own)


async def test_examples_are_run_by_the_users_command_alone(project: Path) -> None:
    programs: list[str] = []

    async def attempt(example: Example, program: str) -> bool:
        programs.append(program)
        return "joined" not in example.code

    wish = PageWish(PageKind.TUTORIAL, attempt=attempt, command="python {}")
    told = await page(project, wish, Asker())
    assert "*Run with `python {}`, and it held, from `slugs/main.py:11`.*" in told.text
    assert 'joined("a", "b")' not in told.text
    assert any("tests/test_main.py:4: the example fails" in each for each in told.notes)
    (asserting,) = (each for each in programs if "assert" in each)
    assert asserting == 'from slugs.main import joined\nassert joined("a", "b") == "a-b"'


@pytest.mark.parametrize("kind", PageKind)
async def test_nothing_is_still_a_page(tmp_path: Path, kind: PageKind) -> None:
    (tmp_path / "empty.py").write_text("")
    assert (await made(tmp_path, kind)).startswith(f"# {tmp_path.name}")


async def test_what_a_project_says_is_text(tmp_path: Path) -> None:
    evil = "![x](https://evil.example/p) <img src=x> \u202e [y](command:z)"
    (tmp_path / "package.json").write_text(
        f'{{"name": "a{evil}", "description": "{evil}", "bin": {{"b`{evil}": "{evil}"}},'
        f' "scripts": {{"t": "{evil}"}}, "engines": {{"node": "{evil}"}}}}'
    )
    (tmp_path / "a.js").write_text(
        f"/** {evil} */\nexport function f(a) {{}}\nprocess.env.X || '{evil}';\n"
    )
    for kind in PageKind:
        text = await made(tmp_path, kind)
        outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text)
        assert "](" not in outside.replace(r"\]", "")
        assert "<img" not in outside.replace(r"\<", "")
        assert "\u202e" not in text


VARIABLES = [
    ("python", 'import os\nos.getenv("A_B")\n# os.getenv("NOT")\nx = \'os.getenv("NO")\'', ["A_B"]),
    ("python", 'from os import environ\nenviron["A"]\nenviron.get("B", "x")', ["A", "B"]),
    ("javascript", 'process.env.A ?? "x"; process.env["B"]; // process.env.C', ["A", "B"]),
    ("typescript", "const a: string = process.env.A!;", ["A"]),
    (
        "go",
        'package m\nimport "os"\nvar a = os.Getenv("A")\nvar b, _ = os.LookupEnv("B")',
        ["A", "B"],
    ),
    ("java", 'class A { String a = System.getenv("A"); }', ["A"]),
    ("rust", 'fn f() { let a = std::env::var("A"); }', ["A"]),
    ("php", "<?php $a = getenv('A'); $b = $_ENV['B']; $c = env('C', 'x');", ["A", "B", "C"]),
    ("ruby", "a = ENV['A']\nb = ENV.fetch('B', 'x')\n# ENV['C']", ["A", "B"]),
    ("csharp", 'class A { string a = Environment.GetEnvironmentVariable("A"); }', ["A"]),
    ("c", 'int f(void) { return getenv("A") != 0; }', ["A"]),
]


@pytest.mark.parametrize(("language", "text", "names"), VARIABLES)
def test_environment_variables(language: str, text: str, names: list[str]) -> None:
    assert [each.name for each in variables_in(tree_of(text, language), "a")] == names


@pytest.mark.parametrize(
    ("language", "text", "told"),
    [
        ("python", "p.add_argument('x', help='The ' 'x.')", ["x: The x."]),
        ("python", "p.add_argument('-v', '--verbose')", ["-v, --verbose: "]),
        ("python", "@click.option('--a', help='B.')\ndef f(a): ...", ["--a: B."]),
        ("python", "a = typer.Option('--a', '-b', help='C.')", ["--a, -b: C."]),
        (
            "javascript",
            "program.option('-p, --port <n>', 'the port')",
            ["-p, --port <n>: the port"],
        ),
        ("go", 'package m\nvar a = flag.Int("port", 80, "the port")', ["-port: the port"]),
        ("go", 'package m\nfunc f() { flag.StringVar(&a, "b", "", "c") }', ["-b: c"]),
        ("go", 'package m\nvar a = fmt.String("port", 80, "x")', []),
        ("python", "option('--a')\nx.argument('b')", []),
    ],
)
def test_options(language: str, text: str, told: list[str]) -> None:
    found = options_in(tree_of(text, language), "a")
    assert [f"{each.name}: {each.text}" for each in found] == told


@pytest.mark.parametrize(
    ("language", "path", "text", "run"),
    [
        ("python", "a/b.py", "if __name__ == '__main__':\n    f()", "python a/b.py"),
        ("go", "cmd/x/main.go", "package main\nfunc main() {}", "go run ./cmd/x"),
        ("java", "A.java", "class A { public static void main(String[] a) {} }", "java A.java"),
        ("rust", "src/main.rs", "fn main() {}", "cargo run"),
        ("javascript", "bin/x", "#!/usr/bin/env node\nf();", "./bin/x"),
        ("ruby", "a.rb", "if __FILE__ == $0\n  f\nend", "ruby a.rb"),
        ("python", "a.py", "x = '''\nif __name__ == '__main__':\n'''", None),
    ],
)
def test_where_programs_begin(language: str, path: str, text: str, run: str | None) -> None:
    found = [each.name for each in entries_in(tree_of(text, language), path)]
    assert found == ([] if run is None else [run])


@pytest.mark.parametrize(
    ("file", "text", "name", "commands"),
    [
        ("pyproject.toml", MANIFEST, "slugs", ["slug"]),
        (
            "pyproject.toml",
            '[tool.poetry]\nname = "a"\n[tool.poetry.scripts]\nb = "c:d"',
            "a",
            ["b"],
        ),
        ("setup.cfg", "[metadata]\nname = a\n", "a", []),
        (
            "package.json",
            '{"name": "@x/a", "bin": "cli.js", "scripts": {"t": "u"}}',
            "@x/a",
            ["a", "npm run t"],
        ),
        (
            "package.json",
            '{"name": 3, "bin": [1, null], "scripts": "x", "engines": []}',
            "",
            ["npm run x"],
        ),
        ("package.json", "{broken", "", []),
        ("package.json", "[]", "", []),
        ("Cargo.toml", '[package]\nname = "a"\n[[bin]]\nname = "b"', "a", ["b"]),
        ("go.mod", "module example.com/a\n\ngo 1.22\n", "example.com/a", []),
        ("composer.json", '{"name": "v/a", "bin": ["bin/a"]}', "v/a", ["bin/a"]),
        (
            "pom.xml",
            "<project><parent><artifactId>p</artifactId></parent><artifactId>a</artifactId></project>",
            "a",
            [],
        ),
    ],
)
def test_manifests(file: str, text: str, name: str, commands: list[str]) -> None:
    found = project_of(lambda asked: text if asked == file else None)
    assert found.name == name
    assert [each.name for each in found.commands] == commands


@pytest.mark.parametrize(
    ("readme", "says"),
    [
        ("# A\n\n[![b](c)](d)\n\nIt does\n[this](x).\n\nMore.", "It does this."),
        ("A\n===\n\nIt does.\n", "It does."),
        ("```\ncode\n```\n\n- a\n\n<p>x</p>\n\nIt does.", "It does."),
        ("# A\n", ""),
        ("", ""),
    ],
)
def test_a_readmes_first_paragraph(readme: str, says: str) -> None:
    assert first_paragraph(readme) == says


@pytest.mark.parametrize(
    ("language", "comment", "codes"),
    [
        (
            "python",
            '"""X.\n\n>>> f(1)\n2\n\nText.\n\n>>> for a in b:\n...     a\n"""',
            ["f(1)", "for a in b:\n    a"],
        ),
        ("python", '"""X.\n\n```python\nf(1)\n```\n"""', ["f(1)"]),
        ("javascript", "/**\n * X.\n * @example\n * f(1);\n * @returns y\n */", ["f(1);"]),
        ("rust", "/// X.\n///\n/// ```\n/// f(1);\n/// ```", ["f(1);"]),
        ("go", "// X.\n//\n//\tf(1)", []),
        ("python", '"""X.\n\n>>> f(\n"""', []),
    ],
)
def test_examples_of_documentation(language: str, comment: str, codes: list[str]) -> None:
    found = documented(comment, language, "a", 1, "")
    assert [each.code for each in found] == codes


@pytest.mark.parametrize(
    ("language", "text", "found"),
    [
        ("python", "def test():\n    assert f(1, 'a') == [2]\n", ["f(1, 'a') -> [2]"]),
        ("python", "def test():\n    assert f(x) == 2\n    assert g(1) == 2\n", []),
        ("python", "def test():\n    assert f(1) == y\n", []),
        (
            "javascript",
            "test('x', () => {\n  expect(f(1)).toEqual({ a: 2 });\n});",
            ["f(1) -> { a: 2 }"],
        ),
        ("ruby", "def test_x\n  assert_equal 2, f(1)\nend", ["f(1) -> 2"]),
        ("rust", "fn t() {\n    assert_eq!(f(1), 2);\n}", ["f(1) -> 2"]),
        ("java", "class T { void t() {\n    assertEquals(2, f(1));\n} }", ["f(1) -> 2"]),
        ("php", "<?php class T { function t() {\n $this->assertSame(2, f(1));\n} }", ["f(1) -> 2"]),
    ],
)
def test_examples_of_tests(language: str, text: str, found: list[str]) -> None:
    told = asserted(tree_of(text, language), "a", ["f"])
    assert [f"{each.code} -> {each.gives}" for _, each in told] == found


def test_only_code_that_parses_is_an_example() -> None:
    text = "```python\nx = 1\n```\n\n```py\nx = (\n```\n\n```\nplain\n```\n\n~~~js\nf();\n~~~\n"
    assert [(each.language, each.code) for each in fenced_in(text, "a")] == [
        ("python", "x = 1"),
        ("javascript", "f();"),
    ]


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        ("f(1, 'a')", True),
        ("`f(1, b=[1, -2])`", True),
        ("Here it is:\nf(1, b={'x': None})\nThat is all.", True),
        ("f(1)", False),  # b has no default
        ("f(1, 2, 3, 4)", False),
        ("f(1, z=2)", False),
        ("f(x, 2)", False),
        ("f(g(1), 2)", False),
        ("g(1, 2)", False),
        ("f(1, __import__('os').system('id'))", False),
        ("f(1, 2); import os", False),
        ("", False),
    ],
)
def test_a_models_call_is_held_against_the_signature(answer: str, *, taken: bool) -> None:
    tree = tree_of("def f(a, b, c=1): ...", "python")
    signature = signature_of(tree, outline(tree)[0])
    assert signature is not None
    assert (checked_call(answer, signature, "python") is not None) == taken
