"""Programs as people write them with frameworks: what is harmless is not reported as an error."""

from __future__ import annotations

import pytest

from coai_agents.analysis.findings.findings import Severity
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source

_EXPRESS = "const app = require('express')();\napp.get('/', (req, res) => {\n  %s\n});\n"
_EXEC = "const { exec } = require('child_process');\n" + _EXPRESS
_NEXT = (
    "import { NextRequest, NextResponse } from 'next/server';\n"
    "export async function GET(request: NextRequest) {\n  %s\n}\n"
)
_LARAVEL = (
    "<?php\nuse Illuminate\\Support\\Facades\\DB;\nclass A extends Controller {\n"
    "  public function f(Request $request) {\n    %s\n  }\n}\n"
)
_RAILS = "class A < ApplicationController\n  def a\n    %s\n  end\nend\n"
_SPRING = (
    '@RestController\nclass A {\n  @GetMapping("/{id}")\n'
    "  public String f(%s) throws Exception {\n    %s\n  }\n}\n"
)
_JDBC = 'return jdbc.queryForList("select * from a where id = " + id);'


@pytest.mark.parametrize(
    ("language", "code", "found"),
    [
        # Values that are bound are no part of the text.
        ("php", _LARAVEL % "DB::select('select a where b = ?', [$request->input('b')]);", []),
        ("php", _LARAVEL % "DB::update('update a set b = ?', [$request->input('b')]);", []),
        (
            "php",
            _LARAVEL % "DB::select('select a where b = ' . $request->input('b'), [1]);",
            ["sql-injection"],
        ),
        (
            "php",
            "<?php mysqli_query($c, 'select a where b = ' . $_GET['b']);",
            ["sql-injection"],
        ),
        # A program's arguments reach no shell.
        ("ruby", _RAILS % "system('convert', params[:file], 'out.png')", []),
        ("ruby", _RAILS % "Open3.capture3('git', 'log', params[:ref])", []),
        ("ruby", _RAILS % 'system("convert #{params[:file]} out.png")', ["command-injection"]),
        ("ruby", _RAILS % "system('sh', '-c', params[:file])", ["command-injection"]),
        ("ruby", _RAILS % "system('/bin/bash', '-c', params[:file])", ["command-injection"]),
        ("ruby", _RAILS % "system(environment, params[:file])", ["command-injection"]),
        ("ruby", _RAILS % "IO.popen(params[:file])", ["command-injection"]),
        # exec is a shell's, and a database's elsewhere.
        ("javascript", _EXEC % "exec(`ping ${req.query.a}`);", ["command-injection"]),
        (
            "javascript",
            "const child = require('child_process');\n"
            + _EXPRESS % "child.exec('ping ' + req.query.a);",
            ["command-injection"],
        ),
        ("javascript", _EXPRESS % "db.exec('select ' + req.query.a);", ["sql-injection"]),
        # A signed token is of letters that do nothing.
        (
            "javascript",
            "const jwt = require('jsonwebtoken');\n"
            + _EXPRESS % "res.cookie('t', jwt.sign({ a: req.body.a }, key), options);",
            [],
        ),
        # A path on this host is none elsewhere.
        ("typescript", _NEXT % "return NextResponse.redirect(new URL('/a', request.url));", []),
        (
            "typescript",
            _NEXT % "return NextResponse.redirect("
            "new URL('/a?b=' + request.nextUrl.searchParams.get('b'), request.url));",
            [],
        ),
        (
            "typescript",
            _NEXT % "return NextResponse.redirect("
            "new URL(request.nextUrl.searchParams.get('b'), request.url));",
            ["open-redirect"],
        ),
        # A number is no text.
        ("java", _SPRING % ("@PathVariable long id", _JDBC), []),
        ("java", _SPRING % ("@PathVariable Integer id", _JDBC), []),
        ("java", _SPRING % ("@RequestParam UUID id", _JDBC), []),
        ("java", _SPRING % ("@PathVariable String id", _JDBC), ["sql-injection"]),
        # Nobody chooses what a digest is.
        (
            "java",
            _SPRING
            % (
                "@RequestParam String a",
                "byte[] d = sha256.digest(a.getBytes());\n    return HexFormat.of().formatHex(d);",
            ),
            [],
        ),
    ],
)
def test_errors_in_a_handler(language: str, code: str, found: list[str]) -> None:
    findings = analyse(Source("untitled:x", code, language)).findings
    assert [each.rule for each in findings if each.severity is Severity.ERROR] == found
