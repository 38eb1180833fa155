"""What a function's tree shows by itself in C: each mistake, and what is none."""

from __future__ import annotations

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source

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


@pytest.mark.parametrize("language", ["c", "cpp"])
@pytest.mark.parametrize("text", _FOUND_IN_C)
def test_an_array_is_left_in_c(text: str, language: str) -> None:
    assert "off-by-one" in _rules(language, text)


@pytest.mark.parametrize("language", ["c", "cpp"])
@pytest.mark.parametrize("text", _SILENT_IN_C)
def test_an_array_is_kept_to_in_c(text: str, language: str) -> None:
    assert "off-by-one" not in _rules(language, text)


_WRONG_IN_C = [
    ("use-after-free", "void f(char *s) { char *p = strdup(s); free(p); puts(p); }"),
    ("use-after-free", "void f(char *p, int n) { free(p); if (n) { free(p); } }"),
    ("use-after-free", "void f(struct s *x) { free(x->a); free(x->a); }"),
    ("use-after-free", "void f(struct s *x) { if (x->b) free(x); else free(x); x->a = 1; }"),
    ("null-dereference", "void f(void) { int *p = malloc(8); *p = 1; free(p); }"),
    ("null-dereference", "void f(char *s) { char *p = malloc(8); strcpy(p, s); free(p); }"),
    ("uninitialized-value", "int f(void) { int n; return n + 1; }"),
    ("division-by-zero", "int f(void) { int n = 0; return 7 / n; }"),
    ("division-by-zero", 'int f(void) { int n = 1; scanf("%d", &n); return 7 % n; }'),
    ("out-of-bounds", 'int f(int *a) { int n = 1; scanf("%d", &n); return a[n]; }'),
    ("out-of-bounds", "int f(int *a, char *s) { int n = atoi(s); return a[n]; }"),
    ("out-of-bounds", "int f(int *a) { return *(a + 2 * sizeof(int)); }"),
    ("copy-size-of-source", "void f(struct s *a) { memset(a, 0, sizeof(a)); }"),
    ("privileges-kept", "void f(void) { if (setuid(9)) exit(1); if (setgid(9)) exit(1); }"),
    ("privileges-kept", "void f(void) { setuid(9); }"),
    ("use-after-free", "void f(char *p, int n) { if (n) { free(p); goto out; } out: free(p); }"),
    ("use-after-free", "void f(char *p, int n) { if (n) { free(p); } free(p); }"),
    ("null-dereference", "void f(void) { struct s *p = malloc(8); p->a = 1; free(p); }"),
    ("resource-leak", "int f(int n) { char *p = malloc(8); if (n) return 0; free(p); return 1; }"),
    (
        "resource-leak",
        (
            'int f(int n) { FILE *p = fopen("a", "r"); if (!p) return 0;'
            " if (fgetc(p) != n) return 1; fclose(p); return 2; }"
        ),
    ),
    ("allocation-overflow", "int *f(size_t n) { int *p = malloc(n * sizeof(int)); return p; }"),
    ("privileges-kept", 'void f(void) { if (chroot("/x")) exit(1); run(); }'),
    ("unsafe-in-signal-handler", 'void h(int n) { printf("a"); } void f(void) { signal(2, h); }'),
    ("resource-leak", 'int f(void) { FILE *p = fopen("a", "r"); return fgetc(p); }'),
    ("resource-leak", "void f(void) { char *p = malloc(8); if (p) memset(p, 0, 8); }"),
    ("deadlock", "void f(void) { pthread_mutex_lock(&a); pthread_mutex_lock(&a); }"),
    (
        "deadlock",
        (
            "void f(void) { pthread_mutex_lock(&a); pthread_mutex_lock(&b); }"
            " void g(void) { pthread_mutex_lock(&b); pthread_mutex_lock(&a); }"
        ),
    ),
    (
        "sql-injection",
        (
            "void f(sqlite3 *d, char *s) { char q[99]; snprintf(q, 99, \"SELECT '%s'\", s);"
            " sqlite3_exec(d, q, 0, 0, 0); }"
        ),
    ),
    ("sql-injection", "void f(PGconn *d, char *s) { char q[99]; strcat(q, s); PQexec(d, q); }"),
]

_RIGHT_IN_C = [
    "void f(char *p, int n) { if (n) { free(p); p = NULL; goto out; } out: free(p); }",
    "void f(char *p, int n) { if (n) { free(p); } if (!n) { free(p); } }",
    "int f(int n) { char *p = malloc(8); if (p == NULL) return 0; free(p); return 1; }",
    "int f(int n) { char *p = malloc(8); if (n) { free(p); return 0; } free(p); return 1; }",
    "int f(int n) { char *p = malloc(8); keep(p); if (n) return 0; free(p); return 1; }",
    'int f(void) { int p = open("a", 0); if (p < 0) return 0; close(p); return 1; }',
    "int *f(size_t n) { if (n > SIZE_MAX / 4) return 0; return malloc(n * sizeof(int)); }",
    "void f(char *p) { free(p); p = NULL; free(p); }",
    "void f(char *p, int n) { if (n) { free(p); return; } puts(p); free(p); }",
    "void f(struct s *x) { struct s *n; for (; x; x = n) { n = x->next; free(x); } }",
    "void f(struct s *x) { free(x->a); x->a = strdup(x->b); free(x->a); }",
    "void f(struct s *x) { while (x) { free(x->a); x = x->next; } }",
    "void f(void) { int *p = malloc(8); if (!p) return; *p = 1; free(p); }",
    "int *f(void) { int *p = malloc(8); return p; }",
    "int f(int a) { int r; if (a) r = 1; else r = 2; return r; }",
    "int f(int a) { int r; switch (a) { case 1: r = 1; break; default: r = 2; } return r; }",
    "int f(void) { int r; get(&r); return r; }",
    "int f(int n) { if (n == 0) return 0; return 7 / n; }",
    'int f(int *a) { int n = 1; scanf("%d", &n); if (n < 0 || n > 3) return 0; return a[n]; }',
    "char f(char *a) { return *(a + sizeof(int)); }",
    "void f(struct s *a) { memset(a, 0, sizeof(*a)); }",
    "void f(void) { if (setgid(9)) exit(1); if (setuid(9)) exit(1); }",
    'void f(void) { if (chroot("/x") || chdir("/")) exit(1); }',
    "void h(int n) { flag = 1; } void f(void) { signal(2, h); }",
    'int f(void) { FILE *p = fopen("a", "r"); int c = fgetc(p); fclose(p); return c; }',
    'FILE *f(void) { FILE *p = fopen("a", "r"); keep(p); return p; }',
    "void f(void) { pthread_mutex_lock(&a); pthread_mutex_unlock(&a); pthread_mutex_lock(&a); }",
    (
        "void f(int n) { pthread_mutex_lock(&a); if (n) { pthread_mutex_unlock(&a); return; }"
        " pthread_mutex_unlock(&a); }"
    ),
    'void f(sqlite3 *d) { sqlite3_exec(d, "SELECT 1", 0, 0, 0); }',
]

_OF_C = {rule for rule, _ in _WRONG_IN_C}


@pytest.mark.parametrize("language", ["c", "cpp"])
@pytest.mark.parametrize(("rule", "text"), _WRONG_IN_C)
def test_what_is_wrong_in_a_function_of_c_is_found(rule: str, text: str, language: str) -> None:
    assert rule in _rules(language, text)


@pytest.mark.parametrize("language", ["c", "cpp"])
@pytest.mark.parametrize("text", _RIGHT_IN_C)
def test_what_is_right_in_a_function_of_c_is_silent(text: str, language: str) -> None:
    assert not _rules(language, text) & _OF_C
