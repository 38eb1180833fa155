# ruff: noqa: E501, ISC004 - each program of the tables is one text
"""Fixed programs still do their job: the program and its fixed form run, and say the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.fixes.fixers import applied, fixes_for
from coai_agents.source import Source

if TYPE_CHECKING:
    from pathlib import Path

_DATABASE = """\
import sqlite3


def names(who):
    connection = sqlite3.connect(":memory:")
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE people (name TEXT, age INTEGER)")
    cursor.execute("INSERT INTO people VALUES ('Ann', 40), ('Bob', 41)")
{query}
    return cursor.fetchall()


print(names({argument}))
"""


def _database(query: str, argument: str = "'Ann'") -> str:
    return _DATABASE.format(query=query, argument=argument)


PYTHON = {
    "a query joined with +": (
        "values apart",
        _database('    cursor.execute("SELECT age FROM people WHERE name = \'" + who + "\'")'),
    ),
    "a query in an f-string over several lines": (
        "values apart",
        _database(
            "    cursor.execute(\n"
            '        f"SELECT age FROM people "  # all of them\n'
            '        f"WHERE age > {who} "\n'
            "        \"AND name <> ''\",\n"
            "    )",
            "40",
        ),
    ),
    "a query that is formatted with %": (
        "values apart",
        _database("    cursor.execute(\"SELECT age FROM people WHERE name = '%s'\" % who)"),
    ),
    "a query that is formatted with format, in a variable": (
        "values apart",
        _database(
            "    query = 'SELECT name FROM people WHERE age = {}'.format(who)\n"
            "    cursor.execute(query)",
            "41",
        ),
    ),
    "a query of two values": (
        "values apart",
        _database(
            "    cursor.execute(f\"SELECT age FROM people WHERE name = '{who}' OR name = '{who}'\")"
        ),
    ),
    "a shell that only starts a program": (
        "without a shell",
        "import subprocess\n\ndef say(word):\n"
        "    return subprocess.check_output('echo hello ' + word, shell=True, text=True)\n"
        "print(say('you'))\n",
    ),
    "a shell with options and a value within a word": (
        "without a shell",
        "import subprocess\n\ndef say(word):\n"
        '    return subprocess.run(f"printf %s a-{word}", shell=True,\n'
        "        capture_output=True, text=True).stdout\nprint(say('b'))\n",
    ),
    "a mutable default behind a docstring": (
        "anew in each call",
        "def f(a, found=[]):\n    '''Collect.'''\n    found.append(a)\n    return found\n"
        "print(f(1), f(2, [1]), f.__doc__)\n",
    ),
    "a mutable default with a type": (
        "anew in each call",
        "def f(a: int, found: dict[str, int] = {'x': 0}) -> int:\n    found['y'] = a\n"
        "    return len(found)\nprint(f(1))\n",
    ),
    "an exception that was swallowed": (
        "to the log",
        "def f(a):\n    try:\n        return 1 / a\n    except Exception:\n        pass\n"
        "print(f(0), f(2))\n",
    ),
    "YAML": (
        "yaml.safe_load",
        "import yaml\n\ndef f(text):\n    return yaml.load(\n        text,\n"
        "        Loader=yaml.UnsafeLoader,\n    )\nprint(f('a: [1, {b: c}]'))\n",
    ),
    "a literal that was evaluated": (
        "ast.literal_eval",
        "def f(t):\n    return eval(t)\nprint(f('[1, {2: None}]'))\n",
    ),
    "a checksum": (
        "not for security",
        "import hashlib\nprint(hashlib.md5(\n    b'x',\n).hexdigest())\n",
    ),
    "a checksum that is updated": (
        "not for security",
        "import hashlib as h\nimport hashlib\nm = hashlib.sha1()\nm.update(b'x')\n"
        "print(m.hexdigest())\n",
    ),
    "a number of dice": ("secure generator", "import random\nprint(random.randint(3, 3))\n"),
    "a choice": ("secure generator", "import random\nprint(random.choice( [ 'x' ] ))\n"),
    "a temporary file": (
        "created with its name",
        "import os, tempfile\np = tempfile.mktemp(suffix='.x')\nopen(p, 'w').close()\n"
        "print(os.path.exists(p), p.endswith('.x'))\nos.remove(p)\n",
    ),
    "rights": (
        "owner only",
        "import os, tempfile\nf = tempfile.NamedTemporaryFile()\nos.chmod(f.name, 0o777)\n"
        "print(os.access(f.name, os.R_OK | os.W_OK | os.X_OK))\n",
    ),
    "a mask": (
        "owner only",
        "import os, tempfile\nos.umask(0)\np = tempfile.mkdtemp()\n"
        "open(os.path.join(p, 'a'), 'w').write('x')\n"
        "print(open(os.path.join(p, 'a')).read())\n",
    ),
    "an archive": (
        "outside of the folder",
        "import io, os, tarfile, tempfile\nb = io.BytesIO()\nt = tarfile.open(fileobj=b, mode='w')\n"
        "i = tarfile.TarInfo('a.txt')\ni.size = 1\nt.addfile(i, io.BytesIO(b'x'))\nt.close()\n"
        "b.seek(0)\nd = tempfile.mkdtemp()\ntarfile.open(fileobj=b).extractall(\n    d,\n)\n"
        "print(os.listdir(d))\n",
    ),
    "handlers of everything": (
        "not the end",
        "try:\n    1 / 0\nexcept :\n    print('caught')\n",
    ),
    "identity": ("Compare with ==", "a = 'x' * int('1')\nprint(a is 'x' or 1)\n"),
    "not in": ("`not in`", "print(not 3 in [1, 2])\n"),
    "a list that grows": (
        "through a copy",
        "a = [1, 2]\nfor x in a:\n    a.append(x)\n    if len(a) > 3:\n        break\nprint(a)\n",
    ),
    "the year": (
        "time is UTC",
        "from datetime import datetime\nprint(datetime.utcnow().year > 2000)\n",
    ),
    "sleeping": (
        "asyncio.sleep",
        "import asyncio\nimport time\nasync def f():\n    time.sleep(0)\n    return 5\n"
        "print(asyncio.run(f()))\n",
    ),
    "a program that is waited for": (
        "in a thread",
        "import asyncio, subprocess, sys\nasync def f():\n"
        "    done = subprocess.run([sys.executable, '-c', 'print(7)'], capture_output=True)\n"
        "    return done.stdout.strip()\nprint(asyncio.run(f()))\n",
    ),
    "a pattern of a user": (
        "text literally",
        "import re\ndef f():\n    t = input()\n    return re.search(t, 'a b') is not None\nprint(f())\n",
    ),
    "a secret": (
        "from the environment",
        "import os\npassword = 'hunter2hunter2'\nprint(len(password))\n",
    ),
    "rounds": (
        "600,000",
        "import hashlib\nprint(len(hashlib.pbkdf2_hmac('sha256', b'p' + b'', b's' * int('16'), 1000)))\n",
    ),
    "a context of TLS": (
        "Verify certificates",
        "import ssl\nc = ssl._create_unverified_context()\nprint(type(c).__name__)\n",
    ),
    "a version of TLS": (
        "Ask for TLS 1.2",
        "import ssl\nc = ssl.create_default_context()\n"
        "c.minimum_version = ssl.TLSVersion.TLSv1_1\nprint(c.minimum_version > 0)\n",
    ),
    "XML": (
        "external entities",
        "import xml.sax, xml.sax.handler, xml.dom.minidom\n\nclass App:\n"
        "    def route(self, path):\n        return lambda function: function\n\n"
        "app = App()\n\n@app.route('/<text>')\ndef f(text):\n"
        "    p = xml.sax.make_parser()\n"
        "    p.setFeature(xml.sax.handler.feature_external_ges, True)\n"
        "    return xml.dom.minidom.parseString(text, p).documentElement.tagName\n"
        "print(f('<a b=\"c\"/>'))\n",
    ),
    "a page": (
        "Escape for HTML",
        "class App:\n    def route(self, path):\n        return lambda function: function\n\n"
        "app = App()\n\n@app.route('/<who>')\ndef f(who):\n"
        "    return '<p>Hello, ' + who + '!</p>'\nprint(f('Ann'))\n",
    ),
    "a file": (
        "the file's name",
        "import os\n\nclass App:\n    def route(self, path):\n        return lambda function: function\n\n"
        "app = App()\n\n@app.route('/<name>')\ndef f(name):\n"
        "    return open(os.getcwd() + '/' + name).read()\n"
        "open('a.txt', 'w').write('x')\nprint(f('a.txt'))\n",
    ),
    "a command of a request": (
        "without a shell",
        "import os, sys\n\nclass App:\n    def route(self, path):\n        return lambda function: function\n\n"
        "app = App()\n\n@app.route('/<word>')\ndef f(word):\n"
        "    os.system(f'echo hello {word}')\nf('you')\n",
    ),
    "a socket": (
        "ten seconds",
        "import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()\n"
        "c = socket.create_connection(s.getsockname())\nprint(c.fileno() > 0)\n",
    ),
}

NODE = {
    "a number": (
        "secure generator",
        "const token = Math.floor(Math.random() * 1);\nconsole.log(token);\n",
    ),
    "a digest": (
        "constant time",
        "const crypto = require('crypto');\nconst check = (password, other) => password === other;\n"
        "console.log(check('a', 'a'), check('a', 'bc'));\n",
    ),
    "a program": (
        "without a shell",
        "const child_process = require('child_process');\n"
        "const say = (word) => child_process.execSync('echo hello ' + word).toString();\n"
        "console.log(say('you'));\n",
    ),
    "JSON": (
        "as JSON",
        "const read = (text) => eval('(' + text + ')');\nconsole.log(read('[1, {\"a\": 2}]'));\n",
    ),
    "a timer": (
        "Hand over a function",
        "setTimeout(() => console.log('after'), 20);\n"
        "globalThis.go = () => console.log('now');\nsetTimeout(\"go()\", 1);\n",
    ),
    "an exception": (
        "what was caught",
        "try { null.x; } catch (e) {}\nconsole.log('done');\n",
    ),
    "a number that is none": (
        "Number.isNaN",
        "const a = 3;\nif (a === NaN) console.log('never');\nconsole.log('always');\n",
    ),
    "rights": (
        "owner only",
        "const fs = require('fs'), os = require('os'), path = require('path');\n"
        "const d = fs.mkdtempSync(path.join(os.tmpdir(), 'x'));\nfs.chmodSync(d, 0o777);\n"
        "fs.writeFileSync(path.join(d, 'a'), 'x');\nconsole.log(fs.readdirSync(d));\n",
    ),
}


def _fixed(text: str, language: str, title: str) -> str:
    source = Source("untitled:x", text, language)
    before = analyse(source)
    fixes = [fix for fix in fixes_for(source, before.findings, before) if title in fix.title]
    assert fixes, [each.rule for each in before.findings]
    return applied(source, fixes[0].edits).text


def _ran(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        input="a b\n",
        check=False,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PASSWORD": "hunter2hunter2", "SYSTEMROOT": "C:\\Windows"},
    )
    assert not done.returncode, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", sorted(PYTHON))
def test_a_fixed_python_program_says_what_it_said_before(name: str, tmp_path: Path) -> None:
    title, program = PYTHON[name]
    fixed = _fixed(program, "python", title)
    command = [sys.executable, "-W", "ignore", "-c"]
    assert _ran([*command, fixed], tmp_path) == _ran([*command, program], tmp_path)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
@pytest.mark.parametrize("name", sorted(set(NODE) - {"a timer"}))
def test_a_fixed_node_program_says_what_it_said_before(name: str, tmp_path: Path) -> None:
    title, program = NODE[name]
    node = shutil.which("node") or ""
    fixed = _fixed(program, "javascript", title)
    assert _ran([node, "-e", fixed], tmp_path) == _ran([node, "-e", program], tmp_path)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_a_timer_that_had_code_in_a_string_runs_it(tmp_path: Path) -> None:
    title, program = NODE["a timer"]
    node = shutil.which("node") or ""
    assert _ran([node, "-e", _fixed(program, "javascript", title)], tmp_path) == "now\nafter\n"


def test_a_value_with_a_quote_is_data_to_the_fixed_query(tmp_path: Path) -> None:
    title, program = PYTHON["a query joined with +"]
    harmful = program.replace("names('Ann')", "names(\"x' OR '1' = '1\")")
    command = [sys.executable, "-c"]
    assert _ran([*command, harmful], tmp_path) == "[(40,), (41,)]\n"
    assert _ran([*command, _fixed(harmful, "python", title)], tmp_path) == "[]\n"


def test_a_second_command_is_data_to_the_fixed_call(tmp_path: Path) -> None:
    title, program = PYTHON["a shell that only starts a program"]
    harmful = program.replace("say('you')", "say('you; echo again')")
    command = [sys.executable, "-c"]
    assert _ran([*command, harmful], tmp_path) == "hello you\nagain\n\n"
    fixed = _fixed(harmful, "python", title)
    assert _ran([*command, fixed], tmp_path) == "hello you; echo again\n\n"
