"""What a function's tree shows by itself, in Go and in C: each mistake, and what is none."""

from __future__ import annotations

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source

_GO = """
package p
import ("context"; "crypto/cipher"; "crypto/rand"; "io"; "math"; "net/http"; "strconv")
const size = 3
var fixed = []byte("0123456789ab")
"""

_FOUND_IN_GO = [
    ("resource-leak", "func f() { ctx, _ := context.WithCancel(context.Background()); use(ctx) }"),
    (
        "resource-leak",
        "func f() { ctx, cancel := context.WithTimeout(p, 1); _ = cancel; use(ctx) }",
    ),
    ("resource-leak", "func f(r *http.Request) { go func() { run(context.Background()) }() }"),
    ("resource-leak", "func f(ctx context.Context) { go run(context.TODO()) }"),
    ("numeric-precision", "func f(s string) int32 { n, _ := strconv.Atoi(s); return int32(n) }"),
    (
        "numeric-precision",
        "func f(s string) uint8 { n, _ := strconv.ParseInt(s, 10, 64); return uint8(n) }",
    ),
    ("numeric-precision", "func f(n int64) int16 { return int16(n) }"),
    ("numeric-precision", "func f(n int) uint32 { return uint32(n) }"),
    ("off-by-one", "func f() int { s := make([]int, 3); return s[3] }"),
    ("off-by-one", "func f() int { s := []int{1, 2}; return s[2] }"),
    ("off-by-one", "func f() []int { s := make([]int, 0, size); return s[:4] }"),
    ("off-by-one", "func f() { var a [4]int; for i := 0; i <= 4; i++ { a[i] = 1 } }"),
    ("constant-iv", "func f(b cipher.Block, d []byte) { cipher.NewCTR(b, fixed) }"),
    ("constant-iv", "func f(g cipher.AEAD, d []byte) { g.Seal(nil, []byte{1, 2}, d, nil) }"),
    (
        "constant-iv",
        "func f(g cipher.AEAD) { n := make([]byte, 12); g.Seal(nil, n, d, nil) }",
    ),
]

_SILENT_IN_GO = [
    "func f() { ctx, cancel := context.WithCancel(p); defer cancel(); use(ctx) }",
    "func f() (any, func()) { ctx, cancel := context.WithCancel(p); return ctx, cancel }",
    "func f() { ctx, cancel := context.WithCancel(p); t.Cleanup(cancel); use(ctx) }",
    "func f(r *http.Request) { go func() { run(r.Context()) }() }",
    "func f() { go run(context.Background()) }",
    "func f(n int64) int16 { if n > math.MaxInt16 || n < 0 { panic(n) }; return int16(n) }",
    "func f(s string) int32 { n, _ := strconv.ParseInt(s, 10, 32); return int32(n) }",
    "func f(n int32) int64 { return int64(n) }",
    "func f(s []int) uint32 { return uint32(len(s)) }",
    "func f() uint8 { return uint8(200) }",
    "func f() int { s := make([]int, 3); return s[2] }",
    "func f() []int { s := make([]int, 0, size); return s[:3] }",
    "func f() int { s := []int{}; s = append(s, 1); return s[0] }",
    "func f() { var a [4]int; for i := 0; i < 4; i++ { a[i] = 1 } }",
    "func f(g cipher.AEAD) { n := make([]byte, 12); rand.Read(n); g.Seal(nil, n, d, nil) }",
    "func f(g cipher.AEAD) { n := make([]byte, 12); io.ReadFull(r, n); g.Seal(n, n, d, nil) }",
    "func f(b cipher.Block, iv []byte) { cipher.NewCTR(b, iv) }",
]

_RULES = {rule for rule, _ in _FOUND_IN_GO}

_FOUND_IN_C = [
    "void f(void) { int a[4]; a[4] = 1; }",
    "#define N 4\nvoid f(void) { int a[N]; for (int i = 0; i <= N; i++) { a[i] = 0; } }",
    "void f(void) { int a[4], i; for (i = 0; i < 5; ++i) a[i] = 0; }",
    "void f(const char *s) { char b[8]; memcpy(b, s, 16); }",
    "void f(FILE *in) { char b[8]; fgets(b, 10, in); }",
    'void f(const char *s) { char b[8]; snprintf(b, 80, "%s", s); }',
]

_SILENT_IN_C = [
    "void f(void) { int a[4]; a[3] = 1; }",
    "void f(void) { int a[4]; for (int i = 0; i < 4; i++) { a[i] = 0; } }",
    "void f(void) { int a[4]; int *end = &a[4]; }",
    "void f(int a[4]) { a[4] = 1; }",
    "void f(const char *s) { char b[8]; memcpy(b, s, 8); }",
    'void f(const char *s) { char b[8]; snprintf(b, sizeof b, "%s", s); }',
    "void f(FILE *in) { int n[8]; fread(n, 4, 8, in); memset(n, 0, 32); }",
    "void f(void) { int a[4]; for (int i = 0; i < 9; i++) { if (i > 3) break; a[i] = 0; } }",
]


def _rules(language: str, text: str) -> set[str]:
    return {each.rule for each in analyse(Source("untitled:x", text, language)).findings}


@pytest.mark.parametrize(("rule", "function"), _FOUND_IN_GO)
def test_a_mistake_in_go_is_found(rule: str, function: str) -> None:
    assert rule in _rules("go", f"{_GO}\n{function}\n")


@pytest.mark.parametrize("function", _SILENT_IN_GO)
def test_what_is_right_in_go_is_silent(function: str) -> None:
    assert not _rules("go", f"{_GO}\n{function}\n") & _RULES


@pytest.mark.parametrize("language", ["c", "cpp"])
@pytest.mark.parametrize("text", _FOUND_IN_C)
def test_an_array_is_left_in_c(text: str, language: str) -> None:
    assert "off-by-one" in _rules(language, text)


@pytest.mark.parametrize("language", ["c", "cpp"])
@pytest.mark.parametrize("text", _SILENT_IN_C)
def test_an_array_is_kept_to_in_c(text: str, language: str) -> None:
    assert "off-by-one" not in _rules(language, text)
