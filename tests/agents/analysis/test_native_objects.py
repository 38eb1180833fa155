"""Objects of C++: each mistake, and what is none."""

from __future__ import annotations

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source

CASES = [
    (
        "use-after-free",
        "void f() { std::string a; std::string b = std::move(a); std::cout << a; }",
        "void f() { std::string a; std::string b = std::move(a); a = g(); std::cout << a; }",
    ),
    (
        "api-misuse",
        "class B { public: virtual void f(); ~B() {} };",
        "class B { public: virtual void f(); virtual ~B() {} };",
    ),
    (
        "api-misuse",
        "void f() { try { g(); } catch (std::exception e) { log(e); } }",
        "void f() { try { g(); } catch (const std::exception &e) { log(e); } }",
    ),
    (
        "api-misuse",
        "class A { public: ~A() { throw std::runtime_error(x); } };",
        "class A { public: ~A() { try { throw x; } catch (const E &e) { log(e); } } };",
    ),
    ("api-misuse", "void f() { throw new E(); }", "void f() { throw E(); }"),
    (
        "swallowed-exception",
        "void f() { try { g(); } catch (...) { } }",
        "void f() { try { g(); } catch (...) { log(); } }",
    ),
    (
        "dangling-view",
        "std::string &f() { std::string s; return s; }",
        "std::string f() { std::string s; return s; }",
    ),
    (
        "dangling-view",
        "int *f() { int a[3]; return a; }",
        "int *f() { static int a[3]; return a; }",
    ),
    (
        "dangling-view",
        "const char *f() { std::string s; return s.c_str(); }",
        "std::string f() { std::string s; return s.c_str(); }",
    ),
    (
        "modified-while-iterating",
        "void f(std::vector<int> &v) { for (int x : v) { v.push_back(x); } }",
        "void f(std::vector<int> &v) { for (int x : v) { v.push_back(x); break; } }",
    ),
    (
        "modified-while-iterating",
        "void f(V &v) { for (auto i = v.begin(); i != v.end(); ++i) { if (*i) v.erase(i); } }",
        "void f(V &v) { for (auto i = v.begin(); i != v.end();) { i = *i ? v.erase(i) : i + 1; } }",
    ),
    (
        "null-dereference",
        "int f(P *p) { int x = p->a; if (p == nullptr) return 0; return x; }",
        "int f(P *p) { if (p == nullptr) return 0; int x = p->a; return x; }",
    ),
    (
        "null-dereference",
        'void f() { FILE *h = fopen("x", "r"); fgets(b, 9, h); fclose(h); }',
        'void f() { FILE *h = fopen("x", "r"); if (!h) return; fgets(b, 9, h); fclose(h); }',
    ),
    (
        "useless-comparison",
        "void f() { int *p = new int; if (p == nullptr) return; g(p); }",
        "void f() { int *p = new (std::nothrow) int; if (p == nullptr) return; g(p); }",
    ),
    (
        "useless-comparison",
        "bool f(int a) { return a == a; }",
        "bool f(double x) { return x != x; }",
    ),
    (
        "ignored-result",
        "void f(std::vector<int> &v) { v.empty(); }",
        "bool f(V &v) { return v.empty(); }",
    ),
    (
        "ignored-result",
        "void f(V &v) { std::remove(v.begin(), v.end(), 1); }",
        "void f(V &v) { v.erase(std::remove(v.begin(), v.end(), 1), v.end()); }",
    ),
    ("off-by-one", "int f(V v) { return v[v.size()]; }", "int f(V v) { return v[v.size() - 1]; }"),
    (
        "unbounded-copy",
        "void f(const char *s) { char b[9]; strncpy(b, s, sizeof(b)); puts(b); }",
        "void f(const char *s) { char b[9]; strncpy(b, s, sizeof(b)); b[8] = 0; puts(b); }",
    ),
]


@pytest.mark.parametrize(("rule", "bad", "good"), CASES)
def test_what_is_done_with_an_object_is_found(rule: str, bad: str, good: str) -> None:
    for text, shows in ((bad, True), (good, False)):
        found = analyse(Source("untitled:a.cpp", text, "cpp"), budget=10)
        assert not found.notes
        assert (rule in {each.rule for each in found.findings}) is shows, text
