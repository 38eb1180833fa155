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
