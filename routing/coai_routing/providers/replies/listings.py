"""What servers say of their models, read into `ModelDescription`s.

Each function takes decoded JSON of any shape: what is not as documented is left out.
"""

from __future__ import annotations

from typing import Any, Final, cast

from coai_routing.request import ModelDescription

_CLOUD: Final = "https://ollama.com"


def fields(value: object) -> dict[str, Any]:
    """Return a JSON object's fields, none for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def entries(value: object) -> list[dict[str, Any]]:
    """Return the objects of a JSON array, none for anything else."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def first(value: object) -> dict[str, Any]:
    """Return the first object of a JSON array, an empty one if there is none."""
    found = entries(value)
    return found[0] if found else {}


def text(value: object) -> str | None:
    """Return a string that is not empty."""
    return value if isinstance(value, str) and value else None


def count(value: object) -> int | None:
    """Return a number of something."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def number(value: object) -> float | None:
    """Return a measured number."""
    return float(value) if isinstance(value, int | float) else None


def openai_models(listing: object, provider: str) -> tuple[ModelDescription, ...]:
    """Read `GET /v1/models`, with what llama.cpp (`meta`) and vLLM (`max_model_len`) add."""
    found: list[ModelDescription] = []
    for entry in entries(fields(listing).get("data")):
        name = text(entry.get("id"))
        meta = fields(entry.get("meta"))
        status = fields(entry.get("status")).get("value")
        if name is None:
            continue
        found.append(
            ModelDescription(
                name=name,
                provider=provider,
                size_bytes=count(meta.get("size")),
                context_tokens=count(meta.get("n_ctx")) or count(entry.get("max_model_len")),
                # llama.cpp as a router of many models says which are loaded; alone, its one is.
                loaded=status == "loaded" if status else (True if meta else None),
            )
        )
    return tuple(found)


def lm_studio_models(listing: object, provider: str) -> tuple[ModelDescription, ...]:
    """Read LM Studio's `GET /api/v0/models`, without what only makes embeddings."""
    return tuple(
        ModelDescription(
            name=name,
            provider=provider,
            context_tokens=count(entry.get("loaded_context_length"))
            or count(entry.get("max_context_length")),
            loaded=entry.get("state") == "loaded",
        )
        for entry in entries(fields(listing).get("data"))
        if (name := text(entry.get("id"))) and entry.get("type") in {"llm", "vlm"}
    )


def ollama_models(
    tags: object, running: object, provider: str, *, remote: bool
) -> tuple[ModelDescription, ...]:
    """Read Ollama's `GET /api/tags` and `GET /api/ps`.

    Models that Ollama itself passes on to a server elsewhere are left out unless `remote`.
    """
    loaded = {
        entry.get("name") or entry.get("model"): count(entry.get("context_length"))
        for entry in entries(fields(running).get("models"))
    }
    return tuple(
        ModelDescription(
            name=name,
            provider=provider,
            size_bytes=count(entry.get("size")),
            context_tokens=loaded.get(name),
            loaded=name in loaded,
        )
        for entry in entries(fields(tags).get("models"))
        if (name := text(entry.get("name")) or text(entry.get("model")))
        and (remote or ollama_remote(name, entry) is None)
        and (not (able := capabilities(entry)) or "completion" in able)
    )


def capabilities(description: object) -> frozenset[str]:
    """Return what Ollama says in `/api/tags` or `/api/show` that a model can do.

    Nothing where it does not say: `/api/show` does since 2025, `/api/tags` since 2026.
    """
    told = fields(description).get("capabilities")
    names = cast("list[object]", told) if isinstance(told, list) else []
    return frozenset(name for name in names if isinstance(name, str))


def ollama_window(description: object) -> int | None:
    """Return the window that a model is loaded with by its own parameters, in tokens.

    `/api/show` lists them as lines such as `num_ctx    8192`; most models have none.
    """
    for line in (text(fields(description).get("parameters")) or "").splitlines():
        name, _, value = line.strip().partition(" ")
        if name == "num_ctx" and value.strip().isdecimal():
            return int(value)
    return None


def ollama_remote(name: str, description: object) -> str | None:
    """Return the address to which Ollama passes a model's requests on, None if it runs it itself.

    Models of Ollama's cloud are known by the tag `cloud` or one that ends in `-cloud`, other
    remote ones by `remote_host` in what `/api/tags` and `/api/show` say of them.
    """
    told = fields(description)
    host = text(told.get("remote_host"))
    if host:
        return host if "://" in host else f"https://{host}"
    tag = name.rpartition(":")[2] if ":" in name else ""
    is_cloud = tag == "cloud" or tag.endswith("-cloud") or text(told.get("remote_model"))
    return _CLOUD if is_cloud else None


def anthropic_models(listing: object, provider: str) -> tuple[ModelDescription, ...]:
    """Read Anthropic's `GET /v1/models`, which llama.cpp answers in OpenAI's form."""
    return tuple(
        model.model_copy(update={"context_tokens": count(entry.get("max_input_tokens"))})
        if entry.get("max_input_tokens")
        else model
        for model, entry in zip(
            openai_models(listing, provider),
            (one for one in entries(fields(listing).get("data")) if text(one.get("id"))),
            strict=True,
        )
    )
