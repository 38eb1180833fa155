# ruff: noqa: E501, ISC004 - each program of the table is one text
"""Fixes: each passes the verifier, changes little, and leaves a program that still does its job."""

from __future__ import annotations

import subprocess
import sys

import pytest

from coai_agents.analysis.dataflow.lowering import LANGUAGES
from coai_agents.analysis.rules.rules import catalogue, examples
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.fixes.fixers import applied, fix_rules, fixes_for, proposed, verify
from coai_agents.source import Edit, Source, Span


def _fixed(text: str, language: str = "python", title: str = "") -> list[str]:
    source = Source("untitled:x", text, language)
    analysis = analyse(source)
    fixes = fixes_for(source, analysis.findings, analysis)
    return [applied(source, fix.edits).text for fix in fixes if title in fix.title]


def test_at_least_forty_fixes_and_every_one_is_of_a_rule_and_a_language() -> None:
    rules = [rule for some in fix_rules().values() for rule in some]
    assert len({(rule.rule, rule.languages) for rule in rules}) >= 40
    assert {rule.rule for rule in rules} <= set(catalogue())
    assert {language for rule in rules for language in rule.languages} <= LANGUAGES


FIXED = sorted({each for some in fix_rules().values() for rule in some for each in rule.languages})


@pytest.mark.parametrize("language", FIXED)
def test_what_is_offered_for_the_examples_has_passed_the_verifier(language: str) -> None:
    name = "typescriptreact" if language == "tsx" else language
    offered = 0
    for example in examples(language):
        source = Source("untitled:x", example.bad, name)
        before = analyse(source)
        for fix in fixes_for(source, before.findings, before):
            offered += 1
            after = analyse(applied(source, fix.edits))
            rules = [each.rule for each in after.findings]
            assert rules.count(fix.rule) < [each.rule for each in before.findings].count(fix.rule)
    assert offered


_PROGRAMS = [
    ("Use SHA-256", "import hashlib\nprint(len(hashlib.md5(b'x').digest()) > 0)\n", "True"),
    (
        "not for security",
        "import hashlib\nprint(hashlib.md5(b'x').hexdigest())\n",
        "9dd4e461268c8034f5c8564e155c67a6",
    ),
    ("ast.literal_eval", "def f(t):\n    return eval(t)\nprint(f('[1, 2]'))\n", "[1, 2]"),
    ("secure generator", "import random\nprint(random.randint(3, 3))\n", "3"),
    (
        "Verify certificates",
        "import ssl\nc = ssl._create_unverified_context()\nprint(type(c).__name__)\n",
        "SSLContext",
    ),
    (
        "Ask for TLS 1.2",
        "import ssl\nc = ssl.create_default_context()\n"
        "c.minimum_version = ssl.TLSVersion.TLSv1_1\nprint(c.minimum_version > 0)\n",
        "True",
    ),
    (
        "created with its name",
        "import os, tempfile\np = tempfile.mktemp()\nopen(p, 'w').close()\n"
        "print(os.path.exists(p))\nos.remove(p)\n",
        "True",
    ),
    (
        "owner only",
        "import os, tempfile\nf = tempfile.NamedTemporaryFile()\nos.chmod(f.name, 0o777)\n"
        "print(os.access(f.name, os.R_OK))\n",
        "True",
    ),
    (
        "600,000",
        "import hashlib\nprint(len(hashlib.pbkdf2_hmac('sha256', b'p' + b'', b's' * int('16'), 1000)))\n",
        "32",
    ),
    ("not the end", "try:\n    1 / 0\nexcept:\n    print('caught')\n", "caught"),
    ("Compare with ==", "a = 'x' * int('1')\nprint(a is 'x' or 1)\n", "True"),
    ("`not in`", "print(not 3 in [1, 2])\n", "True"),
    ("`is not`", "print(not 3 is None)\n", "True"),
    (
        "through a copy",
        "a = [1, 2]\nfor x in a:\n    a.append(x)\n    if len(a) > 9:\n        break\nprint(a[:2])\n",
        "[1, 2]",
    ),
    (
        "time is UTC",
        "from datetime import datetime\nprint(datetime.utcnow().year > 2000)\n",
        "True",
    ),
    (
        "asyncio.sleep",
        "import asyncio\nimport time\nasync def f():\n    time.sleep(0)\n    return 5\n"
        "print(asyncio.run(f()))\n",
        "5",
    ),
    (
        "Take the text literally",
        "import re\ndef f():\n    t = input()\n    return re.search(t, 'a+b') is not None\nprint(f())\n",
        "True",
    ),
]


@pytest.mark.parametrize(
    ("title", "program", "output"), _PROGRAMS, ids=[each[0] for each in _PROGRAMS]
)
def test_a_fixed_program_still_does_its_job(title: str, program: str, output: str) -> None:
    texts = _fixed(program, title=title)
    assert texts, "nothing is offered"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", texts[0]],
        capture_output=True,
        text=True,
        timeout=30,
        input="a+b\n",
        check=True,
    )
    assert done.stdout.strip() == output


def test_an_edit_is_minimal_and_the_import_stands_with_the_others() -> None:
    text = '"""A module."""\n\nimport os\n\n\ndef f(t):\n    return eval(t)\n'
    source = Source("untitled:x", text, "python")
    analysis = analyse(source)
    (fix,) = fixes_for(source, analysis.findings, analysis)
    assert fix.edits == (
        Edit(Span(text.index("eval"), text.index("eval")), "ast.literal_"),
        Edit(Span(text.index("os\n") + 2, text.index("os\n") + 2), "\nimport ast"),
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(t):\n    return eval(t)\n", "import ast\ndef f(t):\n"),
        ("import ast\ndef f(t):\n    return eval(t)\n", "import ast\ndef f(t):\n"),
        ("# A.\r\ndef f(t):\r\n    return eval(t)\r\n", "# A.\r\nimport ast\r\ndef f(t):\r\n"),
    ],
)
def test_an_import_is_added_once_and_in_its_place(before: str, after: str) -> None:
    (text,) = _fixed(before)
    assert text.startswith(after)


_BAD = Source("untitled:x", "import hashlib\nhashlib.md5(b'x')\n", "python")


@pytest.mark.parametrize(
    ("edit", "passes"),
    [
        (Edit(Span(23, 26), "sha256"), True),
        (Edit(Span(23, 26), "sha1"), False),
        (Edit(Span(23, 26), "sha256(("), False),
        (Edit(Span(15, 32), "def f(a=[]):\n    pass"), False),
        (Edit(Span(15, 9_999), ""), False),
    ],
)
def test_the_verifier_lets_only_a_real_fix_through(edit: Edit, passes: bool) -> None:
    (finding,) = analyse(_BAD).findings
    assert verify(_BAD, finding, [edit]) is passes


def test_edits_that_overlap_are_refused() -> None:
    (finding,) = analyse(_BAD).findings
    assert not verify(_BAD, finding, [Edit(Span(15, 20), ""), Edit(Span(18, 22), "")])


def test_a_rule_that_does_not_fit_proposes_nothing() -> None:
    (finding,) = analyse(_BAD).findings
    rule = fix_rules()["python", "naive-datetime"][0]
    assert proposed(_BAD, finding, rule) == ()
    above = fix_rules()["python", "modified-while-iterating"][0]
    assert proposed(_BAD, finding, above) == ()
