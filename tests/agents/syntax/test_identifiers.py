"""The names around the cursor (¦), the nearest first."""

from __future__ import annotations

import pytest

from coai_agents.syntax import identifiers_near
from tests.agents.syntax.cases import at_mark


@pytest.mark.parametrize(
    ("language", "text", "radius", "names"),
    [
        ("python", "aa = bb + ¦cc\ndd = aa\n", 100, "cc bb dd aa"),
        ("python", "aa = bb + ¦cc\ndd = aa\n", 6, "cc bb dd"),
        ("python", "aa = bb + ¦cc\ndd = aa\n", 0, ""),
        ("python", "é = '😀' + ¦ç\n", 100, "ç é"),
        ("python", "aa.bb¦\n", 100, "bb aa"),
        ("python", "# aa\nx = 'bb'¦\n", 100, "x"),
        ("javascript", "const {a} = this.b.#c({d: ¦e});\n", 100, "e d #c b a"),
        ("typescript", "let a: B = ¦c;\n", 100, "c B a"),
        ("go", "package p\nvar a B = c.D(¦e)\n", 100, "e D c B a p"),
        ("java", "class A { B c = ¦d.e(); }\n", 100, "d e c B A"),
        ("rust", "fn f(a: B) { ¦a.c }\n", 100, "a c B f"),
        ("cpp", "n::A b = ¦c->d;\n", 100, "c b d A n"),
        ("csharp", "A b = ¦c.d;\n", 100, "c d b A"),
        ("ruby", "A.b(@c, ¦d)\n", 100, "d @c b A"),
        ("php", "<?php $a = ¦$b->c();\n", 100, "$b b $a a c"),
        ("shellscript", 'a=1\nb "$c" ¦\n', 100, "c b a"),
    ],
)
def test_identifiers_near(language: str, text: str, radius: int, names: str) -> None:
    tree, offset = at_mark(language, text)
    assert " ".join(identifiers_near(tree, offset, radius)) == names
