"""What files define: outlines in each language, documentation, and the function at the cursor."""

from __future__ import annotations

import pytest

from coai_agents.source import Span
from coai_agents.syntax import Kind, definitions, enclosing_function, outline
from tests.agents.syntax.cases import SAMPLES, at_mark, tree_of

OUTLINES = {
    "python": """\
class Account | class Account:
  method Account.withdraw | def withdraw(self, amount: int) -> int:""",
    "javascript": """\
variable os | const os = require("os");
class Account | class Account extends Base
  method Account.withdraw | withdraw(amount)""",
    "typescriptreact": """\
interface Props | interface Props
  field Props.name | name: string
  field Props.count | count?: number
function View | export const View = ({ name }: Props): JSX.Element =>""",
    "go": """\
class Account | type Account struct
  field Account.balance | balance int
function Withdraw | func (a *Account) Withdraw(amount int) (int, error)""",
    "java": """\
class Account | public class Account
  field Account.balance | private int balance = 1;
  method Account.withdraw | int withdraw(int amount)""",
    "kotlin": """\
class Account | class Account(private var balance: Int) : Base()
  method Account.withdraw | fun withdraw(amount: Int): Int""",
    "scala": """\
class Account | class Account(var balance: Int) extends Base
  method Account.withdraw | def withdraw(amount: Int): Int =""",
    "rust": """\
class Account | pub struct Account
  field Account.balance | balance: i32
implementation Account | impl Account
  method Account.withdraw | fn withdraw(&mut self, amount: i32) -> Result<i32, String>""",
    "c": """\
class account | struct account
  field account.balance | int balance;
function withdraw | static int withdraw(struct account *a, int amount)""",
    "cpp": """\
module bank | namespace bank
  class bank.Account | template <typename T>⏎class Account
    method bank.Account.Account | explicit Account(T balance) : balance_(balance)
    method bank.Account.withdraw | T withdraw(T amount)
    field bank.Account.balance_ | T balance_;""",
    "csharp": """\
module Bank | namespace Bank
  class Bank.Account | public class Account
    field Bank.Account.balance | private int balance = 1;
    method Bank.Account.Withdraw | public int Withdraw(int amount)""",
    "ruby": """\
class Account | class Account < Base
  method Account.withdraw | def withdraw(amount)""",
    "php": """\
module Bank | namespace Bank;
class Account | class Account extends Base
  method Account.withdraw | public function withdraw(int $amount): int""",
    "shellscript": "function withdraw | withdraw()",
}


def shown(language: str, text: str) -> str:
    """Return an outline with a line for each definition."""
    tree = tree_of(language, text)
    return "\n".join(
        f"{'  ' * each.depth}{each.kind.value} {each.qualified_name}"
        f" | {tree.source.slice(each.signature)}".replace("\n", "⏎")
        for each in outline(tree)
    )


@pytest.mark.parametrize("language", sorted(OUTLINES))
def test_outline_of_a_file(language: str) -> None:
    assert shown(language, SAMPLES[language]) == OUTLINES[language]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "python",
            (
                "X = 1\n@a\n@b\nclass A:\n    y: int = 2\n    async def f(self):\n        z = 3\n"
                "        def g(): pass\nh = lambda x: x\ni.j = 4\ntype T = int\n"
            ),
            (
                "variable X | X = 1\nclass A | @a⏎@b⏎class A:\n  field A.y | y: int = 2\n"
                "  method A.f | async def f(self):\n    function A.f.g | def g():\n"
                "function h | h = lambda x:\ntype T | type T = int"
            ),
        ),
        (
            "javascript",
            (
                "class A { b = 1; c = () => { 2 }; #d() {} }\nfunction* g() {}\n"
                "const K = class { m() {} };\nvar v = function named() { };\nexports.w = () => 1;\n"
                "const o = { p: () => 1, q() {}, r: 2 };\nxs.map((x) => { const y = 1; });\n"
                "export default function z() {}\nlet a = 1, b2 = 2;\nd = 3;\n"
            ),
            (
                "class A | class A\n  field A.b | b = 1\n  method A.c | c = () =>\n"
                "  method A.#d | #d()\nfunction g | function* g()\nclass K | const K = class\n"
                "  method K.m | m()\nfunction v | var v = function named()\n"
                "function w | exports.w = () =>\n"
                "variable o | const o = { p: () => 1, q() {}, r: 2 };\n  function o.p | p: () =>\n"
                "  function o.q | q()\nfunction z | export default function z()\n"
                "variable a | a = 1\nvariable b2 | b2 = 2"
            ),
        ),
        (
            "typescript",
            (
                "type A = { a: 1 };\nenum E { X }\nnamespace N { function h() {} }\n"
                "abstract class Q { abstract z(): void; w = () => 1; static v: number }\n"
                "function over(a: string): void;\ndeclare const x: number;\n"
            ),
            (
                "type A | type A =\n  field A.a | a: 1\nenum E | enum E\nmodule N | namespace N\n"
                "  function N.h | function h()\nclass Q | abstract class Q\n"
                "  method Q.z | abstract z(): void\n  method Q.w | w = () =>\n"
                "  field Q.v | static v: number\n"
                "function over | function over(a: string): void;\n"
                "variable x | declare const x: number;"
            ),
        ),
        (
            "go",
            (
                "package a\ntype I interface { F() }\ntype (\n\tA int\n\tB = string\n)\n"
                "const c = 1\n"
                "var (\n\td = 2\n\te = 3\n)\nfunc g() { var local = 1 }\n"
            ),
            (
                "interface I | type I interface\n  method I.F | F()\ntype A | A int\n"
                "type B | B = string\nvariable c | const c = 1\nvariable d | d = 2\n"
                "variable e | e = 3\nfunction g | func g()"
            ),
        ),
        (
            "java",
            (
                "interface I { void g(); int K = 1; }\nenum E { A; void h() {} }\n"
                "record R(int a) {}\n"
                "@interface An { int v(); }\nclass C { C() { } class D { } }\n"
            ),
            (
                "interface I | interface I\n  method I.g | void g();\n  field I.K | int K = 1;\n"
                "enum E | enum E\n  method E.h | void h()\nclass R | record R(int a)\n"
                "interface An | @interface An\n  method An.v | int v();\nclass C | class C\n"
                "  method C.C | C()\n  class C.D | class D"
            ),
        ),
        (
            "rust",
            (
                "mod m { fn g() {} }\nmacro_rules! mm { () => {} }\n"
                "trait Tr { fn r(&self); const K: i32 = 1; type Ty; }\nenum En { A }\n"
                "static ST: i32 = 1;\ntype Al = i32;\nimpl<T> Tr for Vec<T> {}\n"
            ),
            (
                "module m | mod m\n  function m.g | fn g()\n"
                "macro mm | macro_rules! mm\n"
                "interface Tr | trait Tr\n  method Tr.r | fn r(&self);\n"
                "  field Tr.K | const K: i32 = 1;\n  type Tr.Ty | type Ty;\nenum En | enum En\n"
                "variable ST | static ST: i32 = 1;\ntype Al | type Al = i32;\n"
                "implementation Vec | impl<T> Tr for Vec<T>"
            ),
        ),
        (
            "c",
            (
                "#define N 1\n#define M(x) (x)\nint g(void);\nchar **h(int a) { int b; }\n"
                "int v = 1;\n"
                "typedef struct { int b; } t;\nenum e { A };\nstruct s inst;\nint (*cb)(void);\n"
            ),
            (
                "macro N | #define N 1\nmacro M | #define M(x) (x)\nfunction g | int g(void);\n"
                "function h | char **h(int a)\nvariable v | int v = 1;\n"
                "type t | typedef struct { int b; } t;\n  field t.b | int b;\nenum e | enum e\n"
                "variable inst | struct s inst;\nfunction cb | int (*cb)(void);"
            ),
        ),
        (
            "cpp",
            (
                "class C { ~C(); int &f(); };\nint n::C::g() { }\n"
                "T& h() { auto l = [](int x) { }; }\n"
                "using X = int;\ntemplate <class T> concept Q = true;\n"
            ),
            (
                "class C | class C\n  method C.~C | ~C();\n  method C.f | int &f();\n"
                "function n::C::g | int n::C::g()\nfunction h | T& h()\ntype X | using X = int;\n"
                "type Q | template <class T> concept Q = true;"
            ),
        ),
        (
            "csharp",
            (
                "namespace N;\ninterface I { void M(); }\nenum E { A }\nrecord R(int a);\n"
                "class C { int P { get; set; } int G() => 1; "
                "void F() { int v = 1; void L() {} } }\n"
                "delegate void D(int a);\n"
            ),
            (
                "module N | namespace N;\ninterface I | interface I\n  method I.M | void M();\n"
                "enum E | enum E\nclass R | record R(int a);\nclass C | class C\n"
                "  field C.P | int P\n"
                "  method C.G | int G()\n  method C.F | void F()\n    function C.F.L | void L()\n"
                "type D | delegate void D(int a);"
            ),
        ),
        (
            "ruby",
            (
                "class A::B < C\n  X = 1\n  def self.g = 1\n  class << self\n"
                "    def h; end\n  end\n"
                "end\nmodule M\nend\n"
            ),
            (
                "class A::B | class A::B < C\n  field A::B.X | X = 1\n"
                "  method A::B.g | def self.g =\n  class A::B.self | class << self\n"
                "    method A::B.self.h | def h;\nmodule M | module M"
            ),
        ),
        (
            "php",
            (
                "<?php\nconst K = 1;\nclass X { private $z = 1; const Q = 2; }\n"
                "interface In { function m(); }\ntrait Tr { }\nenum En { case A; }\n"
                "function h() { $f = function () { }; }\n"
            ),
            (
                "variable K | const K = 1;\nclass X | class X\n  field X.$z | private $z = 1;\n"
                "  field X.Q | const Q = 2;\ninterface In | interface In\n"
                "  method In.m | function m();\nclass Tr | trait Tr\nenum En | enum En\n"
                "function h | function h()"
            ),
        ),
        (
            "shellscript",
            "function g { x; }\nV=1\nexport W=2\nf() {\n  L=3\n}\n",
            "function g | function g\nvariable V | V=1\nvariable W | export W=2\nfunction f | f()",
        ),
        ("python", "", ""),
        ("python", "def f(:\n", "function f | def f(:"),
    ],
)
def test_outline_of_each_kind_of_definition(language: str, text: str, expected: str) -> None:
    assert shown(language, text) == expected


@pytest.mark.parametrize(
    ("language", "text", "name", "documentation", "full"),
    [
        ("python", 'def f():\n    """D."""\n    a\n', "f", '"""D."""', None),
        ("python", "# one\n# two\n@d\ndef f():\n    a\n", "f", "# one\n# two", "# one"),
        ("python", "# far\n\ndef f():\n    a\n", "f", None, None),
        ("python", "a = 1  # not for f\ndef f():\n    a\n", "f", None, None),
        ("javascript", "/** D. */\nexport const f = () => { };\n", "f", "/** D. */", "/** D"),
        ("typescript", "class A {\n  // D.\n  @d()\n  f() {}\n}\n", "f", "// D.", "// D"),
        ("rust", "/// D.\n/// E.\n#[test]\nfn f() {}\n", "f", "/// D.\n/// E.", "/// D"),
        ("go", "package a\n\n// D.\nfunc f() {}\n", "f", "// D.", "// D."),
        (
            "java",
            "class A {\n  /**\n   * D.\n   */\n  @X\n  void f() {}\n}\n",
            "f",
            "/**\n   * D.\n   */",
            "/**",
        ),
        ("ruby", "# D.\ndef f\nend\n", "f", "# D.", "# D."),
    ],
)
def test_documentation(
    language: str, text: str, name: str, documentation: str | None, full: str | None
) -> None:
    tree = tree_of(language, text)
    (found,) = definitions(tree)[name]
    span = found.documentation
    assert (None if span is None else tree.source.slice(span)) == documentation
    start = tree.source.slice(found.full_span)
    assert start.startswith(full) if full else found.full_span == found.span


def test_definitions_of_one_name_are_all_there() -> None:
    tree = tree_of("python", "def f(): pass\ndef g(): pass\ndef f(a): pass\n")
    found = definitions(tree)
    assert {name: len(each) for name, each in found.items()} == {"f": 2, "g": 1}


def test_offsets_count_code_points() -> None:
    tree = tree_of("python", "# 😀é\ndef f(é):\n    return '😀'\n")
    (found,) = outline(tree)
    assert found.span == Span(5, 29)
    assert tree.source.slice(found.signature) == "def f(é):"
    assert found.body is not None
    assert tree.source.slice(found.body) == "return '😀'"


@pytest.mark.parametrize(
    ("language", "text", "signature", "body"),
    [
        ("python", "def f(a):\n    ¦b\n", "def f(a):", "b"),
        ("python", "def f(a¦):\n    b\n", "def f(a):", "b"),
        ("python", "def f(a):\n    b\n    ¦\n\nc\n", "def f(a):", "b"),
        ("python", "def f(a):\n    b\n¦\nc\n", None, None),
        ("python", "def f(a):\n    b\n\n¦\n\n    c\n", "def f(a):", "b\n\n\n\n    c"),
        ("python", "def f(a):\n    ¦\n", "def f(a):", ""),
        ("python", "def f(a):¦\n", None, None),
        ("python", "class A:\n    def f(a):\n        b\n    ¦\n", None, None),
        ("python", "def f():\n    def g():\n        a\n        ¦\n", "def g():", "a"),
        ("python", "def f():\n    def g():\n        a\n    ¦\n", "def f():", "def g():\n        a"),
        ("python", "a = 1¦\n", None, None),
        ("javascript", "class A { f(a) { ¦ } }", "f(a)", "{  }"),
        ("javascript", "const f = (a) => { ¦ };", "const f = (a) =>", "{  }"),
        ("javascript", "xs.map((x) => { ¦ });", "(x) =>", "{  }"),
        ("javascript", "function f() { }¦", None, None),
        ("javascript", "class A { ¦ f() {} }", None, None),
        ("go", "package a\nfunc (t *T) F() int { ¦ }", "func (t *T) F() int", "{  }"),
        ("java", "class A { A() { ¦ } }", "A()", "{  }"),
        ("rust", "impl A { fn f(&self) { ¦ } }", "fn f(&self)", "{  }"),
        ("c", "int *f(int a) { ¦ }", "int *f(int a)", "{  }"),
        ("cpp", "int A::f() const { ¦ }", "int A::f() const", "{  }"),
        ("csharp", "class A { int F() { ¦ } }", "int F()", "{  }"),
        ("ruby", "class A\n  def f(x)\n    a¦b\n  end\nend\n", "def f(x)", "ab"),
        ("php", "<?php function f($a) { ¦ }", "function f($a)", "{  }"),
        ("shellscript", "f() {\n  ¦\n}\n", "f()", "{\n  \n}"),
        # Not closed yet.
        ("javascript", "function f(a) {\n  b();\n  ¦", "function f(a)", "{\n  b();\n  "),
        (
            "javascript",
            "function f(a) {\n  if (a) {\n    ¦\n}\n\nfunction g() { h(); }\n",
            "function f(a)",
            "{\n  if (a) {\n    \n}",
        ),
        ("java", "class A {\n  void f() {\n    g(¦", "void f()", "{\n    g("),
        ("rust", "fn f() -> i32 {\n    let a = ¦", "fn f() -> i32", "{\n    let a = "),
        ("ruby", "class A\n  def f(x)\n    a¦", "def f(x)", "a"),
    ],
)
def test_enclosing_function(
    language: str, text: str, signature: str | None, body: str | None
) -> None:
    tree, offset = at_mark(language, text)
    found = enclosing_function(tree, offset)
    if found is None:
        assert signature is None
        return
    assert found.kind in (Kind.FUNCTION, Kind.METHOD)
    assert tree.source.slice(found.signature) == signature
    assert found.body is not None
    assert tree.source.slice(found.body) == body
    assert found.span.contains(offset) or language == "python"
