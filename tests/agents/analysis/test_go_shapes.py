"""What a function's tree shows by itself in Go: each mistake, and what is none."""

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

_USER = 'type User struct { Name string; Password string `json:"password"` }\n'

_FOUND_IN_GO = [
    ("context-leak", "func f() { ctx, _ := context.WithCancel(context.Background()); use(ctx) }"),
    (
        "context-leak",
        "func f() { ctx, cancel := context.WithTimeout(p, 1); _ = cancel; use(ctx) }",
    ),
    ("context-leak", "func f(r *http.Request) { go func() { run(context.Background()) }() }"),
    ("context-leak", "func f(ctx context.Context) { go run(context.TODO()) }"),
    ("integer-overflow", "func f(s string) int32 { n, _ := strconv.Atoi(s); return int32(n) }"),
    (
        "integer-overflow",
        "func f(s string) uint8 { n, _ := strconv.ParseInt(s, 10, 64); return uint8(n) }",
    ),
    ("integer-overflow", "func f(n int64) int16 { return int16(n) }"),
    ("integer-overflow", "func f(n int) uint32 { return uint32(n) }"),
    ("out-of-bounds", "func f() int { s := make([]int, 3); return s[3] }"),
    ("out-of-bounds", "func f() int { s := []int{1, 2}; return s[2] }"),
    ("out-of-bounds", "func f() []int { s := make([]int, 0, size); return s[:4] }"),
    ("out-of-bounds", "func f() { var a [4]int; for i := 0; i <= 4; i++ { a[i] = 1 } }"),
    ("constant-iv", "func f(b cipher.Block, d []byte) { cipher.NewCTR(b, fixed) }"),
    ("constant-iv", "func f(g cipher.AEAD, d []byte) { g.Seal(nil, []byte{1, 2}, d, nil) }"),
    (
        "constant-iv",
        "func f(g cipher.AEAD) { n := make([]byte, 12); g.Seal(nil, n, d, nil) }",
    ),
    # A cancel function that is not called on every way.
    (
        "context-leak",
        "func f(p context.Context) error { ctx, cancel := context.WithCancel(p); if bad(ctx) {"
        " return err }; cancel(); return nil }",
    ),
    (
        "context-leak",
        "func f(p context.Context) { ctx, cancel := context.WithTimeout(p, 1); if ok(ctx) {"
        " cancel() } }",
    ),
    (
        "context-leak",
        "func f(p context.Context, l []int) { for range l { ctx, cancel := context.WithTimeout(p, 1);"
        " defer cancel(); use(ctx) } }",
    ),
    (
        "context-leak",
        "type T struct { stop func() }\nfunc f(t *T) { ctx, cancel := context.WithCancel(p);"
        " t.stop = cancel; use(ctx) }",
    ),
    (
        "context-leak",
        "type T struct { stop func() }\nfunc f() *T { ctx, cancel := context.WithCancel(p);"
        " use(ctx); return &T{stop: cancel} }",
    ),
    ("context-leak", "func f() { ctx, _ := signal.NotifyContext(p, s); use(ctx) }"),
    # Work in the background that leaves its request.
    (
        "context-leak",
        'func f() { http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {'
        " go save(context.Background()) }) }",
    ),
    (
        "context-leak",
        "func f(ctx context.Context) { own := context.Background(); go save(own) }",
    ),
    (
        "context-leak",
        "func save() { db.Exec(context.TODO()) }\nfunc f(r *http.Request) { go save() }",
    ),
    # Loops that no context ends.
    ("context-leak", "func f(ctx context.Context) { for { time.Sleep(1); poll() } }"),
    ("context-leak", "func f(ctx context.Context) { go func() { for { work(ctx) } }() }"),
    ("context-leak", "func f(ctx context.Context, t *time.Ticker) { for range t.C { poll(1) } }"),
    (
        "context-leak",
        "func f(ctx context.Context, c chan int) { for { select { case n := <-c: use(n) } } }",
    ),
    (
        "context-leak",
        "func f(ctx context.Context) { for { select { case <-ctx.Done(): break"
        " default: work(1) } } }",
    ),
    # Numbers.
    ("integer-overflow", "func f(n int64) int16 { if n > 0 { return int16(n) }; return 0 }"),
    ("integer-overflow", "func f(n int) uint { if n < 100 { return uint(n) }; return 0 }"),
    (
        "integer-overflow",
        "func f(n int) uint8 { if n == 300 || n > 0 { return uint8(n) }; return 0 }",
    ),
    (
        "integer-overflow",
        "type T struct { Size int64 }\nfunc f(t *T) int32 { return int32(t.Size) }",
    ),
    ("integer-overflow", "func size() int64 { return 1 }\nfunc f() int32 { return int32(size()) }"),
    ("integer-overflow", "type Id int64\nfunc f(n Id) int32 { return int32(n) }"),
    ("integer-overflow", "func f(l []uint64) int { return int(l[0]) }"),
    ("integer-overflow", "func f(n uint16) uint8 { return uint8(n + 1) }"),
    ("integer-overflow", "func f(n uint32) uint8 { return uint8(n >> 20) }"),
    # Bounds.
    ("out-of-bounds", "func f() int { s := make([]int, 8); t := s[2:4]; return t[2] }"),
    ("out-of-bounds", "func f(s []int) { for i := 0; i < len(s); i++ { use(s[i+1]) } }"),
    ("out-of-bounds", "func f(s []int) { for i := range s { use(s[i] - s[i+1]) } }"),
    ("out-of-bounds", "func f() { var a [4]int; for i := range 5 { a[i] = 1 } }"),
    ("out-of-bounds", "func at(s []int) int { return s[3] }\nfunc f() { s := []int{1}; at(s) }"),
    # Nonces.
    (
        "constant-iv",
        'func iv() []byte { return []byte("0123456789ab") }\n'
        "func f(g cipher.AEAD) { g.Seal(nil, iv(), d, nil) }",
    ),
    ("constant-iv", "func f(g cipher.AEAD) { var n [12]byte; g.Seal(nil, n[:], d, nil) }"),
    # Secrets in what is written out.
    ("secret-in-output", f"{_USER}func f(u User) {{ json.Marshal(u) }}"),
    ("secret-in-output", f"{_USER}func f() {{ u := &User{{}}; yaml.Marshal(u) }}"),
    ("secret-in-output", f"{_USER}func f(u []User) {{ json.NewEncoder(w).Encode(u) }}"),
    ("secret-in-output", f"{_USER}func f(c *gin.Context, u *User) {{ c.JSON(200, u) }}"),
    (
        "secret-in-output",
        f"{_USER}type Page struct {{ Owner User }}\nfunc f(p Page) {{ json.Marshal(p) }}",
    ),
    (
        "secret-in-output",
        'type T struct { Key string `json:"api_key"` }\nfunc f(t T) { json.Marshal(t) }',
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
    "func f(p context.Context) error { ctx, cancel := context.WithCancel(p); if bad(ctx) { cancel();"
    " return err }; cancel(); return nil }",
    "func f(p context.Context) { ctx, cancel := context.WithTimeout(p, 1); if ok(ctx) { cancel() }"
    " else { cancel() } }",
    "func f(p context.Context, l []int) { for range l { func() { ctx, cancel :="
    " context.WithTimeout(p, 1); defer cancel(); use(ctx) }() } }",
    "func f(p context.Context) { ctx, cancel := context.WithCancel(p); defer func() { cancel() }();"
    " use(ctx) }",
    "func f(p context.Context) { ctx, cancel := context.WithCancel(p); go func() { <-c; cancel() }();"
    " use(ctx) }",
    "type T struct { stop func() }\nfunc (t *T) Close() { t.stop() }\nfunc f(t *T) { ctx, cancel :="
    " context.WithCancel(p); t.stop = cancel; use(ctx) }",
    "func f(ctx context.Context) { go save(context.WithoutCancel(ctx)) }",
    "func save(ctx context.Context) { x(ctx) }\nfunc f(r *http.Request) { go save(r.Context()) }",
    "func f(ctx context.Context) { for { select { case <-ctx.Done(): return; default: work(1) } } }",
    "func f(ctx context.Context) { for ctx.Err() == nil { work(1) } }",
    "func f(ctx context.Context) { for { if err := work(ctx); err != nil { break } } }",
    "func f(ctx context.Context) {\nouter:\nfor { select { case <-ctx.Done(): break outer;"
    " default: work(1) } } }",
    "func f(ctx context.Context, c chan int) { for n := range c { use(n) } }",
    "func f() { for { time.Sleep(1); poll() } }",
    "func f(n int64) int16 { if n >= 0 && n < 100 { return int16(n) }; return 0 }",
    "func f(n int64) int16 { switch { case n > 99, n < 0: return 0 }; return int16(n % 100) }",
    "func f(n int) uint8 { switch { case n < 0: return 0; case n > 255: return 255;"
    " default: return uint8(n) } }",
    "func f(n int) uint8 { return uint8(n & 0xff) }",
    "func f(n uint32) uint8 { return uint8(n >> 24) }",
    "func f(n int) uint8 { return uint8(max(0, min(n, 255))) }",
    "func f(n int) int8 { if n > math.MaxInt8 { n = math.MaxInt8 }; if n < 0 { n = 0 };"
    " return int8(n) }",
    "func f(n uint8) uint16 { return uint16(n) + 1 }",
    "func f(n, most int) uint32 { if n < 0 || n > most { return 0 }; return uint32(n) }",
    "func f(s []int) { for i := 0; i < len(s)-1; i++ { use(s[i+1]) } }",
    "func f(s []int) { for i := range s { if i+1 < len(s) { use(s[i+1]) } } }",
    "func f(s []int) { for i := range s { if i == len(s)-1 { break }; use(s[i+1]) } }",
    "func at(s []int) int { if len(s) < 4 { return 0 }; return s[3] }\nfunc f() { at([]int{1}) }",
    "func f(g cipher.AEAD) { n := make([]byte, 12); fill(n); g.Seal(nil, n, d, nil) }",
    "func f(b cipher.Block) { cipher.NewCBCDecrypter(b, fixed) }",
    'type T struct { Password string `json:"-"` }\nfunc f(t T) { json.Marshal(t) }',
    "type T struct { password string }\nfunc f(t T) { json.Marshal(t) }",
    "type T struct { TokenType string; PasswordSet bool; MaxTokens int }\nfunc f(t T) {"
    " json.Marshal(t) }",
    f"{_USER}func (u User) MarshalJSON() ([]byte, error) {{ return nil, nil }}\n"
    "func f(u User) { json.Marshal(u) }",
]

_RULES = {rule for rule, _ in _FOUND_IN_GO}


def _rules(text: str) -> set[str]:
    return {each.rule for each in analyse(Source("untitled:x", text, "go")).findings}


@pytest.mark.parametrize(("rule", "function"), _FOUND_IN_GO)
def test_a_mistake_in_go_is_found(rule: str, function: str) -> None:
    assert rule in _rules(f"{_GO}\n{function}\n")


@pytest.mark.parametrize("function", _SILENT_IN_GO)
def test_what_is_right_in_go_is_silent(function: str) -> None:
    assert not _rules(f"{_GO}\n{function}\n") & _RULES
