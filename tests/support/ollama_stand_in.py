"""A stand-in for Ollama, whose binary cannot be had everywhere: its API over a real model.

It speaks what docs/api.md of Ollama documents of `/api/version`, `/api/tags`, `/api/ps`,
`/api/show`, `/api/generate` and `/api/chat`, errors included, and gets its text from a real
llama.cpp server, as Ollama itself does.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import httpx

from tests.support.faulty_server import Received, chunk, head, read_request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.support.llama import LlamaServer

MODEL = "tiny-coder:latest"
CLOUD_MODEL = "big-coder:120b-cloud"
"""Known to be elsewhere by its name."""
REMOTE_MODEL = "borrowed-coder:latest"
"""Known to be elsewhere only by what Ollama says of it."""
REMOTE_HOST = "https://models.example.com:443"

_CREATED = "2026-01-01T00:00:00.000000Z"
_UNLIMITED = 2048
_DETAILS = {"format": "gguf", "family": "qwen2", "parameter_size": "0.1M"}


@dataclass
class OllamaStandIn:
    """Listens on a loopback port of its own while it is entered."""

    llama: LlamaServer
    received: list[Received] = field(default_factory=list[Received])
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    @property
    def base_url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """Return the JSON of the requests to a path."""
        return [json.loads(request.body) for request in self.received if request.path == path]

    async def __aenter__(self) -> Self:
        """Start to listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, whatever is going on."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while request := await read_request(reader):
                self.received.append(request)
                await self._answer(request, writer)
        except (asyncio.CancelledError, ConnectionError):
            return  # asyncio would report either, and neither is anything to report
        finally:
            writer.close()

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> None:
        match request.method, request.path:
            case "GET", "/":
                await _send(writer, 200, b"Ollama is running", "text/plain; charset=utf-8")
            case "GET", "/api/version":
                await _send_json(writer, 200, {"version": "0.40.12"})
            case "GET", "/api/tags":
                await _send_json(writer, 200, {"models": [_listed(name) for name in _MODELS]})
            case "GET", "/api/ps":
                running = {**_listed(MODEL), "context_length": 4096, "size_vram": 0}
                await _send_json(writer, 200, {"models": [running]})
            case "POST", "/api/show":
                await self._show(json.loads(request.body), writer)
            case "POST", "/api/generate" | "/api/chat":
                await self._generate(request, writer)
            case _:
                await _send(writer, 404, b"404 page not found", "text/plain")

    async def _show(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        name = _full_name(body.get("model", ""))
        if name not in _MODELS:
            await _send_json(writer, 404, {"error": f"model '{body.get('model', '')}' not found"})
            return
        await _send_json(
            writer,
            200,
            {
                "modelfile": "",
                "template": "{{ .Prompt }}",
                "details": _DETAILS,
                "model_info": {"general.architecture": "qwen2", "qwen2.context_length": 32768},
                "capabilities": ["completion", "insert"],
                **_MODELS[name],
            },
        )

    async def _generate(self, request: Received, writer: asyncio.StreamWriter) -> None:
        try:
            body: dict[str, Any] = json.loads(request.body)
        except ValueError as error:
            await _send_json(writer, 400, {"error": str(error)})
            return
        if _full_name(body["model"]) != MODEL:
            await _send_json(writer, 404, {"error": f"model '{body['model']}' not found"})
            return
        chatting = request.path == "/api/chat"
        async with aclosing(self._parts(body, chatting=chatting)) as parts:
            await self._send_parts(parts, body, writer, chatting=chatting)

    async def _send_parts(
        self,
        parts: AsyncGenerator[dict[str, Any]],
        body: dict[str, Any],
        writer: asyncio.StreamWriter,
        *,
        chatting: bool,
    ) -> None:
        if body.get("stream", True) is False:
            whole = [part async for part in parts]
            last = whole[-1]
            generated = "".join(_said(part) for part in whole)
            last.update(_spoken(generated, chatting=chatting))
            await _send_json(writer, 200, last)
            return
        begun = False
        async for part in parts:
            if "error" in part and not begun:
                await _send_json(writer, part.pop("status"), part)
                return
            if not begun:
                begun = True
                writer.write(
                    head(
                        200,
                        {"Content-Type": "application/x-ndjson", "Transfer-Encoding": "chunked"},
                    )
                )
            writer.write(chunk(json.dumps(part).encode() + b"\n"))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _parts(
        self, body: dict[str, Any], *, chatting: bool
    ) -> AsyncGenerator[dict[str, Any]]:
        """Yield what Ollama would: pieces of text, at last how it went."""
        options: dict[str, Any] = body.get("options") or {}
        limit = options.get("num_predict", -1)
        asked: dict[str, Any] = {
            "stream": True,
            "n_predict": limit if limit > 0 else _UNLIMITED,
            "temperature": options.get("temperature", 0.8),
            "stop": options.get("stop") or [],
        }
        schema = body.get("format")
        if chatting:
            path = "/v1/chat/completions"
            asked["messages"] = body["messages"]
            if schema:
                asked["response_format"] = {
                    "type": "json_schema",
                    "json_schema": {"name": "format", "schema": schema},
                }
        else:
            path = "/completion"
            asked["prompt"] = body["prompt"]
            if body.get("suffix"):
                path = "/infill"
                asked |= {"input_prefix": body["prompt"], "input_suffix": body["suffix"]}
            if schema:
                asked["json_schema"] = schema
        common = {"model": body["model"], "created_at": _CREATED}
        async with (
            httpx.AsyncClient(base_url=self.llama.base_url, trust_env=False, timeout=60) as client,
            client.stream(
                "POST",
                path,
                json=asked,
                headers={"Authorization": f"Bearer {self.llama.api_key}"},
            ) as reply,
        ):
            if reply.status_code != 200:
                said = json.loads(await reply.aread())["error"]["message"]
                yield {"error": said, "status": reply.status_code}
                return
            async for line in reply.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                event: dict[str, Any] = json.loads(line.removeprefix("data: "))
                token, stop = _token_and_stop(event, chatting=chatting)
                if token:
                    yield {**common, **_spoken(token, chatting=chatting), "done": False}
                if stop:
                    timings = event["timings"]
                    yield {
                        **common,
                        **_spoken("", chatting=chatting),
                        "done": True,
                        "done_reason": "length" if stop in {"limit", "length"} else "stop",
                        "total_duration": 1,
                        "load_duration": 1,
                        "prompt_eval_count": timings["cache_n"] + timings["prompt_n"],
                        "prompt_eval_cached_count": timings["cache_n"],
                        "prompt_eval_duration": int(timings["prompt_ms"] * 1e6),
                        "eval_count": timings["predicted_n"],
                        "eval_duration": int(timings["predicted_ms"] * 1e6),
                    }


_MODELS: dict[str, dict[str, str]] = {
    MODEL: {},
    CLOUD_MODEL: {"remote_model": "big-coder:120b", "remote_host": "https://ollama.com:443"},
    REMOTE_MODEL: {"remote_model": "coder", "remote_host": REMOTE_HOST},
}


def _full_name(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def _listed(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "model": name,
        "modified_at": _CREATED,
        "size": 466_176,
        "digest": "0" * 64,
        "details": _DETAILS,
        **_MODELS[name],
    }


def _spoken(content: str, *, chatting: bool) -> dict[str, Any]:
    if chatting:
        return {"message": {"role": "assistant", "content": content}}
    return {"response": content}


def _said(part: dict[str, Any]) -> str:
    return part["response"] if "response" in part else part["message"]["content"]


def _token_and_stop(event: dict[str, Any], *, chatting: bool) -> tuple[str, str | None]:
    if chatting:
        choice = event["choices"][0]
        return choice["delta"].get("content") or "", choice["finish_reason"]
    return event["content"], event["stop_type"] if event["stop"] else None


async def _send(
    writer: asyncio.StreamWriter, status: int, content: bytes, content_type: str
) -> None:
    fields = {"Content-Type": content_type, "Content-Length": str(len(content))}
    writer.write(head(status, fields) + content)
    await writer.drain()


async def _send_json(writer: asyncio.StreamWriter, status: int, content: object) -> None:
    await _send(writer, status, json.dumps(content).encode(), "application/json; charset=utf-8")
