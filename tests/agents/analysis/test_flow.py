# ruff: noqa: E501 - each program of the tables is one line
"""The way of values: what reaches a sink, what does not, and what the finding says of it."""

from __future__ import annotations

import pytest

from coai_agents.analysis.findings.findings import Finding, Severity
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source

_VIEW = """\
import os, html, base64, re
from flask import Flask, request
app = Flask(__name__)

@app.route("/")
def view():
    v = request.args.get("v")
"""


def _view(body: str) -> str:
    return _VIEW + "".join(f"    {line}\n" for line in body.splitlines())


def _findings(text: str, language: str = "python") -> tuple[Finding, ...]:
    return analyse(Source("untitled:x", text, language, version=7)).findings


def _reaches(body: str, rule: str = "command-injection") -> bool:
    return any(finding.rule == rule for finding in _findings(_view(body)))


@pytest.mark.parametrize(
    "body",
    [
        "os.system(v)",
        "os.system('ls ' + v)",
        "os.system(f'ls {v}')",
        "os.system('ls %s' % v)",
        "os.system('ls {}'.format(v))",
        "os.system(' '.join(['ls', v]))",
        "c = 'ls '\nc += v\nos.system(c)",
        "os.system(v.strip().lower())",
        "os.system(base64.b64decode(base64.b64encode(v.encode())).decode())",
        "os.system(v[2:-3])",
        "d = {'a': v, 'b': 'x'}\nos.system(d['a'])",
        "d = {}\nd['a'] = v\nos.system(d.get('a'))",
        "a = ['x', v]\nos.system(a[1])",
        "a = []\na.append('x')\na.append(v)\na.pop(0)\nos.system(a[0])",
        "x = v if 1 + 1 == 2 else 'ls'\nos.system(x)",
        "x = 'ls'\nif os.path:\n    x = v\nos.system(x)",
        "for x in v.split():\n    os.system(x)",
        "x = ''\nfor y in [1, 2]:\n    os.system(x)\n    x = v",
        "x = ''\nfor y in request.args:\n    x = y\n    break\nos.system(x)",
        "while v:\n    os.system(v)\n    break",
        "match 'a':\n    case 'a':\n        x = v\n    case _:\n        x = ''\nos.system(x)",
        "try:\n    x = v\nexcept ValueError:\n    x = ''\nos.system(x)",
        "try:\n    g()\nexcept ValueError:\n    pass\nfinally:\n    os.system(v)",
        "with open('f') as f:\n    os.system(v)",
        "def inner(c):\n    os.system(c)\ninner(v)",
        "def same(c):\n    return c\nos.system(same(v))",
        "def same(c, *rest, d='x'):\n    return rest[0]\nos.system(same(1, v))",
        "run = lambda c: os.system(c)\nrun(v)",
        "class A:\n    def __init__(self):\n        self.c = v\n    def go(self):\n        os.system(self.c)",
        "x, y = v, 'ls'\nos.system(x)",
        "x = [y for y in v.split()]\nos.system(x[0])",
        "os.system(str(y := v))",
        "import configparser\nc = configparser.ConfigParser()\nc.set('s', 'k', v)\nos.system(c.get('s', 'k'))",
        "import io\ns = io.StringIO()\ns.write(v)\nos.system(s.getvalue())",
        "os.system(html.escape(v))",
        "x = v or 'ls'\nos.system(x)",
        "assert v\nos.system(v)",
        "if v in request.cookies:\n    os.system(v)",
        "del os\nos.system(v)",
    ],
)
def test_reaches_the_sink(body: str) -> None:
    assert _reaches(body)


@pytest.mark.parametrize(
    "body",
    [
        "os.system('ls')",
        "v = 'ls'\nos.system(v)",
        "os.system(str(int(v)))",
        "import shlex\nos.system('ls ' + shlex.quote(v))",
        "d = {'a': v, 'b': 'x'}\nos.system(d['b'])",
        "a = ['x', v]\nos.system(a[0])",
        "a = []\na.append(v)\na.append('x')\na.pop(0)\nos.system(a[0])",
        "a = ['x']\na.insert(0, v)\nos.system(a[1])",
        "x = v if 1 + 1 == 3 else 'ls'\nos.system(x)",
        "if 7 * 6 == 42:\n    x = 'ls'\nelse:\n    x = v\nos.system(x)",
        "if 'no' in 'a text':\n    x = v\nelse:\n    x = 'ls'\nos.system(x)",
        "match 'b':\n    case 'a':\n        x = v\n    case _:\n        x = ''\nos.system(x)",
        "while False:\n    os.system(v)",
        "return 1\nos.system(v)",
        "if v not in ['a', 'b']:\n    return 'no'\nos.system(v)",
        "if v in ('a', 'b'):\n    os.system(v)",
        "if v == 'ls':\n    os.system(v)",
        "if not re.fullmatch('[a-z]+', v):\n    return\nos.system(v)",
        "if not is_valid_name(v):\n    raise ValueError\nos.system(v)",
        "if isinstance(v, str) and ';' in v:\n    return\nos.system(v)",
        "def safe(c):\n    return 'ls'\nos.system(safe(v))",
        "x = sanitize_name(v)\nos.system(x)",
        "import sys\nif not v:\n    sys.exit()\nv = 'ls'\nos.system(v)",
        "os.system('ls' + str(len(v)))",
        "os.system(re.sub(r'[^a-z0-9]', '', v))",
        "os.system(re.sub(r'\\W+', '', v))",
        "os.system(', '.join(['ls', 'cat']))",
        "import configparser\nc = configparser.ConfigParser()\nc.set('s', 'k', 'x')\nos.system(c.get('s', 'v'))",
    ],
)
def test_does_not_reach_the_sink(body: str) -> None:
    assert not _reaches(body)


@pytest.mark.parametrize(
    ("body", "rule", "reached"),
    [
        ("if '..' in v:\n    return\nopen('/d/' + v)", "path-traversal", False),
        ("open(re.sub(r'[^a-z./]', '', v))", "path-traversal", True),
        ("open(re.sub(r'[^a-z]', '', v))", "path-traversal", False),
        ("os.system(re.sub(r'[^a-z;]', '', v))", "command-injection", True),
        (
            "from pathlib import Path\np = Path(v)\np.relative_to('/d')\np.read_text()",
            "path-traversal",
            False,
        ),
        (
            "from pathlib import Path\np = Path(v)\np.with_suffix('')\np.read_text()",
            "path-traversal",
            True,
        ),
        ("if '<' in v:\n    return\nopen('/d/' + v)", "path-traversal", True),
        ("exec(v)", "code-injection", True),
        (
            (
                'if not v.startswith("\'") or not v.endswith("\'") or "\'" in v[1:-1]:\n'
                "    return\nexec(v)"
            ),
            "code-injection",
            False,
        ),
        ("return '<p>' + v", "xss", True),
        ("return '<p>' + html.escape(v)", "xss", False),
        ("return ('<p>', {'a': v})", "xss", False),
        (
            "import requests\nrequests.get('https://a.example/' + v, timeout=1)",
            "ssrf",
            False,
        ),
        ("import requests\nrequests.get('https://%s/' % v, timeout=1)", "ssrf", True),
    ],
)
def test_what_is_harmless_depends_on_where_it_goes(body: str, rule: str, reached: bool) -> None:
    assert _reaches(body, rule) is reached


def test_the_path_leads_from_the_source_to_the_sink() -> None:
    text = _view("command = 'ls ' + v\nos.system(command)")
    (finding,) = (each for each in _findings(text) if each.rule == "command-injection")
    shown = [text[step.span.start : step.span.end] for step in finding.path]
    assert shown == [
        'request.args.get("v")',
        'v = request.args.get("v")',
        "command = 'ls ' + v",
        "os.system(command)",
    ]
    assert finding.path[0].words == "comes from the request (get())"
    assert (finding.version, finding.uri, finding.severity) == (7, "untitled:x", Severity.ERROR)
    assert 78 in finding.cwe


@pytest.mark.parametrize(
    ("source", "severity"),
    [
        ("request.args['v']", Severity.ERROR),
        ("input()", Severity.WARNING),
        ("open('f').read()", Severity.WARNING),
    ],
)
def test_who_can_decide_the_value_decides_the_severity(source: str, severity: Severity) -> None:
    text = f"import os\nfrom flask import request\nos.system({source})\n"
    found = [each.severity for each in _findings(text) if each.rule == "command-injection"]
    assert found == [severity]


def test_what_a_caller_passes_is_only_information() -> None:
    found = _findings("def f(x):\n    return eval(x)\n")
    assert [(each.rule, each.severity) for each in found] == [
        ("dangerous-eval", Severity.INFORMATION)
    ]


def test_a_request_in_another_object_is_still_a_request() -> None:
    assert _reaches("w = helpers.request_wrapper(request)\nos.system(w.get('v'))")
    assert not _reaches("u = current_user(request)\nos.system(u.name)")


def test_a_function_that_calls_itself_ends() -> None:
    assert _reaches("def again(c):\n    again(c)\n    os.system(c)\nagain(v)")


_OTHERS = {
    "javascript": (
        "const cp = require('child_process');\napp.get('/', (req, res) => {{ {} }});",
        [
            ("const v = req.query.v; cp.exec('ls ' + v);", True),
            ("const {{ v }} = req.body; cp.exec(`ls ${{v}}`);", True),
            ("let v = 'x'; v += req.query.v; cp.exec(v);", True),
            ("const [a, b] = req.query.v; cp.exec(b);", True),
            ("for (const v of req.query.v) {{ cp.exec(v); }}", True),
            ("for (let i = 0; i < 3; i++) {{ cp.exec(req.query.v); }}", True),
            ("try {{ cp.exec(req.query.v); }} catch (e) {{ throw e; }} finally {{ f(); }}", True),
            ("switch (1) {{ case 1: cp.exec(req.query.v); break; default: f(); }}", True),
            ("switch (2) {{ case 1: cp.exec(req.query.v); break; default: f(); }}", False),
            ("switch (1) {{ case 1: case 2: cp.exec(req.query.v); }}", True),
            ("const f = function (c = 'x') {{ cp.exec(c); }}; f(req.query.v);", True),
            ("class A {{ b = 1; run(c) {{ cp.exec(c); }} }} new A().run(req.query.v);", True),
            ("const o = {{ ...req.query }}; cp.exec(o.v);", True),
            ("const m = new Map(); m.set('a', req.query.v); cp.exec(m.get('a'));", True),
            ("const v = true ? 'ls' : req.query.v; cp.exec(v);", False),
            ("while (true) {{ cp.exec(req.query.v); }}", True),
            ("if (!/^a$/.test(req.query.v)) return; cp.exec('ls');", False),
            ("(req.query.v, cp.exec)(req.query.v as string);", False),
            ("[1].forEach((x) => cp.exec(req.query.v));", True),
            ("a.b['c'] = d = req.query.v; cp.exec(d);", True),
        ],
    ),
    "java": (
        "class A {{ void f(HttpServletRequest request) {{ {} }} String same(String c) {{ return c; }} }}",
        [
            ("String v = GET; RUN(v);", True),
            ('RUN("ls " + GET);', True),
            ("String v = same(GET); RUN(v);", True),
            ("String[] v = {{ GET }}; RUN(v);", True),
            (
                'for (String v : request.getParameterValues("v")) {{ RUN(v); }}',
                True,
            ),
            (
                "for (int i = 0; i < 2; i++) RUN(GET);",
                True,
            ),
            ("do {{ RUN(GET); }} while (g());", True),
            (
                "try (A a = new A()) {{ RUN(GET); }} catch (E e) {{ g(); }} finally {{ h(); }}",
                True,
            ),
            (
                "switch (1) {{ case 1: RUN(GET); break; default: g(); }}",
                True,
            ),
            (
                'Runnable r = () -> {{ g(); }}; Map<String, String> m = new HashMap<>(); m.put("a", GET); m.put("b", "x"); RUN(m.get("b"));',
                False,
            ),
            (
                'String v = 7 * 6 > 40 ? "ls" : GET; RUN(v);',
                False,
            ),
            (
                "synchronized (this) {{ RUN((String) GET); }}",
                True,
            ),
            ("throw new E(GET);", False),
        ],
    ),
    "go": (
        'package a\nimport "os/exec"\nfunc f(w http.ResponseWriter, r *http.Request) {{\n{}\n}}\nfunc same(c string) string {{ return c }}',
        [
            ('v := r.FormValue("v"); exec.Command("sh", "-c", v)', True),
            ('var v string = r.FormValue("v")\nexec.Command("sh", "-c", same(v))', True),
            ('for _, v := range r.Form["v"] {{ exec.Command(v) }}', True),
            ('for i := 0; i < 2; i++ {{ exec.Command(r.FormValue("v")) }}', True),
            (
                'switch r.FormValue("v") {{ case "a": exec.Command("ls")\ndefault: exec.Command(r.FormValue("v")) }}',
                True,
            ),
            ('if v := r.FormValue("v"); v == "ls" {{ exec.Command(v) }}', False),
            ('go func() {{ exec.Command(r.FormValue("v")) }}()', True),
            ('v := []string{{"a", r.FormValue("v")}}; exec.Command(v[0])', False),
            ('v := map[string]string{{"a": r.FormValue("v")}}; exec.Command(v["a"])', True),
            ('const v = "ls"\nexec.Command(v)', False),
        ],
    ),
    "php": (
        "<?php\nfunction same($c) {{ return $c; }}\n{}\n",
        [
            ("$v = $_GET['v']; system(\"ls $v\");", True),
            ("$v = 'ls '; $v .= $_GET['v']; system($v);", True),
            ("system(same($_GET['v']));", True),
            ("foreach ($_GET as $k => $v) {{ system($v); }}", True),
            ("for ($i = 0; $i < 2; $i++) {{ system($_GET['v']); }}", True),
            ("while (true) {{ system($_GET['v']); break; }}", True),
            ("$a = ['a' => $_GET['v'], 'b' => 'x']; system($a['b']);", False),
            ("$v = (int) $_GET['v']; system($v);", False),
            ("$v = true ? 'ls' : $_GET['v']; system($v);", False),
            ("if (in_array($_GET['v'], ['a'])) {{ system('ls'); }} else {{ exit; }}", False),
            ("try {{ system($_GET['v']); }} catch (E $e) {{ throw $e; }} finally {{ f(); }}", True),
            ("switch (1) {{ case 1: system($_GET['v']); break; default: f(); }}", True),
            (
                "class A {{ private $v = 'x'; function f() {{ $this->v = $_GET['v']; system($this->v); }} }}",
                True,
            ),
            ("$f = function ($c) {{ system($c); }}; $f($_GET['v']);", True),
            ("system(<<<A\nls {{$_GET['v']}}\nA);", True),
        ],
    ),
    "ruby": (
        "class A < ApplicationController\n  def same(c)\n    c\n  end\n  def f\n    {}\n  end\nend\n",
        [
            ("v = params[:v]\nsystem(v)", True),
            ('system("ls #{{params[:v]}}")', True),
            ("system(same(params[:v]))", True),
            ("v = 'ls '\nv += params[:v]\nsystem(v)", True),
            ("params[:v].each do |x|\n system(x)\nend", True),
            ("@v = params[:v]\nsystem(@v)", True),
            ("system(params[:v]) if true", True),
            ("system(params[:v]) unless true", False),
            ("if false\n system(params[:v])\nelsif true\n g\nelse\n h\nend", False),
            ("h = {{ a: params[:v], b: 'x' }}\nsystem(h[:b])", False),
            ("case 1\nwhen 1 then system(params[:v])\nelse g\nend", True),
            ("begin\n system(params[:v])\nrescue => e\n g\nensure\n h\nend", True),
            ("while true\n system(params[:v])\nend", True),
            ("for x in params[:v]\n system(x)\nend", True),
            ("return 'x' unless %w[a].include?(params[:v])\nsystem('ls')", False),
            ("v = true ? 'ls' : params[:v]\nsystem(v)", False),
            ("`ls #{{params[:v]}}`", True),
        ],
    ),
    "csharp": (
        "class A {{ void F() {{ {} }} string Same(string c) {{ return c; }} }}",
        [
            ('var v = GET; RUN("cmd", v);', True),
            ('RUN($"cmd {{GET}}");', True),
            ('string v = "x"; v += GET; RUN(v);', True),
            ("RUN(Same(GET));", True),
            ("foreach (var v in Request.Form) {{ RUN(v); }}", True),
            ("for (int i = 0; i < 2; i++) {{ RUN(GET); }}", True),
            ("while (true) {{ RUN(GET); }}", True),
            ("using (var a = new A()) {{ RUN(GET); }}", True),
            (
                "try {{ RUN(GET); }} catch (E e) {{ G(); }} finally {{ H(); }}",
                True,
            ),
            (
                'var p = new ProcessStartInfo {{ FileName = "x" }}; p.Arguments = GET;',
                True,
            ),
            ('var v = true ? "ls" : GET; RUN(v);', False),
            ('if (v?.Length == 0) {{ return; }} RUN("ls");', False),
            ("Action a = () => RUN(GET);", True),
            (
                "switch (1) {{ case 1: RUN(GET); break; default: G(); break; }}",
                True,
            ),
            ('string[] v = {{ "a", GET }}; RUN(v[0]);', False),
        ],
    ),
}

_WORDS = {
    "java": {"RUN": "Runtime.getRuntime().exec", "GET": 'request.getParameter("v")'},
    "csharp": {"RUN": "Process.Start", "GET": 'Request.Form["v"]'},
}


def _written(language: str, frame: str, body: str) -> str:
    text = frame.format(body.replace("{{", "{").replace("}}", "}"))
    for word, meaning in _WORDS.get(language, {}).items():
        text = text.replace(word, meaning)
    return text


_CASES = [
    pytest.param(
        language,
        _written(language, frame, body),
        reached,
        id=f"{language}-{at}",
    )
    for language, (frame, cases) in _OTHERS.items()
    for at, (body, reached) in enumerate(cases)
]


@pytest.mark.parametrize(("language", "text", "reached"), _CASES)
def test_all_languages_are_read_by_the_same_engine(language: str, text: str, reached: bool) -> None:
    found = {each.rule for each in _findings(text, language)}
    assert ("command-injection" in found) is reached


def test_typescript_is_javascript_with_types() -> None:
    text = (
        "import { exec } from 'child_process';\nimport * as fs from 'fs';\n"
        "function f(req: Request, { a, b = 2 }: { a: string; b?: number }, ...c: string[]): void {\n"
        "  const v: string = <string>req.query.v;\n  exec(v as string);\n  exec(v!);\n}\n"
    )
    found = [each.rule for each in _findings(text, "typescript")]
    assert found.count("command-injection") == 2


def test_jsx_is_read() -> None:
    text = "const A = (req) => <div dangerouslySetInnerHTML={{ __html: req.query.v }} />;\n"
    assert "xss" in {each.rule for each in _findings(text, "javascriptreact")}
