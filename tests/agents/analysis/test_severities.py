"""How loud a finding is: by what something is for, by who decides, and once for one fault."""

from __future__ import annotations

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source


def _severities(language: str, code: str, rule: str) -> list[str]:
    analysis = analyse(Source("untitled:code", code, language))
    return [each.severity.value for each in analysis.findings if each.rule == rule]


_PYTHON_HASH = "import hashlib\ndef {}:\n    {}\n    return h.hexdigest()\n"


@pytest.mark.parametrize(
    ("function", "line", "severity"),
    [
        ("plain(data)", "h = hashlib.md5(data)", "information"),
        ("main()", "h = hashlib.md5(b'a')", "warning"),
        ("verified(data)", "h = hashlib.md5(data)", "warning"),
        ("plain(data)", "h = hashlib.md5(data + secret)", "warning"),
        ("sign(data)", "h = hashlib.md5(data)", "warning"),
        ("etag_token(data)", "h = hashlib.md5(data)", "warning"),
        ("etag(data)", "h = hashlib.md5(data)", "information"),
        ("plain(cache_key)", "h = hashlib.sha1(cache_key)", "information"),
        ("login_page(data)", "file_name = h = hashlib.md5(data)", "information"),
        ("fingerprint(self)", "h = hashlib.md5(self.data)", "information"),
        ("answer(user, realm)", "h = hashlib.md5(user + realm)", "information"),
        ("accept(key)", "h = hashlib.sha1(key + b'258EAFA5-E914-47DA-95CA')", "information"),
    ],
)
def test_a_hash_that_names_something_or_that_a_protocol_asks_for_is_no_warning(
    function: str, line: str, severity: str
) -> None:
    assert _severities("python", _PYTHON_HASH.format(function, line), "weak-hash") == [severity]


@pytest.mark.parametrize(
    ("function", "severity"),
    [
        ("cache_key_md5(password)", "warning"),
        ("circle(password, radius)", "warning"),
        ("answer(password, radius_secret)", "information"),
        ("answer(password, customer_key_md5)", "information"),
    ],
)
def test_a_password_is_hashed_weakly_whatever_else_a_name_says(
    function: str, severity: str
) -> None:
    code = f"import hashlib\ndef {function}:\n    return hashlib.md5(password).hexdigest()\n"
    assert _severities("python", code, "weak-password-hash") == [severity]


@pytest.mark.parametrize(
    ("language", "code", "severity"),
    [
        (
            "go",
            (
                'package a\nimport "crypto/sha1"\nfunc name(cacheKey string) [20]byte {\n'
                "  return sha1.Sum([]byte(cacheKey))\n}\n"
            ),
            "information",
        ),
        (
            "go",
            (
                'package a\nimport "crypto/sha1"\nfunc sign(text string) [20]byte {\n'
                "  return sha1.Sum([]byte(text))\n}\n"
            ),
            "warning",
        ),
        (
            "php",
            (
                "<?php\nfunction challenge($user, $secret) {\n"
                "  $realm = 'a';\n  $secret = md5($realm . $secret);\n  return $secret;\n}\n"
            ),
            "information",
        ),
        (
            "ruby",
            "def etag(session)\n  etag = Digest::MD5.hexdigest(session)\n  etag\nend\n",
            "information",
        ),
        (
            "javascript",
            (
                "const crypto = require('crypto');\nfunction checksum(data) {\n"
                "  return crypto.createHash('md5').update(data).digest('hex');\n}\n"
            ),
            "information",
        ),
    ],
)
def test_it_is_so_in_every_language(language: str, code: str, severity: str) -> None:
    assert _severities(language, code, "weak-hash") == [severity]


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("subprocess.call([os.environ['MAKE'], 'all'])", "information"),
        ("os.execv(sys.executable, [sys.executable] + sys.argv)", "information"),
        ("subprocess.call(['sh', '-c', sys.argv[1]])", "warning"),
        ("os.system(sys.argv[1])", "warning"),
        ("subprocess.call([request.args['tool'], 'all'])", "error"),
    ],
)
def test_whoever_starts_a_program_may_choose_what_it_starts_but_not_through_a_shell(
    line: str, severity: str
) -> None:
    code = f"import os, subprocess, sys\nfrom flask import request\ndef run():\n    {line}\n"
    assert _severities("python", code, "command-injection") == [severity]


_READING = "import zipfile\ndef f(p):\n    {}\n    open(name)\n"


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("name = open(p).read()", "information"),
        ("name = zipfile.ZipFile(p).namelist()[0]", "warning"),
    ],
)
def test_a_path_in_a_file_is_the_programs_own_and_one_in_an_archive_is_not(
    line: str, severity: str
) -> None:
    assert severity in _severities("python", _READING.format(line), "path-traversal")


@pytest.mark.parametrize(
    ("value", "severities"),
    [
        ("request.args['a']", ["warning"]),
        ("request.headers['a']", ["information"]),
        ("repr(request.args['a'])", []),
        ("json.dumps(request.args['a'])", []),
    ],
)
def test_what_has_no_end_of_a_line_forges_none_in_a_log(value: str, severities: list[str]) -> None:
    code = (
        "import json, logging\nfrom flask import request\n"
        f"def f():\n    logging.info('a %s', {value})\n"
    )
    assert _severities("python", code, "log-injection") == severities


def test_what_is_formatted_as_code_forges_no_line_either() -> None:
    code = "import logging\nfrom flask import request\n"
    code += "def f():\n    logging.info('a %r %d', request.args['a'], 1)\n"
    assert _severities("python", code, "log-injection") == []


@pytest.mark.parametrize(
    ("use", "severities"),
    [
        ('var names = map[uint16]string{tls.VersionTLS10: "TLSv1"}', ["information"]),
        ("func old(v uint16) bool { return v == tls.VersionTLS10 }", ["information"]),
        ("var config = tls.Config{MinVersion: tls.VersionTLS10}", ["warning"]),
    ],
)
def test_a_constant_that_is_only_translated_is_not_used(use: str, severities: list[str]) -> None:
    code = f'package a\nimport "crypto/tls"\n{use}\n'
    assert _severities("go", code, "weak-tls") == severities


def test_an_option_that_is_set_is_used() -> None:
    code = "const tls = require('tls');\ntls.connect({ minVersion: 'TLSv1' });\n"
    assert _severities("javascript", code, "weak-tls") == ["warning"]


@pytest.mark.parametrize(
    ("value", "severity"),
    [("SECRET_KEY", "information"), ("guest", "information"), ("tr0ub4dor", "warning")],
)
def test_the_name_of_a_setting_is_no_secret(value: str, severity: str) -> None:
    code = f"<?php\nclass A {{\n  private $password = '{value}';\n}}\n"
    assert _severities("php", code, "hardcoded-secret") == [severity]


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        ("a[key] = b[key];", "information"),
        ("if (typeof b[key] === 'object') merge(a[key], b[key]); else a[key] = b[key];", "warning"),
    ],
)
def test_a_key_changes_other_objects_only_where_the_copy_goes_down(
    body: str, severity: str
) -> None:
    code = f"function merge(a, b) {{\n  for (const key in b) {{ {body} }}\n}}\n"
    assert set(_severities("javascript", code, "prototype-pollution")) == {severity}


@pytest.mark.parametrize(
    ("code", "severities"),
    [
        ("def f(x):\n    h(x)\n    h(x)\n    h(x)\n", ["warning", "warning", "information"]),
        ("def f(x):\n    return h(x), h(x)\n", ["warning", "information"]),
        ("def f(x):\n    h(x)\ndef g(x):\n    h(x)\ndef i(x):\n    h(x)\n", ["warning"] * 3),
        ("h(x)\nh(x)\nh(x)\n", ["warning"] * 3),
    ],
)
def test_one_fault_is_said_aloud_twice_in_a_function(code: str, severities: list[str]) -> None:
    code = "import hashlib\n" + code.replace("h(x)", "hashlib.md5(secret)")
    assert _severities("python", code, "weak-hash") == severities


def test_an_error_is_never_quieter_for_being_repeated() -> None:
    code = "from flask import request\nimport os\ndef f():\n    a = request.args['a']\n"
    code += "    os.system(a)\n" * 4
    assert _severities("python", code, "command-injection") == ["error"] * 4


_RANDOM = "class A {{\n  int {}() {{ return new java.util.Random().nextInt(); }}\n}}\n"


@pytest.mark.parametrize(
    ("function", "severity"),
    [
        ("partition", "information"),
        ("sessionId", "warning"),
        ("resetCode", "warning"),
        ("main", "warning"),
    ],
)
def test_numbers_that_nobody_must_not_guess_may_be_guessed(function: str, severity: str) -> None:
    assert _severities("java", _RANDOM.format(function), "weak-random") == [severity]


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("if (sum.md5 === fileMd5) return 1;", "information"),
        ("if (this.apiKey === defaultApiKey) return 1;", "information"),
        ("if (this.apiKey === given) return 1;", "warning"),
    ],
)
def test_what_everybody_knows_may_be_compared_slowly(line: str, severity: str) -> None:
    code = f"function same(sum, fileMd5, given) {{\n  {line}\n}}\n"
    assert set(_severities("javascript", code, "timing-attack")) <= {severity}


@pytest.mark.parametrize(
    ("value", "severity"),
    [('"x7Kq2vLp9sWd4"', "warning"), ("defaultApiKey", "information")],
)
def test_a_secret_is_one_where_it_is_written_and_not_where_it_is_handed_on(
    value: str, severity: str
) -> None:
    code = 'const defaultApiKey = "x7Kq2vLp9sWd4";\n'
    code += f"function f(apiKey) {{\n  if (apiKey == null) {{ apiKey = {value}; }}\n"
    code += "  return apiKey;\n}\n"
    found = _severities("typescript", code, "hardcoded-secret")
    assert severity in found


@pytest.mark.parametrize(
    ("language", "rule", "bad", "good"),
    [
        (
            "php",
            "debug-enabled",
            "<?php\nfunction a() { phpinfo(); }\n",
            "<?php\nfunction a() { ob_start(); phpinfo(); return ob_get_clean(); }\n",
        ),
        (
            "javascript",
            "postmessage-origin",
            "window.addEventListener('message', (e) => { run(e.data); });\n",
            "this.socket.addEventListener('message', (e) => { run(e.data); });\n",
        ),
    ],
)
def test_what_others_do_not_see_or_send_is_no_finding(
    language: str, rule: str, bad: str, good: str
) -> None:
    assert _severities(language, bad, rule)
    assert not _severities(language, good, rule)


def test_of_one_value_three_warnings_are_loud_in_a_function() -> None:
    code = "import os, sys\ndef f():\n    a = sys.argv[1]\n" + "    os.system(a)\n" * 4
    found = _severities("python", code, "command-injection")
    assert found.count("warning") == 3
