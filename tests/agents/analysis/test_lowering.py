"""What each form of a language means to the engine: whether data gets through it to a command."""

from __future__ import annotations

import pytest

from coai_agents.analysis.findings.findings import Confidence
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source


def _reached(language: str, text: str) -> bool:
    analysis = analyse(Source("untitled:form", text, language))
    assert analysis.notes == ()
    return "command-injection" in {
        finding.rule for finding in analysis.findings if finding.confidence is not Confidence.LOW
    }


@pytest.mark.parametrize(
    ("body", "reached"),
    [
        ("string v = GET; RUN(v);", True),
        ('RUN($"ls {GET}");', True),
        ('RUN($"ls {1}");', False),
        ('RUN(@"ls" + GET);', True),
        ('RUN("""ls""" + GET);', True),
        ("RUN((string)GET);", True),
        ("RUN(GET as string);", True),
        ("RUN((GET)!);", True),
        ('RUN(true ? "ls" : GET);', False),
        ('RUN(new[] { "ls", GET });', False),
        ('RUN(new[] { "sh", "-c", GET });', True),
        ('RUN(new string[] { "ls", GET }[1]);', True),
        ('RUN(new string[] { "ls", GET }[0]);', False),
        ("RUN(new byte[4]);", False),
        ("var v = new Options { Name = GET }; RUN(v.Name);", True),
        ("var v = new Options { Name = GET }; RUN(v?.Name);", True),
        ("var v = new List<string> { GET }; RUN(v[0]);", True),
        ("RUN(GET?.Trim());", True),
        ("RUN(GET?.Inner?.Name);", True),
        ("RUN(GET?[0]);", True),
        ("System.Diagnostics.Process.Start(GET);", True),
        ("RUN(request.Query.First<string>());", True),
        ('var d = new Dictionary<string, string>(); d["a"] = GET; RUN(d["a"]);', True),
        ('var d = new Dictionary<string, string>(); d["a"] = GET; RUN(d["b"]);', False),
        ('string v = "ls"; v += GET; RUN(v);', True),
        ("string v, w; w = v = GET; RUN(w);", True),
        ("if (!(GET is string)) { return; } RUN(GET);", True),
        ("if (GET is { Length: 1 }) { RUN(GET); }", True),
        ("if (!true) { RUN(GET); }", False),
        ('string v = GET; if (v == "ls") { RUN(v); } else { g(); }', False),
        ("for (int i = 0; i < 2; i++) { RUN(GET); }", True),
        ("for (;;) { RUN(GET); }", True),
        ("for (i = 0; i < 2; i++) RUN(GET);", True),
        ("foreach (var v in request.Query) { RUN(v); }", True),
        ("foreach (string v in request.Query) RUN(v);", True),
        ("while (g()) { RUN(GET); }", True),
        ("do { RUN(GET); } while (g());", True),
        ("try { RUN(GET); } catch (IOException e) when (g()) { h(e); } finally { k(); }", True),
        ("try { g(); } catch { RUN(GET); }", True),
        ("try { g(); } catch (IOException) { throw; } finally { RUN(GET); }", True),
        ("using (var s = new Reader(GET)) { RUN(s); }", True),
        ("using (Open(GET)) { RUN(GET); }", True),
        ("using var s = new Reader(GET); RUN(s);", True),
        ("lock (this) { RUN(GET); }", True),
        ("switch (1) { case 1: RUN(GET); break; default: g(); break; }", True),
        ("switch (2) { case 1: RUN(GET); break; default: g(); break; }", False),
        ("switch (g()) { case > 3: RUN(GET); break; }", True),
        ('RUN(g() switch { 1 => "ls", _ => GET });', True),
        ('RUN(GET switch { "a" => "ls", _ => "cat" });', False),
        ("void Inner(string c) { RUN(c); } Inner(GET);", True),
        ("string Inner(string c) => c; RUN(Inner(GET));", True),
        ("Func<string, string> f = c => c; RUN(f(GET));", True),
        ("Func<string, string> f = (c) => { return c; }; RUN(f(GET));", True),
        ("Action<string> f = delegate (string c) { RUN(c); }; f(GET);", True),
        ("RUN(typeof(A));", False),
        ("RUN(null); RUN('a'); RUN(1.5); RUN(-1); RUN(i++);", False),
        ("throw new E(GET);", False),
        ("unsafe { RUN(GET); }", True),
        ("goto end; end: RUN(GET);", True),
        (";", False),
    ],
)
def test_what_a_form_of_csharp_lets_through(body: str, reached: bool) -> None:
    body = body.replace("RUN", "Process.Start").replace("GET", 'request.Query["v"]')
    method = f"async Task F(HttpRequest request) {{ {body} }}"
    text = f"using P = System.Diagnostics.Process;\nclass A {{ {method} }}"
    assert _reached("csharp", text) is reached


@pytest.mark.parametrize(
    ("text", "reached"),
    [
        ('P.Start(Request.Form["v"]);', True),
        ('class A { string V => Request.Form["v"]; void F() { Process.Start(V); } }', True),
        (
            'class A { V P { get { return v; } set { Process.Start(Request.Form["v"]); } } }',
            True,
        ),
        (
            'class A { string V { get; } = Request.Form["v"]; void F() { Process.Start(V); } }',
            True,
        ),
        (
            'class A { V P { get { return v; } } void F() { Process.Start(Request.Form["v"]); } }',
            True,
        ),
        ("class A { string V { get; } }", False),
        ('class A { A() { Process.Start(Request.Form["v"]); } }', True),
        ('struct A { void F() { Process.Start(Request.Form["v"]); } }', True),
        ('record A(string B) { void F() { Process.Start(Request.Form["v"]); } }', True),
        ("record A(string B);", False),
        ("interface A { void F(string v); }", False),
        ('namespace N { class A : B { void F() { Process.Start(Request.Form["v"]); } } }', True),
        ("class AController { public void F(string v) { Process.Start(v); } }", True),
        ("class AController { public void F(int v) { Process.Start(v); } }", False),
        ("class AController { void F(string v) { Process.Start(v); } }", False),
        (
            "class A : Controller { int n = 1; public void F(string v) { Process.Start(v); } }",
            True,
        ),
        ("class A { public void F(string v) { Process.Start(v); } }", False),
        ("class A { public void F([FromQuery] string v) { Process.Start(v); } }", True),
        ("class A { [HttpGet] public void F(string v) { Process.Start(v); } }", True),
        ('app.MapGet("/", (string v) => Process.Start(v));', True),
        ('app.MapGet("/", handler);', False),
        ("app.Handle((string v) => Process.Start(v));", False),
    ],
)
def test_where_csharp_is_entered(text: str, reached: bool) -> None:
    assert (
        _reached("csharp", f"using P = System.Diagnostics.Process;\nusing System;\n{text}")
        is reached
    )


@pytest.mark.parametrize(
    ("body", "reached"),
    [
        ("$v = GET; RUN($v);", True),
        ("$v = &$_GET; RUN($v['v']);", True),
        ("RUN(\"ls {$_GET['v']}\");", True),
        ('$v = GET; RUN("ls $v");', True),
        ("RUN('ls ' . GET);", True),
        ("$v = 'ls '; $v .= GET; RUN($v);", True),
        ("RUN($v .= GET);", True),
        ("RUN($v = GET);", True),
        ("RUN(<<<END\nls {$_GET['v']}\nEND);", True),
        ("RUN(<<<'END'\nls\nEND);", False),
        ("RUN('');RUN(\"\");", False),
        ("`ls {$_GET['v']}`;", True),
        ("RUN((int) GET);", False),
        ("RUN((string) GET);", True),
        ("RUN(@$_GET['v']);", True),
        ("RUN(true ? 'ls' : GET);", False),
        ("RUN(GET ?: 'ls');", True),
        ("RUN(GET ?? 'ls');", True),
        ("RUN(!GET);", False),
        ("RUN(-1); RUN(1.5); RUN(null); RUN(TRUE);", False),
        ("$a = ['x' => 'ls', 'y' => GET]; RUN($a['x']);", False),
        ("$a = ['x' => 'ls', 'y' => GET]; RUN($a['y']);", True),
        ("$a = array(GET); RUN($a[0]);", True),
        ("$a = []; $a[] = GET; RUN($a[0]);", True),
        ("[$a, $b] = ['ls', GET]; RUN($b);", True),
        ("list($a, $b) = ['ls', GET]; RUN($a);", False),
        ("RUN(...[GET]);", True),
        ("$o = new A(GET); RUN($o);", True),
        ("$o = new \\B\\A(GET); RUN($o);", True),
        ("$o = new $name(GET); RUN($o);", True),
        ("RUN($o->p->q(GET));", True),
        ("RUN($o?->p(GET));", True),
        ("RUN(A::make(GET));", True),
        ("RUN(A::$made);", False),
        ("RUN(A::NAME);", False),
        ("RUN(clone $_GET);", True),
        ("if (GET) { RUN(GET); } elseif (g()) { h(); } else { k(); }", True),
        ("if (false) { RUN(GET); }", False),
        ("if (false): RUN(GET); elseif (true): RUN(GET); else: k(); endif;", True),
        ("while (g()) { RUN(GET); }", True),
        ("do { RUN(GET); break; } while (g());", True),
        ("for ($i = 0; $i < 2; $i++) { RUN(GET); continue; }", True),
        ("for (;;) RUN(GET);", True),
        ("foreach ($_GET as $v) { RUN($v); }", True),
        ("foreach ($_GET as $k => $v) { RUN($k); }", True),
        ("foreach ($_GET as &$v): RUN($v); endforeach;", True),
        ("switch (1) { case 1: RUN(GET); break; default: g(); }", True),
        ("switch (2) { case 1: RUN(GET); break; default: g(); }", False),
        ("try { RUN(GET); } catch (E | F $e) { g(); } finally { h(); }", True),
        ("try { g(); } catch (E) { RUN(GET); }", True),
        ("try { g(); } finally { RUN(GET); }", True),
        ("$f = function ($c) { RUN($c); }; $f(GET);", True),
        ("$f = fn($c) => $c; RUN($f(GET));", True),
        ("function same(?string $c, string ...$d) { return $c; } RUN(same(GET));", True),
        ("function stop() { return; } RUN(stop());", False),
        ("unset($v); global $v; RUN($v);", False),
        ("throw new E(GET);", False),
        ("exit(GET); RUN(GET);", False),
        ("$v = g() or die(); RUN(GET);", True),
        ("{ RUN(GET); }", True),
        ("echo GET, 'x'; print 'x'; include 'a.php';", False),
        (";", False),
    ],
)
def test_what_a_form_of_php_lets_through(body: str, reached: bool) -> None:
    text = "<?php\n" + body.replace("RUN", "system").replace("GET", "$_GET['v']")
    assert _reached("php", text.replace("$_$_GET['v']", "$_GET")) is reached


@pytest.mark.parametrize(
    ("text", "reached"),
    [
        ("namespace A\\B; use C\\D as E; use F; system($_GET['v']);", True),
        ("namespace A { system($_GET['v']); }", True),
        (
            "class A { const N = 'ls'; private $p = 'ls', $q; function f() { system($this->p); } }",
            False,
        ),
        (
            "class A extends B { static string $p; function f(int $n) { system($_GET['v']); } }",
            True,
        ),
        ("trait A { function f() { system($_GET['v']); } }", True),
        ("abstract class A { abstract function f($v); }", False),
        ("?><p><?= system($_GET['v']) ?></p>", True),
    ],
)
def test_where_php_is_entered(text: str, reached: bool) -> None:
    assert _reached("php", f"<?php\n{text}") is reached
