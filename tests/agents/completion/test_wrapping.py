"""Answers that are no code, or more than code: what is around the code is taken off."""

from __future__ import annotations

import pytest

from coai_agents.completion.outcome import Reason
from tests.agents.completion.fitted import fitted, shown

FENCE = "```"
PYTHON = "def add(a, b):\n    return ¦\n"
JAVASCRIPT = "function add(a, b) {\n  return ¦;\n}\n"
SIZES = (1, 4, 500)


@pytest.mark.parametrize(
    "says",
    [
        "a + b",
        f"{FENCE}python\na + b\n{FENCE}",
        f"{FENCE}\na + b\n{FENCE}\n\nThis adds the two numbers.",
        f"\n{FENCE}py\n    return a + b\n{FENCE}",
        f"{FENCE}a + b{FENCE}",
        f"{FENCE}python a + b{FENCE}",
        "~~~python\na + b\n~~~",
        f"a + b\n{FENCE}",
        f"a + b{FENCE}\n",
        f"Here is the completion:\n\n{FENCE}python\na + b\n{FENCE}",
        "Here's the completed code:\na + b",
        "Here\u2019s the missing code:\na + b",
        f"Sure! Here is what is missing:\n{FENCE}\na + b\n{FENCE}",
        f"Certainly!\n\nTo complete the function:\n\n{FENCE}python\na + b\n{FENCE}\n",
        f"**Answer:**\n{FENCE}python\na + b\n{FENCE}",
        "The missing code is `a + b`.",
        "The completed line is: `a + b`",
        "`a + b`",
        "`a + b`.",
        "<think>\nThey add.\n</think>\n\na + b",
        "<thinking>They add.</thinking>a + b",
        "a + b\n\nThis returns the sum of both numbers.",
        "a + b\n\nExplanation:\nBoth are added.",
        "a + b\n\nNote that both have to be numbers.",
        "a + b<|im_end|>\n<|im_start|>user",
        "a + b</s>",
        "a + b<\uff5cfim\u2581end\uff5c>",
        "a + b<|file_separator|>x",
        "<code>a + b</code>",
        f"{FENCE}python\ndef add(a, b):\n    return a + b\n{FENCE}",
    ],
)
def test_the_code_is_taken_out_of_an_answer(says: str) -> None:
    for size in SIZES:
        assert shown(says, PYTHON, piece=size) == PYTHON.replace("¦", "a + b")
        line = says.replace("def add(a, b):\n    ", "")
        filled = shown(line, JAVASCRIPT, "javascript", piece=size)
        assert filled == JAVASCRIPT.replace("¦", "a + b")


@pytest.mark.parametrize(
    "says",
    [
        "<think>\nThey want the sum of",
        "I'm sorry, but I can't help with that.",
        "I\u2019m sorry, I cannot assist with this.",
        "As an AI language model, I do not run code.",
        "I cannot complete this.",
        "Unfortunately, there is too little to go on.",
        "No completion needed.",
        "Sure!",
        "Here is the code:",
        f"{FENCE}python",
        f"{FENCE}\n{FENCE}",
        "<|endoftext|>",
    ],
)
def test_what_is_no_code_at_all_is_not_shown(says: str) -> None:
    for size in SIZES:
        assert isinstance(fitted(says, PYTHON, piece=size), Reason)


@pytest.mark.parametrize(
    ("says", "marked", "language"),
    [
        # Text is for people: fences and sentences are meant.
        (f"{FENCE}python\nx = 1\n{FENCE}", "# Title\n\n¦", "markdown"),
        ("Here is what there is:\n\n- one", "# Title\n\n¦", "markdown"),
        ("I'm sorry to say so.", "# Title\n\n¦", "markdown"),
        ("`code` in a line", "# Title\n\n¦", "markdown"),
        (
            f"{FENCE}python\n    x = 1\n    {FENCE}",
            'def f():\n    """Do.\n\n    ¦\n    """\n',
            "python",
        ),
        ("Here is the reason for it.", "# ¦\nx = 1\n", "python"),
        ("I'm sorry, no", 'print("¦")\n', "python"),
        ("`", 'tick = "¦"\n', "python"),
        (FENCE, "fence = '¦'\n", "python"),
        # Code that begins like a sentence.
        ("Sorry('gone')", "raise ¦\n", "python"),
        ("Sure = 1", "¦\n", "python"),
        ("Here()", "x = ¦\n", "python"),
        ("The.first(1)", "x = ¦\n", "python"),
        ("I = 3\nprint(I)", "¦", "python"),
        # Backticks that are the language's own.
        ("`hello ${name}`", "const s = ¦;\n", "javascript"),
        ("`hello there`", "const s = ¦;\n", "javascript"),
        ("`SELECT * FROM t`", "var q = ¦\n", "go"),
        ("`date`", "x=¦\n", "shellscript"),
        # Less than, more than.
        ("<T>(x: T) => x", "const f = ¦;\n", "typescript"),
        ("<code>a</code>", "<p>¦</p>\n", "html"),
        ("a < b", "x = ¦\n", "python"),
    ],
)
def test_what_is_meant_is_left_as_it_is(says: str, marked: str, language: str) -> None:
    for size in SIZES:
        assert fitted(says, marked, language, piece=size) == says


@pytest.mark.parametrize(
    ("marked", "language"),
    [
        ("# Reads ¦ of it.\n", "python"),
        ("# Reads ¦\n", "python"),
        ('"""Reads ¦ of it."""\n', "python"),
        ("// Reads ¦ of it.\n", "go"),
        ("/* Reads ¦ of it. */\n", "c"),
        ('puts "Reads ¦ of it."\n', "ruby"),
        ("const a = `Reads ¦ of it.`;\n", "typescript"),
        ("It reads ¦ of it.\n", "markdown"),
    ],
)
@pytest.mark.parametrize(
    "says",
    [
        f"{FENCE}\nall\n{FENCE}\n",
        f"{FENCE}text\nall\n{FENCE}",
        f"Here is the completion:\n{FENCE}\nall\n{FENCE}\nThis completes it.",
        f"Sure, the missing text:\n\n{FENCE}text\nall\n{FENCE}",
    ],
)
def test_a_text_does_not_go_on_with_a_fence(says: str, marked: str, language: str) -> None:
    for size in SIZES:
        assert shown(says, marked, language, piece=size) == marked.replace("¦", "all")


@pytest.mark.parametrize(
    ("marked", "language"),
    [
        ('def f():\n    """Reads it:\n\n    ¦\n    """\n', "python"),
        ("/**\n * ¦\n */\nfunction f() {}\n", "typescript"),
        ("/// ¦\nfn f() {}\n", "rust"),
    ],
)
def test_documentation_has_fences_of_its_own(marked: str, language: str) -> None:
    before = marked.partition("¦")[0]
    assert shown(f"{FENCE}\nread()\n{FENCE}", marked, language).startswith(f"{before}{FENCE}")
