"""Outputs of the languages' runtimes, compilers and linters are read into one form."""

# ruff: noqa: E501 - outputs as they are written

from __future__ import annotations

import pytest

from coai_agents.specialists.diagnosing.problems import Frame
from coai_agents.specialists.diagnosing.reading import read_output, worst

PYTHON = """before
Traceback (most recent call last):
  File "/w/shop/price.py", line 4, in of
    return PRICES[name]
           ~~~~~~^^^^^^
KeyError: 'tea'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/w/main.py", line 9, in <module>
    total()
  File "/w/main.py", line 5, in total
    raise OrderError("no tea") from None
shop.OrderError: no tea
"""
GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "/w/a.py", line 3, in <module>
  |     main()
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/w/b.py", line 7, in one
    |     int("x")
    | ValueError: invalid literal for int() with base 10: 'x'
    +------------------------------------
"""
SYNTAX = """  File "/w/a.py", line 2
    if x
        ^
SyntaxError: expected ':'
"""
PYTEST = """    def test_it():
>       assert total([1]) == 2
E       assert 1 == 2
E        +  where 1 = total([1])

tests/test_a.py:5: AssertionError
"""
NODE = """/w/src/a.js:3
  throw new Error("outer", { cause: e });
  ^

Error: outer
    at load (/w/src/a.js:3:9)
    at Object.<anonymous> (file:///w/src/b.mjs:8:1)
    at node:internal/main/run_main_module:28:49 {
  [cause]: TypeError: Cannot read properties of undefined (reading 'id')
      at find (/w/src/c.js:12:20)
      at async Promise.all (index 0)
}
"""
NODE_SYNTAX = """/w/a.js:2
const = 3
      ^

SyntaxError: Unexpected token '='
    at wrapSafe (node:internal/modules/cjs/loader:1378:20)
"""
GO = """panic: runtime error: index out of range [3] with length 3

goroutine 1 [running]:
main.pick(...)
\t/w/main.go:8
main.main()
\t/w/main.go:12 +0x1d
exit status 2
"""
JAVA = """Exception in thread "main" java.lang.IllegalStateException: no order
\tat com.shop.Order.of(Order.java:14)
\tat com.shop.Main.main(Main.java:6)
Caused by: java.lang.NullPointerException: Cannot invoke "String.length()" because "x" is null
\tat com.shop.Price.read(Price.java:22)
\t... 1 more
"""
CSHARP = """Unhandled exception. System.InvalidOperationException: no order
 ---> System.NullReferenceException: Object reference not set to an instance of an object.
   at Shop.Price.Read(String name) in /w/Price.cs:line 22
   --- End of inner exception stack trace ---
   at Shop.Order.Of(String name) in /w/Order.cs:line 14
   at Program.Main() in /w/Program.cs:line 6
"""
RUST = """
thread 'main' panicked at src/main.rs:5:10:
index out of bounds: the len is 3 but the index is 7
stack backtrace:
   0: rust_begin_unwind
             at /rustc/abc/library/std/src/panicking.rs:645:5
   1: demo::pick
             at ./src/main.rs:5:10
"""
PHP = """PHP Fatal error:  Uncaught TypeError: total(): Argument #1 must be of type array, null given in /w/b.php:3
Stack trace:
#0 /w/a.php(9): total(NULL)
#1 {main}
  thrown in /w/b.php on line 3
"""
RUBY = """a.rb:2:in `total': undefined method `sum' for nil:NilClass (NoMethodError)
\tfrom a.rb:5:in `<main>'
"""
ASAN = """==12==ERROR: AddressSanitizer: heap-use-after-free on address 0x602 at pc 0x55
READ of size 4 at 0x602 thread T0
    #0 0x55a in pick /w/a.c:7:10
    #1 0x55b in main /w/a.c:12:3

freed by thread T0 here:
"""


@pytest.mark.parametrize(
    ("text", "language", "kinds", "first"),
    [
        (PYTHON, "python", ["shop.OrderError", "KeyError"], Frame("/w/shop/price.py", 4, 0, "of")),
        (SYNTAX, "python", ["SyntaxError"], Frame("/w/a.py", 2)),
        (PYTEST, "python", ["AssertionError"], Frame("tests/test_a.py", 5)),
        (NODE, "javascript", ["Error", "TypeError"], Frame("/w/src/c.js", 12, 20, "find")),
        (NODE_SYNTAX, "javascript", ["SyntaxError"], Frame("/w/a.js", 2)),
        (GO, "go", ["panic"], Frame("/w/main.go", 8, 0, "main.pick")),
        (
            JAVA,
            "java",
            ["java.lang.IllegalStateException", "java.lang.NullPointerException"],
            Frame("com/shop/Price.java", 22, 0, "com.shop.Price.read"),
        ),
        (
            CSHARP,
            "csharp",
            ["System.InvalidOperationException", "System.NullReferenceException"],
            Frame("/w/Price.cs", 22, 0, "Shop.Price.Read(String name)"),
        ),
        (RUST, "rust", ["panic"], Frame("src/main.rs", 5, 10)),
        (PHP, "php", ["TypeError"], Frame("/w/b.php", 3)),
        (RUBY, "ruby", ["NoMethodError"], Frame("a.rb", 2, 0, "total")),
        (ASAN, "cpp", ["AddressSanitizer"], Frame("/w/a.c", 7, 10, "pick")),
    ],
)
def test_a_trace_is_read_to_its_root(
    text: str, language: str, kinds: list[str], first: Frame
) -> None:
    problem = worst(read_output(text))
    assert problem is not None
    assert [each.kind for each in problem.chain] == kinds
    assert problem.language == language
    assert problem.root.frames[0] == first
    assert problem.root.message or problem.kind == "AssertionError"


def test_what_is_in_an_exception_group_is_read() -> None:
    found = read_output(GROUP)
    chains = [[(one.kind, one.frames[0].path) for one in each.chain] for each in found]
    assert [("ExceptionGroup", "/w/a.py"), ("ValueError", "/w/b.py")] in chains


@pytest.mark.parametrize(
    ("text", "language", "kind", "frame", "message"),
    [
        ("a.ts(3,5): error TS2304: Cannot find name 'x'.", "typescript", "TS2304",
         Frame("a.ts", 3, 5), "Cannot find name 'x'."),
        ("src/a.ts:3:5 - error TS2304: Cannot find name 'x'.", "typescript", "TS2304",
         Frame("src/a.ts", 3, 5), "Cannot find name 'x'."),
        ("/w/A.cs(4,9): error CS0103: The name 'x' does not exist [/w/a.csproj]", "csharp",
         "CS0103", Frame("/w/A.cs", 4, 9), "The name 'x' does not exist"),
        (r"C:\w\a.cpp(7): error C2065: 'x': undeclared identifier", "cpp", "C2065",
         Frame(r"C:\w\a.cpp", 7), "'x': undeclared identifier"),
        ("a.c:3:5: error: 'x' undeclared (first use in this function)", "c", "",
         Frame("a.c", 3, 5), "'x' undeclared (first use in this function)"),
        ("a.cc:3:5: warning: unused variable 'x' [-Wunused-variable]", "cpp", "-Wunused-variable",
         Frame("a.cc", 3, 5), "unused variable 'x'"),
        ("A.java:4: error: cannot find symbol\n  x = 1;\n  ^\n  symbol:   variable x", "java", "",
         Frame("A.java", 4), "cannot find symbol\nsymbol: variable x"),
        ("./main.go:6:2: undefined: x", "go", "", Frame("./main.go", 6, 2), "undefined: x"),
        ("error[E0382]: borrow of moved value: `x`\n  --> src/a.rs:4:20", "rust", "E0382",
         Frame("src/a.rs", 4, 20), "borrow of moved value: `x`"),
        ('a.py:3: error: Name "x" is not defined  [name-defined]', "python", "name-defined",
         Frame("a.py", 3), 'Name "x" is not defined'),
        ('  /w/a.py:3:5 - error: "x" is not defined (reportUndefinedVariable)', "python",
         "reportUndefinedVariable", Frame("/w/a.py", 3, 5), '"x" is not defined'),
        ("a.py:1:8: F401 [*] `os` imported but unused", "python", "F401", Frame("a.py", 1, 8),
         "`os` imported but unused"),
        ("F401 [*] `os` imported but unused\n --> a.py:1:8", "python", "F401",
         Frame("a.py", 1, 8), "`os` imported but unused"),
        ("a.py:3:4: E0602: Undefined variable 'x' (undefined-variable)", "python", "E0602",
         Frame("a.py", 3, 4), "Undefined variable 'x' (undefined-variable)"),
        ("/w/a.js\n  3:5  error  'x' is not defined  no-undef\n", "javascript", "no-undef",
         Frame("/w/a.js", 3, 5), "'x' is not defined"),
        ("PHP Parse error:  syntax error, unexpected '}' in /w/a.php on line 3", "php",
         "Parse error", Frame("/w/a.php", 3), "syntax error, unexpected '}'"),
        ("a.rb:3:5: C: [Correctable] Style/StringLiterals: Prefer x.", "ruby",
         "Style/StringLiterals", Frame("a.rb", 3, 5), "Prefer x."),
        ("/usr/bin/ld: a.o: in function `main':\na.c:(.text+0x5): undefined reference to `f'", "c",
         "", Frame("a.c", 0), "undefined reference to `f'"),
    ],
)  # fmt: skip
def test_a_diagnostic_is_read(
    text: str, language: str, kind: str, frame: Frame, message: str
) -> None:
    (problem,) = read_output(text)
    assert (problem.language, problem.kind) == (language, kind)
    assert problem.frames == (frame,)
    assert problem.message == message


@pytest.mark.parametrize("text", ["", "all 3 tests passed\n", "Compiling a v0.1\nFinished", "x: y"])
def test_what_complains_about_nothing_has_no_problem(text: str) -> None:
    assert read_output(text) == ()


def test_colours_and_the_clock_of_a_build_server_are_no_part_of_it() -> None:
    dressed = "\n".join(f"2026-01-02T03:04:05.6Z \x1b[31m{line}\x1b[0m" for line in GO.split("\n"))
    (problem,) = read_output(dressed)
    assert problem.frames[0].line == 8


def test_an_output_without_end_is_read_in_one_pass() -> None:
    noise = "File a at b error: c.py:1 x" * 50 + "\n"
    assert worst(read_output(noise * 400 + PYTHON)) is not None
