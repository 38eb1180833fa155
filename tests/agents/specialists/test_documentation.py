"""The documentation agent: what it says is true of the code, and the code stays as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.source import Edit, Source
from coai_agents.specialists import edits
from coai_agents.specialists.answers import Origin
from coai_agents.specialists.asking import Asker, FormT, Prompt, Said
from coai_agents.specialists.documentation import agent
from coai_agents.specialists.documentation.agent import (
    Documented,
    document,
    document_all,
    file_convention,
    undocumented,
)
from coai_agents.specialists.documentation.checking import Misfit
from coai_agents.specialists.documentation.comment import Described, DocComment
from coai_agents.specialists.documentation.convention import Convention, convention_of
from coai_agents.specialists.documentation.placing import placed
from coai_agents.specialists.documentation.reading import read
from coai_agents.specialists.documentation.signature import signature_of
from coai_agents.specialists.documentation.skeleton import words_of
from coai_agents.specialists.documentation.stale import mended, stale_documentation
from coai_agents.specialists.documentation.writing import written
from coai_agents.specialists.edits import change, code_tokens, parses_no_worse
from coai_agents.syntax.definitions import FUNCTIONS, outline
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

PROGRAMS = {
    "python": "class A:\n    async def f(self, a, b: int = 2, *rest, key=None, **more) -> int:\n"
    "        if a:\n            raise ValueError(a)\n        return b\n",
    "javascript": "export class A {\n  async f(a, b = 2, ...rest) {\n"
    "    if (!a) throw new TypeError('a');\n    return b;\n  }\n}\n",
    "typescript": "export function f(a: string, b?: number, ...rest: string[]): number {\n"
    "  if (!a) throw new TypeError('a');\n  return b ?? 1;\n}\n",
    "java": "class A {\n    @Override\n    public int f(final String a, int[] b, String... rest)"
    " throws IOException {\n        throw new IllegalStateException(a);\n    }\n}\n",
    "go": "package p\n\nfunc (t *T) F(a, b int, rest ...string) (int, error) {\n"
    "\treturn a, nil\n}\n",
    "php": "<?php\nclass A {\n    public function f(string $a, ?int $b = null, ...$rest): int\n"
    "    {\n"
    "        throw new \\Foo\\BadThing($a);\n    }\n}\n",
    "ruby": "class A\n  def f(a, b = 1, *rest, key:, **more)\n"
    '    raise ArgumentError, "a" unless a\n    return b\n  end\nend\n',
    "csharp": "class A\n{\n    public int F(string a, int b = 2)\n    {\n"
    '        throw new ArgumentException("a");\n    }\n}\n',
    "rust": "impl A {\n    #[inline]\n    pub fn f(&self, a: i32, mut b: Vec<String>) -> i32 {\n"
    "        a\n    }\n}\n",
    "cpp": "template <class T>\nint f(const std::string &a, int b = 3) {\n"
    '    throw std::runtime_error("a");\n}\n',
    "c": "static int f(char *a, int b[]) {\n    return 1;\n}\n",
}
EXPECTED = {
    "python": ((*"ab", "rest", "key", "more"), ("ValueError",)),
    "javascript": ((*"ab", "rest"), ("TypeError",)),
    "typescript": ((*"ab", "rest"), ("TypeError",)),
    "java": ((*"ab", "rest"), ("IOException", "IllegalStateException")),
    "go": ((*"ab", "rest"), ()),
    "php": ((*"ab", "rest"), ("BadThing",)),
    "ruby": ((*"ab", "rest", "key", "more"), ("ArgumentError",)),
    "csharp": (tuple("ab"), ("ArgumentException",)),
    "rust": (tuple("ab"), ()),
    "cpp": (tuple("ab"), ("runtime_error",)),
    "c": (tuple("ab"), ()),
}


def tree_of(text: str, language: str) -> SyntaxTree:
    tree = parse(Source("untitled:a", text, language))
    assert tree is not None
    return tree


@pytest.mark.parametrize("language", PROGRAMS)
def test_a_signature_is_read_from_the_tree(language: str) -> None:
    tree = tree_of(PROGRAMS[language], language)
    found = next(each for each in outline(tree) if each.kind in FUNCTIONS)
    signature = signature_of(tree, found)
    assert signature is not None
    assert (signature.names, signature.raises) == EXPECTED[language]
    assert signature.returns is not None


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("language", PROGRAMS)
async def test_a_skeleton_names_everything_and_leaves_the_code_alone(
    language: str, ending: str
) -> None:
    tree = tree_of(PROGRAMS[language].replace("\n", ending), language)
    convention = file_convention(tree)
    assert convention is not None
    found = next(each for each in outline(tree) if each.kind in FUNCTIONS)
    answer = await document(tree, found, convention, Asker())
    assert isinstance(answer, Documented), answer
    assert answer.origin is Origin.FACT
    made = change(tree.source, [answer.edit])
    assert code_tokens(made.after) == code_tokens(tree.source)
    assert parses_no_worse(tree.source, made.after)
    again = tree_of(made.after.text, language)
    now = next(each for each in outline(again) if each.kind in FUNCTIONS)
    assert now.documentation is not None
    comment = read(again.source.slice(now.documentation))
    assert tuple(each.name for each in comment.parameters) == EXPECTED[language][0]
    assert not list(stale_documentation(again))
    assert ending == "\n" or "\n" not in made.after.text.replace("\r\n", "")


@pytest.mark.parametrize("convention", Convention)
def test_what_is_written_is_read_again(convention: Convention) -> None:
    long = "The value that is looked at, and whose words take more than a single line of text."
    comment = DocComment(
        "Do it.",
        "",
        (Described("first", long), Described("second", "The other.")),
        Described("", "What came of it."),
        None,
        (Described("ValueError", "If it cannot be done."),),
    )
    again = read(written(comment, convention, indent="    ", name="F"))
    assert [(each.name, each.text) for each in again.parameters] == [
        ("first", long),
        ("second", "The other."),
    ]
    if convention not in (Convention.GODOC, Convention.RUSTDOC):
        assert [each.name for each in again.raises] == ["ValueError"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"""A.\n\nArgs:\n    x: y\n"""', Convention.GOOGLE),
        ('"""A.\n\nParameters\n----------\nx : int\n    y\n"""', Convention.NUMPY),
        ('"""A.\n\n:param x: y\n"""', Convention.REST),
        ('"""A.\n\n@param x: y\n"""', Convention.EPYTEXT),
        ('"""A."""', Convention.GOOGLE),
    ],
)
def test_a_python_file_keeps_its_own_convention(text: str, expected: Convention) -> None:
    assert convention_of("python", [text]) is expected


@pytest.mark.parametrize(
    ("name", "words"),
    [("maxRetries", "max retries"), ("max_retries", "max retries"), ("HTTPServer", "HTTP server")],
)
def test_a_name_is_taken_apart_into_words(name: str, words: str) -> None:
    assert words_of(name) == words


GOOD = (
    "def f(first, second=1):\n"
    '    """Do it.\n\n    Args:\n        first: The first.\n        second: The second.\n\n'
    "    Returns:\n        It.\n\n    Raises:\n        ValueError: If so.\n"
    '    """\n    if first:\n        raise ValueError(second)\n    return second\n'
)


@pytest.mark.parametrize(
    ("old", "new", "kind", "name", "instead"),
    [
        ("        first: The first.\n", "", Misfit.MISSING_PARAMETER, "first", ""),
        ("        first: ", "        one: ", Misfit.INVENTED_PARAMETER, "one", "first"),
        (
            "        second: ",
            "        third: No.\n        second: ",
            Misfit.INVENTED_PARAMETER,
            "third",
            "",
        ),
        (
            "        ValueError: ",
            "        KeyError: ",
            Misfit.INVENTED_EXCEPTION,
            "KeyError",
            "ValueError",
        ),
    ],
)
def test_documentation_that_no_longer_fits_is_found_and_mended(
    old: str, new: str, kind: Misfit, name: str, instead: str
) -> None:
    tree = tree_of(GOOD.replace(old, new), "python")
    (found,) = stale_documentation(tree)
    assert (found.problem.kind, found.problem.name, found.problem.instead) == (kind, name, instead)
    edit = mended(tree, found, Convention.GOOGLE)
    assert edit is not None
    after = change(tree.source, [edit]).after
    assert not list(stale_documentation(tree_of(after.text, "python")))
    assert code_tokens(after) == code_tokens(tree.source)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        'def f(a, b):\n    """Do it with both."""\n    return a + b\n',
        'def f(a, **more):\n    """Do.\n\n    Args:\n        a: A.\n        depth: One.\n    """\n',
        'def f(a):\n    """Do.\n\n    Raises:\n        KeyError: By g.\n    """\n    g(a)\n',
        'def f(*names):\n    """Do.\n\n    Args:\n        *names: All.\n    """\n',
        "def f():\n    try:\n        raise ValueError\n    except ValueError:\n        return 1\n",
    ],
)
def test_documentation_that_fits_is_left_alone(text: str) -> None:
    assert list(stale_documentation(tree_of(text, "python"))) == []


MANY = "".join(f"def f{at}(a):\n    return a + {at}\n\n\n" for at in range(130))


@pytest.mark.parametrize("spoilt", [(), ("f7",), ("f0", "f64", "f129")])
async def test_many_functions_are_documented_by_few_parses(
    spoilt: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    parses = 0

    def counted(*given: object, **more: object) -> SyntaxTree | None:
        nonlocal parses
        parses += 1
        return parse(*given, **more)  # pyright: ignore[reportArgumentType] - handed on

    def spoiling(
        tree: SyntaxTree, definition: Definition, comment: DocComment, convention: Convention
    ) -> Edit | None:
        edit = placed(tree, definition, comment, convention)
        if edit is not None and definition.name in spoilt:
            return Edit(edit.span, "a = 0\n    ")
        return edit

    monkeypatch.setattr(edits, "parse", counted)
    monkeypatch.setattr(agent, "placed", spoiling)
    tree = tree_of(MANY, "python")
    convention = file_convention(tree)
    assert convention is not None
    done = await document_all(tree, undocumented(tree), convention, Asker())
    refused = [each.name for each in done if not isinstance(each, Documented)]
    assert refused == list(spoilt)
    assert len(done) == 130
    assert parses <= 1 + 16 * len(spoilt)


class Writer(Asker):
    """Fills the first slot with what it is told to, and the others with a plain sentence."""

    def __init__(self, first: str) -> None:
        super().__init__()
        self._first = first

    @property
    def absent(self) -> str | None:
        return None

    async def fill(
        self, prompt: Prompt, form: type[FormT], *, temperature: float = 0.0
    ) -> tuple[FormT, Said]:
        del prompt, temperature
        names = [each.alias or name for name, each in form.model_fields.items()]
        texts = dict.fromkeys(names, "What it is.") | {names[0]: self._first}
        return form.model_validate(texts), Said("", "model", local=True)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("java", "Adds them. @param input the text"),
        ("java", "@throws Nothing never"),
        ("javascript", "@param {string} input The text."),
        ("php", "@param string $input The text."),
        ("python", ":param input: the text"),
        ("python", "Raises Nothing: never"),
        ("csharp", '<param name="input">The text.</param>'),
    ],
)
async def test_words_that_would_be_read_as_a_parameter_are_left_out(
    language: str, words: str
) -> None:
    tree = tree_of(PROGRAMS[language], language)
    convention = file_convention(tree)
    assert convention is not None
    found = next(each for each in outline(tree) if each.kind in FUNCTIONS)
    answer = await document(tree, found, convention, Writer(words))
    assert isinstance(answer, Documented)
    assert answer.origin is Origin.CHECKED
    assert "What it is." in answer.edit.text
    assert not list(
        stale_documentation(tree_of(change(tree.source, [answer.edit]).after.text, language))
    )


def test_only_what_others_call_wants_documentation() -> None:
    text = "def a():\n    pass\n\n\ndef _b():\n    pass\n\n\ndef c():\n    '''C.'''\n"
    assert [each.name for each in undocumented(tree_of(text, "python"))] == ["a"]


async def test_a_body_on_the_line_of_its_signature_gets_a_line_of_its_own() -> None:
    tree = tree_of("class A:\n\tdef f(self, a): return a\n", "python")
    found = next(each for each in outline(tree) if each.kind in FUNCTIONS)
    answer = await document(tree, found, Convention.GOOGLE, Asker())
    assert isinstance(answer, Documented)
    after = change(tree.source, [answer.edit]).after
    compile(after.text, "a.py", "exec")
    assert code_tokens(after) == code_tokens(tree.source)
