"""How routes are spelt, in every framework, and what looks like a route and is none."""

from __future__ import annotations

import pytest

from coai_agents.source import Source
from coai_agents.specialists.documents.annotations import routes_by_annotation
from coai_agents.specialists.documents.calls import routes_by_call
from coai_agents.specialists.documents.tables.reading import routes_by_table
from coai_agents.syntax.tree import parse

FLASK = "from flask import Flask, Blueprint\napp = Flask(__name__)\n"
FASTAPI = (
    "from typing import Annotated\nfrom fastapi import FastAPI, APIRouter, Depends, Query\n"
    "from uuid import UUID\napp = FastAPI()\n"
)
EXPRESS = "const express = require('express');\nconst app = express();\n"
GIN = 'package m\nimport "github.com/gin-gonic/gin"\nfunc f() {\nr := gin.Default()\n'
KOA = "import Router from '@koa/router';\nconst r = new Router();\n"
FASTIFY = "const app = require('fastify')({ logger: true });\n"
NEST = "import { Controller, Get, Post, Put, All } from '@nestjs/common';\n"
DJANGO = "from django.urls import include, path, re_path\nfrom . import views\n"
EVERY = ("DELETE", "GET", "PATCH", "POST", "PUT")
LARAVEL = "<?php\nuse Illuminate\\Support\\Facades\\Route;\n"
SPRING = "import org.springframework.web.bind.annotation.*;\n@RestController\n"

FOUND = [
    # Flask
    (
        "python",
        FLASK + "@app.route('/a/<int:n>/<float:x>')\ndef f(n, x): ...",
        ["GET /a/{n:integer}/{x:number}"],
    ),
    (
        "python",
        FLASK + "@app.route(rule='/a', methods=['POST', 'get'])\ndef f(): ...",
        ["GET /a", "POST /a"],
    ),
    ("python", FLASK + "@app.delete('/<uuid:k>')\ndef f(k): ...", ["DELETE /{k:uuid}"]),
    (
        "python",
        FLASK + "@app.route('/<any(a, b):x>/<path:p>')\ndef f(x, p): ...",
        ["GET /{x:string}/{p:string}"],
    ),
    ("python", FLASK + "@app.get('/a')\n@app.get('/b')\ndef f(): ...", ["GET /a", "GET /b"]),
    ("python", FLASK + "P = '/v1'\n@app.get(P + '/a')\ndef f(): ...", ["GET /v1/a"]),
    ("python", FLASK + "P = '/v1'\n@app.get(f'{P}/a')\ndef f(): ...", ["GET /v1/a"]),
    ("python", FLASK + "app.add_url_rule('/a', 'name', view, methods=['PUT'])", ["PUT /a"]),
    (
        "python",
        FLASK + "b = Blueprint('b', __name__, url_prefix='/b')\n@b.get('/a')\ndef f(): ...",
        ["GET /b/a"],
    ),
    (
        "python",
        FLASK
        + "b = Blueprint('b', __name__, url_prefix='/b')\n@b.get('/a')\ndef f(): ...\n"
        + "app.register_blueprint(b, url_prefix='/c')",
        ["GET /c/a"],
    ),
    (
        "python",
        FLASK
        + "b = Blueprint('b', __name__, url_prefix='/b')\nc = Blueprint('c', __name__)\n"
        + "@c.get('/a')\ndef f(): ...\nb.register_blueprint(c, url_prefix='/c')",
        ["GET /b/c/a"],
    ),
    (
        "python",
        "import flask as fl\ndef make():\n  a = fl.Flask('x')\n  @a.get('/a')\n  def f(): ...",
        ["GET /a"],
    ),
    (
        "python",
        "from flask import Flask\ndef add(app: Flask):\n  @app.get('/a')\n  def f(): ...",
        ["GET /a"],
    ),
    (
        "python",
        FLASK + "app = ProxyFix(app)\n@app.route('/a')\ndef f(): ...",
        ["GET /a"],
    ),
    # FastAPI
    (
        "python",
        FASTAPI + "@app.get('/a/{n}')\nasync def f(n: int, q: str = ''): ...",
        ["GET /a/{n:integer} ?q"],
    ),
    ("python", FASTAPI + "@app.put('/{p:path}')\ndef f(p: str): ...", ["PUT /{p:string}"]),
    ("python", FASTAPI + "@app.get('/{k}')\ndef f(k: UUID, d=Depends(x)): ...", ["GET /{k:uuid}"]),
    (
        "python",
        FASTAPI + "@app.get('/')\ndef f(n: Annotated[int, Query(ge=1)], "
        "d: Annotated[str, Depends(x)]): ...",
        ["GET / ?n"],
    ),
    (
        "python",
        FASTAPI + "@app.api_route('/a', methods=['GET', 'HEAD'])\ndef f(): ...",
        ["GET /a", "HEAD /a"],
    ),
    (
        "python",
        FASTAPI
        + "r = APIRouter(prefix='/r')\n@r.get('')\ndef f(): ...\n"
        + "app.include_router(r, prefix='/v1')\napp.include_router(r, prefix='/v2')",
        ["GET /v1/r", "GET /v2/r"],
    ),
    (
        "python",
        FASTAPI + "@app.post('/a')\ndef f(item: Item, r: Request): ...",
        ["POST /a body=Item"],
    ),
    # Express
    ("javascript", EXPRESS + "app.get('/a/:id', h);", ["GET /a/{id:string}"]),
    ("javascript", EXPRESS + "app.post('/a', mw, [x], (q, s) => {});", ["POST /a"]),
    (
        "javascript",
        EXPRESS + "app.get('/f/:from-:to', h);",
        ["GET /f/{from:string}-{to:string}"],
    ),
    (
        "javascript",
        EXPRESS + r"app.get('/a/:id(\\d+)/:x?', h);",
        ["GET /a/{id:string}", "GET /a/{id:string}/{x:string}"],
    ),
    (
        "javascript",
        EXPRESS + "app.get('/a{/:x}/*rest', h);",
        ["GET /a/{rest:string}", "GET /a/{x:string}/{rest:string}"],
    ),
    (
        "javascript",
        (
            "const app = require('express')();\nconst r = require('express').Router();\n"
            "r.get('/a', h);\napp.use('/r', r);"
        ),
        ["GET /r/a"],
    ),
    ("javascript", EXPRESS + "app.get(['/a', '/b'], h);", ["GET /a", "GET /b"]),
    (
        "javascript",
        EXPRESS + "app.route('/a').get(h).post(h);",
        ["GET /a", "POST /a"],
    ),
    (
        "javascript",
        EXPRESS + "const r = express.Router();\nr.get('/', h);\napp.use('/s', mw, r);",
        ["GET /s/"],
    ),
    (
        "typescript",
        (
            "import express, { Router as R } from 'express';\n"
            "const app: express.Express = express();\nconst r = R();\n"
            "r.patch(`/a/:id`, h);\napp.use(r);"
        ),
        ["PATCH /a/{id:string}"],
    ),
    (
        "typescript",
        (
            "import { Express } from 'express';\nexport function add(app: Express) {\n"
            "  app.delete('/a', h);\n}"
        ),
        ["DELETE /a"],
    ),
    (
        "javascript",
        EXPRESS + "app.all('/a', h);",
        ["DELETE /a", "GET /a", "PATCH /a", "POST /a", "PUT /a"],
    ),
    (
        "typescript",
        (
            'import { Router } from "express";\nclass C { public r = Router();\n'
            'constructor() { this.r.get("/a", this.h); } }'
        ),
        ["GET /a"],
    ),
    (
        "javascript",
        (
            'import { Router } from "express";\nclass C { r = Router();\n'
            'constructor() { this.r.get("/a", this.h); } }'
        ),
        ["GET /a"],
    ),
    (
        "python",
        (
            "import fastapi\nclass A:\n  def __init__(self):\n    self.r = fastapi.APIRouter()\n"
            "    self.r.add_api_route('/{k}', self.late, methods=['POST'])\n"
            "  def late(self, k: int, q: int = fastapi.Query(...)): ..."
        ),
        ["POST /{k:integer} ?q"],
    ),
    # Gin
    ("go", GIN + 'r.GET("/a/:id", h)\n}', ["GET /a/{id:string}"]),
    ("go", GIN + "r.POST(`/a/*rest`, mw, h)\n}", ["POST /a/{rest:string}"]),
    ("go", GIN + 'g := r.Group("/v1")\n{\ng.PUT("/a", h)\n}\n}', ["PUT /v1/a"]),
    ("go", GIN + 'r.Group("/v1").Group("/x").DELETE("", h)\n}', ["DELETE /v1/x"]),
    ("go", GIN + 'r.Use(m).GET("/a", h)\n}', ["GET /a"]),
    ("go", GIN + 'r.Handle("PATCH", "/a", h)\n}', ["PATCH /a"]),
    (
        "go",
        (
            'package m\nimport web "github.com/gin-gonic/gin"\n'
            'func f(g *web.RouterGroup) {\n g.GET("/a", h)\n}'
        ),
        ["GET /a"],
    ),
    # Spring
    (
        "java",
        SPRING + 'class C { @GetMapping("/a/{id}") T f(@PathVariable Long id) {} }',
        ["GET /a/{id:int64}"],
    ),
    (
        "java",
        SPRING + '@RequestMapping("/b")\nclass C { @PostMapping T f(@RequestBody T t) {} }',
        ["POST /b body=T"],
    ),
    (
        "java",
        SPRING + 'class C { @GetMapping({"/a", "/b"}) T f(@RequestParam("q") int n) {} }',
        ["GET /a ?q", "GET /b ?q"],
    ),
    (
        "java",
        SPRING + 'class C { @RequestMapping(path = "/a", method = {RequestMethod.PUT, '
        "RequestMethod.GET}) void f() {} }",
        ["GET /a", "PUT /a"],
    ),
    (
        "java",
        SPRING + 'class C { static final String P = "/p"; @DeleteMapping(P + "/{k:[a-z]{2}}") '
        "void f(@PathVariable String k) {} }",
        ["DELETE /p/{k:string}"],
    ),
    # Koa
    ("javascript", KOA + "r.get('/a/:id', h).post('/b', m, h);", ["GET /a/{id:string}", "POST /b"]),
    (
        "javascript",
        (
            "const R = require('koa-router');\nconst r = new R({ prefix: '/v1' });\nr.del;\n"
            "r.put('/a', h);\napp.use(r.routes()).use(r.allowedMethods());"
        ),
        ["PUT /v1/a"],
    ),
    (
        "typescript",
        KOA
        + "const c = new Router();\nc.get('/a', h);\nr.use('/b', c.routes(), c.allowedMethods());",
        ["GET /b/a"],
    ),
    ("javascript", KOA + "r.prefix('/p');\nr.get('/a', h);", ["GET /p/a"]),
    # Fastify
    (
        "javascript",
        FASTIFY + "app.get('/a/:id', async () => 1);\napp.post('/b', { schema: {} }, h);",
        ["GET /a/{id:string}", "POST /b"],
    ),
    (
        "javascript",
        FASTIFY + "app.route({ method: ['GET', 'PUT'], url: '/a', handler: h });",
        ["GET /a", "PUT /a"],
    ),
    (
        "javascript",
        FASTIFY
        + "async function api(f, o) { f.get('/a', h); }\napp.register(api, { prefix: '/v1' });",
        ["GET /v1/a"],
    ),
    (
        "javascript",
        FASTIFY + "app.register(async (f) => { f.get('/a', h); }, { prefix: '/v1' });",
        ["GET /v1/a"],
    ),
    (
        "javascript",
        "module.exports = async function (fastify, opts) { fastify.get('/a', h); };",
        ["GET /a"],
    ),
    (
        "typescript",
        (
            "import { FastifyInstance } from 'fastify';\n"
            "export function f(app: FastifyInstance) { app.get('/a', h); }"
        ),
        ["GET /a"],
    ),
    # Nest
    (
        "typescript",
        NEST
        + "@Controller('cats')\nexport class C {\n@Get(':id')\none() {}\n@Post()\nmake() {}\n}",
        ["GET /cats/{id:string}", "POST /cats"],
    ),
    (
        "typescript",
        NEST
        + "@Controller({ path: 'a' })\nclass C {\n@HttpCode(204)\n@Put('b')\nf() {}\ng() {}\n}",
        ["PUT /a/b"],
    ),
    ("typescript", NEST + "@Controller()\nclass C { @Get() f() {} }", ["GET /"]),
    # Django
    (
        "python",
        DJANGO + "urlpatterns = [path('a/<int:n>/<s>/', views.f)]",
        [f"{each} /a/{{n:integer}}/{{s:string}}/" for each in EVERY],
    ),
    (
        "python",
        DJANGO + "more = [path('b', V.as_view())]\n"
        "urlpatterns = [path('a/', include(more))]\n"
        "urlpatterns += [re_path(r'^c/(?P<y>[0-9]{4})$', f)]",
        sorted(f"{each} {path}" for each in EVERY for path in ("/a/b", "/c/{y:string}")),
    ),
    (
        "python",
        DJANGO + "from rest_framework import routers\nclass R(ReadOnlyModelViewSet): ...\n"
        "r = routers.DefaultRouter()\nr.register(r'a', A)\nr.register('b', R, basename='b')\n"
        "urlpatterns = [path('api/', include(r.urls))]",
        [
            "DELETE /api/a/{pk:string}/",
            "GET /api/a/",
            "GET /api/a/{pk:string}/",
            "GET /api/b/",
            "GET /api/b/{pk:string}/",
            "PATCH /api/a/{pk:string}/",
            "POST /api/a/",
            "PUT /api/a/{pk:string}/",
        ],
    ),
    # Laravel
    (
        "php",
        LARAVEL + "Route::get('/a/{id}', [A::class, 'show'])->name('a');\n"
        "Route::match(['get', 'post'], 'b/{x?}', 'B@c');",
        ["GET /a/{id:string}", "GET /b", "GET /b/{x:string}", "POST /b", "POST /b/{x:string}"],
    ),
    (
        "php",
        LARAVEL + "Route::middleware('auth')->prefix('v1')->group(function () {\n"
        "  Route::prefix('x')->group(function () { Route::put('/a', fn () => 1); });\n"
        "  Route::post('b', 'B');\n});\nRoute::group(['prefix' => 'z'], function () {\n"
        "  Route::delete('c', 'C');\n});",
        ["DELETE /z/c", "POST /v1/b", "PUT /v1/x/a"],
    ),
    (
        "php",
        LARAVEL + "Route::apiResource('posts', P::class);",
        [
            "DELETE /posts/{post:string}",
            "GET /posts",
            "GET /posts/{post:string}",
            "PATCH /posts/{post:string}",
            "POST /posts",
        ],
    ),
    # Rails
    (
        "ruby",
        (
            "Rails.application.routes.draw do\n  root 'h#i'\n  get '/a/:id(.:format)', to: 'a#b'\n"
            "  post 'c' => 'd#e'\n  match 'f', to: 'g#h', via: [:get, :put]\nend"
        ),
        [
            "GET /",
            "GET /a/{id:string}",
            "GET /a/{id:string}.{format:string}",
            "GET /f",
            "POST /c",
            "PUT /f",
        ],
    ),
    (
        "ruby",
        (
            "Rails.application.routes.draw do\n  namespace :v1 do\n"
            "    resources :posts, only: [:index, :show] do\n      get :top, on: :collection\n"
            "      member do\n        post :like\n      end\n"
            "      resources :notes, only: :create\n    end\n  end\n"
            "  resource :me, only: [:update]\nend"
        ),
        [
            "GET /v1/posts",
            "GET /v1/posts/top",
            "GET /v1/posts/{id:string}",
            "PATCH /me",
            "POST /v1/posts/{id:string}/like",
            "POST /v1/posts/{post_id:string}/notes",
            "PUT /me",
        ],
    ),
]

NONE = [
    ("python", "import requests\nrequests.get('/a')"),
    ("python", "from flask import Flask\ncache = Cache()\n@cache.get('/a')\ndef f(): ..."),
    ("python", FLASK + "client = app.test_client()\nclient.get('/a')"),
    ("python", FLASK + "@app.errorhandler(404)\ndef f(e): ..."),
    ("python", FLASK + "text = \"@app.route('/a')\"\n# @app.route('/b')\n"),
    ("python", "from mine import Flask\napp = Flask()\n@app.route('/a')\ndef f(): ..."),
    ("python", FASTAPI + "@app.exception_handler(E)\ndef f(a, b): ..."),
    ("python", FASTAPI + "@app.websocket('/ws')\ndef f(w): ..."),
    ("javascript", EXPRESS + "app.get('env');\napp.set('/a', 1);\napp.get('view cache', 1);"),
    ("javascript", EXPRESS + "cache.get('/a', cb);\naxios.get('/b', {});"),
    ("javascript", EXPRESS + "const cache = app.get('cache');\ncache.get('/a', cb);"),
    ("javascript", EXPRESS + "request(app).get('/a', cb);"),
    ("javascript", EXPRESS + "function f() { const app = new Map(); app.get('/a', 1); }"),
    ("javascript", "const express = require('./express');\nexpress().get('/a', h);"),
    ("go", 'package m\nfunc f() {\nr := other.Default()\nr.GET("/a", h)\n}'),
    ("go", GIN + 'http.Get("/a")\nr.LoadHTMLGlob("/a")\nr.Static("/b", "./b")\n}'),
    ("java", '@RestController\nclass C { @GetMapping("/a") void f() {} }'),
    (
        "java",
        (
            "import org.springframework.web.bind.annotation.*;\n"
            '@FeignClient("x")\ninterface C { @GetMapping("/a") void f(); }'
        ),
    ),
    (
        "java",
        (
            "import org.springframework.web.bind.annotation.*;\n"
            'class C { @GetMapping("/a") void f() {} }'
        ),
    ),
    ("rust", 'fn f() { app.get("/a", h); }'),
    ("javascript", KOA + "cache.get('/a', h);\naxios.get('/b');"),
    ("javascript", FASTIFY + "app.get('/a');\nclient.route({ method: 'GET', url: '/b' });"),
    ("typescript", "@Controller('a')\nclass C { @Get('b') f() {} }"),
    ("typescript", NEST + "class C { @Get('b') f() {} }"),
    ("python", "from mine import path\nurlpatterns = [path('a', f)]"),
    ("python", DJANGO + "others = [path('a', f)]"),
    ("php", "<?php $r->get('/a', 'b'); Other::get('/c', 'd');"),
    ("ruby", "get '/a', to: 'b#c'\nresources :posts"),
]


def routes(language: str, text: str) -> tuple[list[str], list[str]]:
    tree = parse(Source("file:///x", text, language), budget=10)
    assert tree is not None
    called, notes = routes_by_call(tree)
    annotated, more = routes_by_annotation(tree)
    listed, others = routes_by_table(tree)
    shown: list[str] = []
    for each in [*called, *annotated, *listed]:
        path = each.path
        for one in each.parameters:
            kind = one.schema.get("format") or one.schema["type"]
            if one.place == "query":
                path += f" ?{one.name}"
            else:
                path = path.replace(f"{{{one.name}}}", f"{{{one.name}:{kind}}}")
        path += f" body={each.body.type}" if each.body else ""
        shown += [f"{method.upper()} {path}" for method in each.methods]
    return sorted(shown), [*notes, *more, *others]


@pytest.mark.parametrize(("language", "text", "wanted"), FOUND)
def test_a_route_is_found(language: str, text: str, wanted: list[str]) -> None:
    assert routes(language, text) == (wanted, [])


@pytest.mark.parametrize(("language", "text"), NONE)
def test_what_looks_like_a_route_is_none(language: str, text: str) -> None:
    assert routes(language, text)[0] == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", FLASK + "@app.get(path())\ndef f(): ..."),
        ("python", FLASK + "@app.route('/a', methods=METHODS)\ndef f(): ..."),
        ("javascript", EXPRESS + "app.get(`/${x}`, h);"),
        ("javascript", EXPRESS + "app.get(/^a/, h);"),
        ("javascript", FASTIFY + "app.route({ method: 'GET', url: path, handler: h });"),
        ("typescript", NEST + "@Controller(P)\nclass C { @Get('b') f() {} }"),
        ("python", DJANGO + "urlpatterns = [path(prefix(), views.f)]"),
        ("php", LARAVEL + "Route::get($path, 'A@b');"),
        ("go", GIN + "r.GET(path, h)\n}"),
        ("java", SPRING + "class C { @GetMapping(Paths.A) void f() {} }"),
    ],
)
def test_what_cannot_be_told_is_said(language: str, text: str) -> None:
    found, notes = routes(language, text)
    assert found == []
    assert "not constant" in notes[0]


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("python", FASTAPI + "from .a import r\napp.include_router(r, prefix='/v1')", True),
        ("python", FASTAPI + "from . import a\napp.include_router(a.r, prefix='/v1')", True),
        ("python", FASTAPI + "from .a import r\napp.include_router(r)", False),
        ("python", DJANGO + "urlpatterns = [path('v1/', include('a.urls'))]", True),
        ("python", DJANGO + "urlpatterns = [path('', include('a.urls'))]", False),
        ("javascript", FASTIFY + "app.register(require('./a'), { prefix: '/v1' });", True),
        ("javascript", EXPRESS + "const r = require('./a');\napp.use('/v1', r);", True),
        ("javascript", EXPRESS + "app.use('/v1', require('./a'));", True),
        ("javascript", EXPRESS + "app.use('/v1', (q, s, next) => next());\napp.use(m());", False),
    ],
)
def test_a_router_of_another_file_is_said(language: str, text: str, said: bool) -> None:
    assert any("'/v1'" in note for note in routes(language, text)[1]) == said


def test_a_circle_of_routers_and_deep_text_end() -> None:
    text = EXPRESS + (
        "const a = express.Router(), b = express.Router();\n"
        "a.use('/b', b); b.use('/a', a); a.get('/x', h);\n"
    )
    assert routes("javascript", text)[0]
    deep = FLASK + f"@app.get({'(' * 900}'/a'{')' * 900})\ndef f(): ...\n"
    assert routes("python", deep)[0] == []
    chained = EXPRESS + "app" + ".get('/a', h)" * 900
    assert len(routes("javascript", chained)[0]) == 900
