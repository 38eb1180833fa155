"""What the cursor (¦) is in: comments, strings and blocks, in whole and in half-typed code."""

from __future__ import annotations

import pytest

from coai_agents.syntax import enclosing_block, in_comment, in_string
from tests.agents.syntax.cases import at_mark

JS = ("javascript", "typescript")
C_LIKE = (*JS, "go", "java", "rust", "c", "cpp", "csharp")


@pytest.mark.parametrize(
    ("languages", "text", "expected"),
    [
        (("python", "ruby", "shellscript"), "# ab¦c\nx\n", True),
        (("python", "ruby", "shellscript"), "# abc¦\nx\n", True),
        (("python", "ruby", "shellscript"), "# abc \n¦x\n", False),
        (("python", "ruby", "shellscript"), "¦# abc\n", False),
        (("python", "ruby"), "x = '# ¦'\n", False),
        (C_LIKE, "// ab¦c\n", True),
        (C_LIKE, "// abc¦\n", True),
        (C_LIKE, "// abc\n¦\n", False),
        (C_LIKE, "/* ab¦c */\n", True),
        (C_LIKE, "/* abc\n ¦\n */\n", True),
        (C_LIKE, "/* abc */¦\n", False),
        (C_LIKE, "¦/* abc */\n", False),
        (("rust",), "/// do¦c\nfn f() {}\n", True),
        (("rust",), "/// doc¦\nfn f() {}\n", True),
        (("rust",), "/// doc\n¦fn f() {}\n", False),
        (("ruby",), "=begin\na¦\n=end\nx\n", True),
        (("php",), "<?php\n# a¦\n", True),
        (("php",), "<?php\n// a¦\n", True),
        (("php",), "<?php\n/* a¦ */\n", True),
        (("php",), "<b>¦</b>\n", False),
        # Not closed yet.
        (C_LIKE, "/* abc¦", True),
        (C_LIKE, "/* abc\n\n¦\n", True),
        (("javascript",), "foo()\n/* abc¦\nbar(\n", True),
        (("javascript",), 'x = "/*"; foo(¦\n', False),
        (("javascript",), "/* a */ foo(¦\n", False),
        (("python",), "x = (¦\n", False),
        (("python",), "¦", False),
    ],
)
def test_in_comment(languages: tuple[str, ...], text: str, expected: bool) -> None:
    for language in languages:
        tree, offset = at_mark(language, text)
        assert in_comment(tree, offset) is expected, language


@pytest.mark.parametrize(
    ("languages", "text", "expected"),
    [
        (("python", "ruby", "javascript"), 'x = "ab¦c"\n', True),
        (("python", "ruby", "javascript"), 'x = "abc¦"\n', True),
        (("python", "ruby", "javascript"), 'x = "¦abc"\n', True),
        (("python", "ruby", "javascript"), 'x = ¦"abc"\n', False),
        (("python", "ruby", "javascript"), 'x = "abc"¦\n', False),
        (("python", "ruby", "javascript"), 'x = "¦"\n', True),
        (("python",), 'x = ""¦"abc"""\n', False),
        (("python",), 'x = """\n¦\n"""\n', True),
        (("python",), 'x = f"a {b¦} c"\n', False),
        (("python",), 'x = f"a ¦{b} c"\n', True),
        (("python",), 'x = f"a {b}¦ c"\n', True),
        (("python",), "x = f¦'a'\n", False),
        (JS, "x = `a ${b¦} c`\n", False),
        (JS, "x = `a ¦${b} c`\n", True),
        (JS, "x = /a¦b/\n", True),
        (("typescriptreact",), "x = <b>a¦</b>\n", False),
        (("typescriptreact",), 'x = <b c="¦">a</b>\n', True),
        (("go",), "package a\nvar x = `a\n¦`\n", True),
        (("go",), "package a\nvar x = '¦a'\n", True),
        (("java",), 'class A { String s = """\n a¦\n"""; }\n', True),
        (("rust",), 'fn f() { let s = r#"a¦"#; }\n', True),
        (("rust",), "fn f<'a>(x: &'a¦ str) {}\n", False),
        (("c", "cpp"), 'char *s = "a¦\\n";\n', True),
        (("c", "cpp"), "char c = 'a¦';\n", True),
        (("cpp",), 'auto s = R"(a¦)";\n', True),
        (("csharp",), 'var s = $"a{b¦}c";\n', False),
        (("csharp",), 'var s = $"a¦{b}c";\n', True),
        (("csharp",), 'var s = @"a¦";\n', True),
        (("ruby",), 'x = "a#{b¦}c"\n', False),
        (("ruby",), "x = %w(a ¦b)\n", True),
        (("ruby",), "x = <<~EOS\n  a¦bc\nEOS\n", True),
        (("php",), "<?php\n$x = 'a¦';\n", True),
        (("php",), "<?php\n$x = <<<EOS\na¦\nEOS;\n", True),
        (("shellscript",), 'x="a ${b¦} c"\n', False),
        (("shellscript",), 'x="a¦ $b c"\n', True),
        (("shellscript",), "x='a¦'\n", True),
        (("shellscript",), "cat <<EOF\nab¦c\nEOF\n", True),
        # Not closed yet.
        (("python", "ruby", *JS), 'x = "abc¦\ny = 1\n', True),
        (("python", *JS), 'x = "abc\ny = ¦1\n', False),
        (("python", *JS), "x = foo('a', \"b¦\n", True),
        (("python", *JS), "x = foo('a', \"it's\", ¦\n", False),
        (("python", *JS), 'x = "a\\"b¦\n', True),
        (("python",), 'def f():\n    """doc¦\n    return 1\n', True),
        (("python",), 'def f():\n    """doc\n    more¦\n', True),
        (("python",), "x = foo(  # it's¦\n", False),
        (JS, "x = `a\nb¦\n", True),
        (JS, "x = foo(1, // it's¦\n", False),
        (("java",), 'class A { void f() {\n String s = "a¦\n', True),
        (("java",), 'class A { void f() {\n String s = "a\n int ¦x;\n}}\n', False),
        (("go",), 'package a\nfunc f() {\n\tx := "a¦\n}\n', True),
        (("rust",), 'fn f() {\n  let x = "a¦\n', True),
        (("c",), 'void f() {\n  g("a¦\n}\n', True),
        (("python",), f"x = ({'a, ' * 2_000}¦\n", False),
    ],
)
def test_in_string(languages: tuple[str, ...], text: str, expected: bool) -> None:
    for language in languages:
        tree, offset = at_mark(language, text)
        assert in_string(tree, offset) is expected, language


@pytest.mark.parametrize(
    ("language", "text", "block"),
    [
        ("python", "def f():\n    a\n    ¦b\n", "a\n    b"),
        ("python", "def f():\n    a\n    ¦\n", "a"),
        ("python", "def f():\n    a\n¦\n", None),
        ("python", "def f():\n    a\n\n¦\n    b\n", "a\n\n\n    b"),
        ("python", "def f():\n    if a:\n        b\n    ¦\n", "if a:\n        b"),
        ("python", "def f():\n    if a:\n        b\n        ¦\n", "b"),
        ("python", "def f():\n\tif a:\n\t\tb\n\t\t¦\n", "b"),
        ("python", "a = 1\n¦\n", None),
        ("python", "def f(a, ¦b):\n    a\n", None),
        ("javascript", "function f() { a; ¦ }", "{ a;  }"),
        ("javascript", "function f() { a; }¦", None),
        ("javascript", "function f() ¦{ a; }", None),
        ("javascript", "function f() { if (a) {¦} }", "{}"),
        ("javascript", "function f() {\n  if (a) {\n    b;\n    ¦", "{\n    b;\n    "),
        ("javascript", "function f() {\n  if (a) {\n    ¦\n}\nfoo()\n", "{\n    "),
        ("go", "package a\nfunc f() {\n\tfor {\n\t\t¦\n\t}\n}\n", "{\n\t\t\n\t}"),
        ("java", "class A { int a; ¦ }", "{ int a;  }"),
        ("rust", "fn f() { match a { 1 => ¦2, } }", "{ 1 => 2, }"),
        ("c", "struct s { int ¦a; };", "{ int a; }"),
        ("cpp", "namespace n { ¦ }", "{  }"),
        ("csharp", "class A { int P { get { ¦ } } }", "{  }"),
        ("ruby", "class A\n  def f\n    ¦a\n  end\nend\n", "def f\n    a\n  end"),
        ("ruby", "class A\n  def f\n    a¦b\n  end\nend\n", "ab"),
        ("ruby", "xs.each do |x|\n  ¦\nend\n", "do |x|\n  \nend"),
        ("php", "<?php function f() { ¦ }", "{  }"),
        ("shellscript", "for a in b; do\n  ¦c\ndone\n", "do\n  c\ndone"),
    ],
)
def test_enclosing_block(language: str, text: str, block: str | None) -> None:
    tree, offset = at_mark(language, text)
    span = enclosing_block(tree, offset)
    assert (None if span is None else tree.source.slice(span)) == block
