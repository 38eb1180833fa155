"""What files import, in each language's ways."""

from __future__ import annotations

import pytest

from coai_agents.syntax import imports
from tests.agents.syntax.cases import tree_of


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "python",
            (
                "import a.b, c as d\nfrom . import e\nfrom ..f.g import h as i, j\n"
                "from k import *\nfrom __future__ import annotations\n"
            ),
            [
                ("a.b", None, None),
                ("c", None, "d"),
                (".", "e", None),
                ("..f.g", "h", "i"),
                ("..f.g", "j", None),
                ("k", "*", None),
                ("__future__", "annotations", None),
            ],
        ),
        (
            "javascript",
            (
                'import d, {a as b, q} from "m";\nimport * as ns from "n";\nimport "side";\n'
                'const fs = require("fs");\nconst {x, y: z} = require("os"), n = other("p");\n'
                'export * from "star";\nexport {w} from "v";\n'
            ),
            [
                ("m", None, "d"),
                ("m", "a", "b"),
                ("m", "q", None),
                ("n", "*", "ns"),
                ("side", None, None),
                ("fs", None, "fs"),
                ("os", "x", None),
                ("os", "y", "z"),
                ("star", "*", None),
                ("v", "w", None),
            ],
        ),
        (
            "typescript",
            'import type { T } from "t";\nimport r = require("rr");\n',
            [("t", "T", None), ("rr", None, "r")],
        ),
        (
            "go",
            'package a\nimport (\n\t"fmt"\n\tx "y/z"\n\t. "dot"\n\t_ "blank"\n)\nimport "os"\n',
            [
                ("fmt", None, None),
                ("y/z", None, "x"),
                ("dot", "*", None),
                ("blank", None, None),
                ("os", None, None),
            ],
        ),
        (
            "java",
            "import java.util.List;\nimport static a.B.c;\nimport d.e.*;\nimport f;\n",
            [
                ("java.util", "List", None),
                ("a.B", "c", None),
                ("d.e", "*", None),
                ("f", None, None),
            ],
        ),
        (
            "kotlin",
            "import a.b.C\nimport d.e as f\nimport g.*\n",
            [("a.b.C", None, None), ("d.e", None, "f"), ("g", "*", None)],
        ),
        (
            "scala",
            "import a.b.C\nimport d.{E, F => G}\n",
            [("a", None, None), ("d", None, None)],
        ),
        (
            "rust",
            (
                "use a::{b, c::{self, d as e}, f::*};\nuse x::y;\nuse p::q as r;\nuse s;\n"
                "use std::io::*;\nuse u::{v::w, self};\nextern crate ex;\nuse l as m;\n"
                "use g::{h::{i::{j}}};\n"
            ),
            [
                ("a", "*", None),
                ("a", "b", None),
                ("a::c", None, None),
                ("a::c", "d", "e"),
                ("x", "y", None),
                ("p", "q", "r"),
                ("s", None, None),
                ("std::io", "*", None),
                ("u", None, None),
                ("u::v", "w", None),
                ("ex", None, None),
                ("l", None, "m"),
                ("g::h::i", "j", None),
            ],
        ),
        (
            "c",
            '#include <stdio.h>\n#include "a/b.h"\n',
            [("stdio.h", None, None), ("a/b.h", None, None)],
        ),
        (
            "cpp",
            "#include <vector>\nusing std::string;\nusing namespace boost;\n",
            [("vector", None, None), ("std", "string", None), ("boost", "*", None)],
        ),
        (
            "csharp",
            "using System;\nusing X = A.B;\nusing static C.D;\n",
            [("System", None, None), ("A.B", None, "X"), ("C.D", None, None)],
        ),
        (
            "ruby",
            'require "a"\nrequire_relative \'b/c\'\nputs "x"\n',
            [("a", None, None), ("b/c", None, None)],
        ),
        (
            "php",
            (
                "<?php\nuse C\\D as E;\nuse C\\F;\nuse Top;\nuse G\\{H, I as J};\n"
                "require_once \"x.php\";\ninclude 'y.php';\n"
            ),
            [
                ("C", "D", "E"),
                ("C", "F", None),
                ("", "Top", None),
                ("G", "H", None),
                ("G", "I", "J"),
                ("x.php", None, None),
                ("y.php", None, None),
            ],
        ),
        (
            "shellscript",
            'source ./lib.sh\n. "./b.sh"\necho x\n',
            [("./lib.sh", None, None), ("./b.sh", None, None)],
        ),
        ("python", "x = 1\n", []),
    ],
)
def test_imports(
    language: str, text: str, expected: list[tuple[str, str | None, str | None]]
) -> None:
    found = imports(tree_of(language, text))
    assert [(each.module, each.name, each.alias) for each in found] == expected


def test_an_import_knows_its_place_and_what_the_file_calls_it() -> None:
    tree = tree_of("python", "# é\nfrom a import (\n    b,\n    c as d,\n)\nimport e.f\n")
    b, d, f = imports(tree)
    assert tree.source.slice(b.span).startswith("from a import (")
    assert b.span == d.span
    assert b.lines == d.lines == (1, 4)
    assert f.lines == (5, 5)
    assert [each.local_name for each in (b, d, f)] == ["b", "d", "e.f"]
