"""Files over 1 MB or 20,000 lines: patterns, no flow, and words that say so."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.findings.encoding import from_document, to_document
from coai_agents.analysis.run import analyzer, large
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.analysis.run.large import MAX_LINES, excess
from coai_agents.analysis.run.remembered import AnalysisCache
from coai_agents.source import Source
from coai_agents.syntax.tree import MAX_BYTES, parse_beginning

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.analysis.findings.findings import Analysis

SIZE_NOTE = "The file is larger than 1 MB: patterns were looked for, but values were not followed."
LINES_NOTE = (
    "The file has more than 20,000 lines: patterns were looked for, but values were not followed."
)


@pytest.fixture(autouse=True)
def _time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is."""
    monkeypatch.setattr(analyzer, "LARGE_BUDGET", 300.0)
    monkeypatch.setattr(analyzer, "SECRETS_BUDGET", 300.0)
    monkeypatch.setattr(large, "PARSE_SECONDS", 300.0)


def _analysis(text: str, language: str = "python") -> Analysis:
    return analyse(Source("untitled:x", text, language))


def _rules(analysis: Analysis) -> list[str]:
    return [each.rule for each in analysis.findings]


_MEGABYTE = "x" * 100 + "\n"
_PATTERN_AND_FLOW = {
    "python": (
        (
            "import hashlib, os\nfrom flask import request\n"
            "def f():\n    os.system(request.args['v'])\n    hashlib.md5(b'x')\n"
        ),
        "y = 1  # ",
        "weak-hash",
    ),
    "javascript": (
        (
            "const crypto = require('crypto');\nconst app = require('express')();\n"
            "app.get('/', (req, res) => {\n  eval(req.query.a);\n"
            "  crypto.createHash('md5').update('a');\n});\n"
        ),
        "// ",
        "weak-hash",
    ),
    "typescript": (
        (
            "import { createHash } from 'crypto';\nexport function f(req: Request): string {\n"
            "  return createHash('md5').update('a').digest('hex');\n}\n"
        ),
        "// ",
        "weak-hash",
    ),
    "java": (
        (
            "import java.security.MessageDigest;\nclass A {\n  void f(HttpServletRequest request)"
            ' throws Exception {\n    Runtime.getRuntime().exec(request.getParameter("a"));\n'
            '    MessageDigest.getInstance("MD5");\n  }\n}\n'
        ),
        "// ",
        "weak-hash",
    ),
    "go": (
        'package a\nimport "crypto/md5"\nfunc f() {\n\tmd5.Sum([]byte("a"))\n}\n',
        "// ",
        "weak-hash",
    ),
    "php": ("<?php\nsystem($_GET['a']);\necho hash('md5', $text);\n", "// ", "weak-hash"),
    "ruby": (
        "require 'digest'\nDigest::MD5.hexdigest('a')\nsystem(params[:a])\n",
        "# ",
        "weak-hash",
    ),
    "csharp": (
        (
            "using System.Security.Cryptography;\nclass A {\n  void F() {\n"
            "    var x = MD5.Create();\n"
            "  }\n}\n"
        ),
        "// ",
        "weak-hash",
    ),
}


@pytest.mark.parametrize("language", _PATTERN_AND_FLOW)
def test_a_file_over_a_megabyte_has_its_patterns_and_no_flow(language: str) -> None:
    code, comment, rule = _PATTERN_AND_FLOW[language]
    small = _analysis(code, language)
    analysis = _analysis(code + (comment + _MEGABYTE) * (MAX_BYTES // 100), language)
    assert rule in _rules(analysis)
    assert analysis.notes[0] == SIZE_NOTE
    assert not any(each.path for each in analysis.findings)
    assert set(_rules(analysis)) - {"shell-enabled"} <= set(_rules(small))
    assert not analysis.hurried


@pytest.mark.parametrize("language", ["python", "php"])
def test_so_has_one_of_more_than_twenty_thousand_lines(language: str) -> None:
    code, comment, rule = _PATTERN_AND_FLOW[language]
    analysis = _analysis(code + f"{comment}a\n" * MAX_LINES, language)
    assert rule in _rules(analysis)
    assert analysis.notes[0] == LINES_NOTE
    assert not any(each.path for each in analysis.findings)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x" * MAX_BYTES, None),
        ("x" * (MAX_BYTES + 1), "is larger than 1 MB"),
        ("é" * (MAX_BYTES // 2), None),
        ("é" * (MAX_BYTES // 2 + 1), "is larger than 1 MB"),
        ("\n" * (MAX_LINES - 1), None),
        ("\n" * MAX_LINES, "has more than 20,000 lines"),
    ],
)
def test_what_is_too_large_is_counted_in_bytes_and_in_lines(text: str, reason: str | None) -> None:
    assert excess(Source("untitled:x", text, "python")) == reason


_FILL = "x = [1, 2]\n" * MAX_LINES


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import hashlib\nhashlib.md5(b'x')\n", ["weak-hash"]),
        ("from hashlib import md5\nmd5(b'x')\n", ["weak-hash"]),
        (
            "from hashlib import md5 as quick\nclass A:\n    def f(self):\n        quick(b'x')\n",
            ["weak-hash"],
        ),
        ("import hashlib\nhashlib.md5(b'x', usedforsecurity=False)\n", []),
        ("import hashlib\nhashlib.sha256(b'x')\n", []),
        ("def f(a=[]):\n    a.append(1)\n    return a\n", ["mutable-default"]),
        (
            "import requests\nrequests.get('https://a', verify=False, timeout=3)\n",
            ["tls-verification-off"],
        ),
        # What is opened here is closed where nobody looks.
        ("def f(path):\n    file = open(path)\n    file.close()\n", []),
        # A function of the file's own is no function of a module's.
        ("def md5(x):\n    return x\nmd5(b'x')\n", []),
        # What flows there is not known, but it is no constant.
        ("import os\nfrom flask import request\nos.system(request.args['a'])\n", ["shell-enabled"]),
        ("import os\ndef g(x):\n    os.system(x)\ng(input())\n", ["shell-enabled"]),
        # A constant is one, near and far.
        ("import os\nCOMMAND = 'ls'\nos.system(COMMAND)\n", []),
        # Comments count as everywhere.
        ("import hashlib\nhashlib.md5(b'x')  # coai: ignore[weak-hash] a checksum\n", []),
    ],
)
@pytest.mark.parametrize("at_end", [False, True])
def test_patterns_of_a_large_file(code: str, found: list[str], *, at_end: bool) -> None:
    assert _rules(_analysis(_FILL + code if at_end else code + _FILL)) == found


def test_a_method_among_a_large_class_is_read_and_others_are_not() -> None:
    cold = "".join(
        f"    def cold_{number}(self):\n" + "        x = self.a + [1]\n" * 30
        for number in range(700)
    )
    hot = "    def hot(self):\n        return hashlib.md5(self.a)\n"
    (finding,) = _analysis(f"import hashlib\nclass A:\n{cold}{hot}").findings
    assert finding.rule == "weak-hash"


def test_a_whole_bundle_in_one_line_is_searched() -> None:
    words = "abc " * 150
    bundle = f"var a=function(b){{return b+'{words}'}};" * 1_700
    text = f"!function(){{{bundle}require('crypto').createHash('md5')}}();"
    analysis = _analysis(text, "javascript")
    assert _rules(analysis) == ["weak-hash"]
    assert analysis.notes == (SIZE_NOTE,)


def test_what_lies_beyond_the_bytes_that_are_searched_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(large, "MOST_BYTES", 50_000)
    harm = "import hashlib\nhashlib.md5(b'x')\n"
    analysis = _analysis(f"{harm}{_FILL * 2}{harm}")
    assert _rules(analysis) == ["weak-hash"]
    assert analysis.notes[1] == (
        "Only its first 50,000 characters, to line 4,545, were searched for patterns."
    )
    assert not analysis.hurried


def test_what_there_was_no_time_to_search_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyzer, "LARGE_BUDGET", 0.0)
    analysis = _analysis(_FILL)
    assert analysis.notes[0] == LINES_NOTE
    assert "not all patterns were looked for" in analysis.notes[1]
    assert analysis.hurried


def test_a_parse_that_does_not_end_leaves_the_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "PARSER_PATIENCE", -300.0)
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    analysis = _analysis(f"token = '{token}'\n{_FILL}")
    assert _rules(analysis) == ["secret-found"]
    assert "only secrets were looked for" in analysis.notes[0]
    assert analysis.hurried


def test_the_beginning_that_there_is_time_for_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source("untitled:x", "def f(a):\n    return (a, 1)\n\n" * 30_000, "python")
    with monkeypatch.context() as patched:
        looks = count()
        patched.setattr("coai_agents.syntax.tree.perf_counter", lambda: float(next(looks)))
        parsed = parse_beginning(source, most=10**9, budget=50.0, patience=1e9)
    assert parsed is not None
    tree, end = parsed
    assert 0 < end < len(source.text)
    assert tree.root.end_byte <= end
    assert tree.root.children[0].type == "function_definition"
    whole = parse_beginning(source, most=10**9, budget=300.0, patience=300.0)
    assert whole is not None
    assert (whole[1], whole[0].has_error) == (len(source.text), False)
    assert parse_beginning(Source("untitled:x", "a", ""), most=9, budget=1.0, patience=1.0) is None


@pytest.mark.parametrize("language", ["plaintext", "json", "c"])
def test_a_large_file_without_rules_has_its_secrets(language: str) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    assert _rules(_analysis("\n" * MAX_LINES + f'"token = {token}"', language)) == ["secret-found"]


def test_an_audit_remembers_what_was_not_cut_by_time(tmp_path: Path) -> None:
    cache = AnalysisCache(tmp_path / "audit.sqlite")
    whole = _analysis(_FILL)
    assert not whole.hurried
    cut = analyse(Source("untitled:x", "x = f(a)\n" * 5_000, "python"), budget=0.0)
    assert cut.hurried
    cache.keep({"whole": whole, "cut": cut})
    assert cache.known(["whole", "cut"]) == {"whole": whole}
    assert from_document(to_document(cut)) == cut
