"""The OpenAPI document is true: a fuzzer that reads it asks every operation."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import SchemathesisConfig

from coai_server.http.app import openapi

if TYPE_CHECKING:
    from tests.server.http.support import Door

EXAMPLES = 8
"""Of each operation and run: more find nothing new, and a test has to end."""

SCHEMA = schemathesis.openapi.from_dict(openapi(), config=SchemathesisConfig())


@SCHEMA.parametrize()  # pyright: ignore[reportUnknownMemberType, reportUntypedFunctionDecorator] - the library's
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_every_operation_answers_as_the_document_says(
    case: schemathesis.Case[Any], request: pytest.FixtureRequest
) -> None:
    door: Door = request.getfixturevalue("door")
    token: str = request.getfixturevalue("own_token")
    response = case.call_and_validate(  # pyright: ignore[reportUnknownMemberType] - as above
        base_url=door.url, headers={"Authorization": f"Bearer {token}"}, timeout=60
    )
    assert response.status_code < 500, response.text


def test_the_document_is_printed_without_a_server_and_names_every_error(door: Door) -> None:
    printed = door.run("--print-openapi")
    document = json.loads(printed.stdout)
    assert document == openapi()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            if path not in ("/healthz", "/readyz"):
                assert {"401", "403", "422", "429"} <= operation["responses"].keys(), path


WITHOUT = """
import sys
from importlib.abc import MetaPathFinder
class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "fastapi":
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Missing())
from coai_server.http import start
sys.exit(start.main(["--port", "0"]))
"""


def test_without_the_extra_it_says_what_to_install() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, check=False, text=True
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "pip install 'coai[http]'" in ended.stderr


HEAVY = ("fastapi", "starlette", "uvicorn", "jinja2", "jwt", "websockets", "coai_server.http")


@pytest.mark.parametrize("module", ["serve", "lsp.app", "cli.app", "mcp.start"])
def test_other_doors_import_none_of_it(module: str) -> None:
    program = f"import json, sys, coai_server.{module}; print(json.dumps(sorted(sys.modules)))"
    listed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    loaded = json.loads(listed.stdout)
    assert f"coai_server.{module}" in loaded
    assert [each for each in loaded if each.startswith(HEAVY)] == []
