"""`coai run --cluster`, `coai cluster`: real commands, a real worker, a real PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support.databases import PASSWORD

if TYPE_CHECKING:
    from tests.server.cli.conftest import Home
    from tests.support.databases import Postgres

PLAN = """\
name: seen together
nodes:
  - {kind: tool, name: code, tool: read, given: {path: input}}
  - {kind: human, name: ok, question: Shall it go on?, choices: [yes, no], depends_on: [code]}
  - {kind: tool, name: found, tool: findings, given: {path: input}, when: ok == 'yes'}
"""


def _command_lines() -> str:
    lines: list[str] = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(each.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(lines)


@pytest.mark.skipif(os.name == "nt", reason="workers need signals")
def test_a_run_goes_over_a_worker(home: Home, postgres: Postgres) -> None:
    whole = postgres.database()
    bare = whole.replace(f":{PASSWORD}", "")
    (home.folder / "plan.yaml").write_text(PLAN)
    (home.folder / "shop.py").write_text("import hashlib\nhashlib.new('md5')\n")
    nobody = home("cluster", "workers", "--cluster", bare, PGPASSWORD=PASSWORD)
    assert nobody.code == 1
    limit = {"COAI_CLUSTER__LIMITS__DEFAULT__AT_ONCE": "3"}
    worker = home.popen("cluster", "work", "--cluster", bare, PGPASSWORD=PASSWORD, **limit)
    try:
        assert worker.stderr is not None
        assert b"At work" in worker.stderr.readline()
        listed = home("cluster", "workers", "--json", COAI_CLUSTER__URL=whole)
        assert [each["pid"] for each in listed.document] == [worker.pid]
        with psycopg.connect(whole) as connection:
            queue = "SELECT concurrency FROM dbos.queues WHERE name = 'coai-model-default'"
            assert connection.execute(queue).fetchall() == [(3,)], "cluster.limits count"
        run = ("run", "plan.yaml", "--input", "shop.py", "--no-model", "--json")
        begun = home(*run, "--cluster", bare, PGPASSWORD=PASSWORD)
        assert begun.code == 3, begun.err
        name = begun.document["run"]
        assert name not in home("runs", "list").out, "this machine's own runs are others"
        done = home("runs", "resume", name, "--answer", "ok=yes", "--json", COAI_CLUSTER__URL=whole)
        assert done.code == 0, done.err
        assert "md5" in json.dumps(done.document)
        assert "seen together" in home("runs", "--cluster", bare, "list", PGPASSWORD=PASSWORD).out
        system = home("system", "--json", COAI_CLUSTER__URL=whole)
        assert [each["pid"] for each in system.document["workers"]] == [worker.pid]
        assert PASSWORD not in _command_lines()
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=60)
        assert worker.returncode == 0, err
        assert PASSWORD not in f"{out} {err} {begun.err} {done.err} {system.out}"
    finally:
        worker.kill()
        worker.communicate()


WRONG = [
    ("postgresql://me:{secret}@127.0.0.1:1/x", "does not answer"),
    ("postgresql://me:{secret}@db.example.org/x", "trusted_hosts"),
    ("postgresql://me:{secret}@db.example.org/x?sslmode=disable", "TLS"),
    ("nonsense-{secret}", "form postgresql://"),
]


@pytest.mark.parametrize(("url", "said"), WRONG)
def test_what_is_wrong_is_said_without_a_password(home: Home, url: str, said: str) -> None:
    done = home("runs", "list", COAI_CLUSTER__URL=url.format(secret=PASSWORD))
    assert done.code == 1
    assert said in done.err.replace("\n", " ")
    assert PASSWORD not in done.err
    assert "Traceback" not in done.err


def test_a_password_is_not_taken_from_the_command_line(home: Home) -> None:
    url = f"postgresql://me:{PASSWORD}@127.0.0.1/x"
    done = home("runs", "--cluster", url, "list")
    assert done.code == 1
    assert "PGPASSWORD" in done.err
    assert PASSWORD not in done.err
