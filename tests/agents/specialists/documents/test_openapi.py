"""OpenAPI documents, judged by a validator that is not ours."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from coai_agents.application.specialists.documents import DocumentForm, api_document

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "shop.py": '''
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field
app = FastAPI()
items = APIRouter(prefix="/items")

class Named(BaseModel):
    name: str

class Item(Named):
    price: float = Field(gt=0)
    tags: list[str] = Field(default_factory=list)
    parent: "Item | None" = None

class Other:
    """No model."""
    name: str

@items.get("/{item_id}")
def read(item_id: int, full: bool = False):
    """Read an item.

    Not ![a picture](https://example.org/x).
    """

@items.post("")
def create(item: Item): ...

@items.put("/{other}")
def replace(other: int, item: Other): ...

app.include_router(items, prefix="/v1")
''',
    "web/Orders.java": """
import org.springframework.web.bind.annotation.*;
/** Orders. */
@RestController
@RequestMapping("/orders")
class Orders {
  /**
   * Places an order.
   * @param order what is wanted
   */
  @PostMapping void create(@RequestBody Order order) {}
  @PutMapping("/{id}") void put(@PathVariable long id, @RequestBody Elsewhere body) {}
  record Order(@NotNull Long id, List<Line> lines) {}
  static class Line { String sku; int count; static int made; }
}
""",
    "a.js": "const app = require('express')();\napp.get('/v1/items/:key', (a, b) => {});\n"
    "app.all('/:a/:a', (x, y) => {});\n",
}


def write(folder: Path, files: dict[str, str] = FILES) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def made(folder: Path) -> tuple[dict[str, Any], list[str]]:
    found = api_document(folder, DocumentForm.OPENAPI_JSON)
    document = json.loads(found.text)
    OpenAPIV31SpecValidator(document).validate()
    assert yaml.safe_load(api_document(folder, DocumentForm.OPENAPI).text) == document
    return document, found.notes


def test_routes_of_three_frameworks_make_one_valid_document(tmp_path: Path) -> None:
    document, notes = made(write(tmp_path))
    assert list(document["paths"]) == [
        "/orders",
        "/orders/{id}",
        "/v1/items",
        "/v1/items/{item_id}",
        "/{a}/{a_2}",
    ]
    assert notes == ["a.js:2: GET /v1/items/{item_id} is registered already."]
    create = document["paths"]["/v1/items"]["post"]
    schema = create["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Item"}
    assert document["components"]["schemas"]["Item"] == {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "price": {"type": "number"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "parent": {"anyOf": [{"$ref": "#/components/schemas/Item"}, {"type": "null"}]},
        },
        "required": ["name", "price"],
    }
    assert document["components"]["schemas"]["Order"]["required"] == ["id"]
    assert set(document["components"]["schemas"]["Line"]["properties"]) == {"sku", "count"}
    assert document["paths"]["/orders"]["post"]["summary"] == "Places an order."
    assert document["paths"]["/orders/{id}"]["put"]["parameters"][0]["schema"]["format"] == "int64"
    for path in document["paths"].values():
        for operation in path.values():
            assert "Not known" in operation["responses"]["default"]["description"]


def test_paths_that_differ_in_names_alone_are_one(tmp_path: Path) -> None:
    files = {
        "a.js": "const app = require('express')();\n"
        "app.get('/:a', one);\napp.post('/:b', two);\napp.post('/:c', three);\n"
    }
    document, notes = made(write(tmp_path, files))
    ((path, place),) = document["paths"].items()
    assert path == "/{a}"
    assert [each["parameters"][0]["name"] for each in place.values()] == ["a", "a"]
    assert len(notes) == 1


@pytest.mark.parametrize("count", [1, 40])
def test_operation_ids_are_unique_names(tmp_path: Path, count: int) -> None:
    lines = [f"app.all('/{number}', same);" for number in range(count)]
    lines += ["app.get('/x', (a, b) => {});", "app.get('/x-', (a, b) => {});"]
    files = {"a.js": "const app = require('express')();\n" + "\n".join(lines)}
    document, _ = made(write(tmp_path, files))
    ids = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(set(ids)) == len(ids) == 5 * count + 2
    assert all(re.fullmatch(r"\w+", each, re.ASCII) for each in ids)


HOSTILE = "](https://evil.example)<img src=x>`${{7*7}}`\u202e\u200b\U000e0041"


def test_hostile_words_are_text(tmp_path: Path) -> None:
    files = {
        "a.py": "from flask import Flask\napp = Flask(__name__)\n"
        f"@app.get('/a{HOSTILE}#?{{x}}/<int:i>')\n"
        f"def {'f' * 5000}(i):\n    '''{HOSTILE}\n\n    ![x](http://evil.example) {'y' * 9000}\n"
        "    '''\n",
        "b.py": "@app.get('/broken'\ndef f(",
    }
    document, _ = made(write(tmp_path, files))
    shown = json.dumps(document, ensure_ascii=False)
    assert not re.search("[\u202e\u200b\U000e0041]", shown)
    (path,) = document["paths"]
    (operation,) = document["paths"][path].values()
    assert path.count("{") == 1 + path.count("$%7B{")
    assert len(operation["operationId"]) < 120
    assert "![x]" not in operation["description"]
    assert len(operation["description"]) < 5000


def test_no_route_is_a_valid_document_that_says_so(tmp_path: Path) -> None:
    document, notes = made(write(tmp_path, {"a.py": "x = 1\n"}))
    assert document["paths"] == {}
    assert "No route was found" in notes[0]


def test_what_is_excluded_and_what_is_no_code_is_left_out(tmp_path: Path) -> None:
    route = "const app = require('express')();\napp.get('/NAME', h);\n"
    files = {
        f"{name}/a.js": route.replace("NAME", name) for name in ("kept", "node_modules", "secret")
    }
    document, _ = made(write(tmp_path, files | {".coaiignore": "secret/\n", "a.md": route}))
    assert list(document["paths"]) == ["/kept"]
