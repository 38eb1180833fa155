"""The types of settings that need more than a bound: patterns, addresses, paths, names."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from coai_routing.addresses import http_address
from coai_routing.settings.markers import Discreet, Expected, NamesPlace

BACKEND_NAMES = ("auto", "embedded", "cloud", "ollama", "lmstudio", "llama_server", "vllm")
"""What `completion.backend` takes besides the names of custom endpoints."""

VENDOR_NAMES = ("gemini", "mistral", "deepseek", "openrouter", "azure")
"""Vendors of `cloud.vendors`: those of `registry/vendors.toml` that have no section of their own,
which a test compares. Written out, because settings are read before any registry is."""

RESERVED_ENDPOINT_NAMES = (*BACKEND_NAMES, "anthropic", "openai", *VENDOR_NAMES)
"""Names that a custom endpoint cannot have: they mean something already. The last ones are the
vendors', under which the registry of models finds their deployments."""

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")


def _gitignore_pattern(pattern: str) -> str:
    """Return the pattern if `pathspec` would take it and it is one line."""
    if not pattern.strip() or _CONTROL_CHARACTERS.search(pattern):
        raise ValueError("empty or more than one line")
    backslashes = len(pattern) - len(pattern.rstrip("\\"))
    if pattern.rstrip() == "!" or backslashes % 2:
        raise ValueError("incomplete pattern")
    return pattern


def _absolute_path(path: Path) -> Path:
    """Return the path with `~` expanded; RuntimeError, where there is no home, means the same."""
    try:
        expanded = path.expanduser()
    except RuntimeError as error:
        raise ValueError("no home directory") from error
    if not expanded.is_absolute():
        raise ValueError("relative to an unknown directory")
    return expanded


def _vendor_name(name: str) -> str:
    """Return the name of a vendor if it is known."""
    if name not in VENDOR_NAMES:
        raise ValueError("unknown")
    return name


def _unreserved_name(name: str) -> str:
    """Return the name of a custom endpoint if it is free."""
    if name in RESERVED_ENDPOINT_NAMES:
        raise ValueError("reserved")
    return name


Pattern = Annotated[str, Field(max_length=500), AfterValidator(_gitignore_pattern)]
HttpAddress = Annotated[
    str,
    AfterValidator(http_address),
    Discreet(),
    NamesPlace(),
    Expected("an http:// or https:// address without user name, query or fragment"),
]
AbsolutePath = Annotated[
    Path,
    AfterValidator(_absolute_path),
    NamesPlace(),
    Expected("an absolute path, or one that begins with ~"),
]
Host = Annotated[
    str,
    Field(
        pattern=r"^(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[?[0-9A-Fa-f:.]+:[0-9A-Fa-f:.]*\]?)"
        r"(?::[0-9]{1,5})?$"
    ),
    NamesPlace(),
]
VariableName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"),
    Discreet(),
    NamesPlace(),
    Expected("the name of an environment variable, not the key itself"),
]
ModelName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$"),
    Expected("an alias of `coai route models`, or the name of a profile"),
]
EndpointName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9_-]*$"),
    AfterValidator(_unreserved_name),
    Expected(
        "a name of small letters, digits, - and _ other than " + ", ".join(RESERVED_ENDPOINT_NAMES)
    ),
]
VendorName = Annotated[
    str, AfterValidator(_vendor_name), Expected("one of " + ", ".join(VENDOR_NAMES))
]
