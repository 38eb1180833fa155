"""Vendors of cloud models: their addresses, variables and quirks, from `vendors.toml`."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from coai_routing.addresses import http_address
from coai_routing.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILTIN: Final = Path(__file__).with_name("vendors.toml")

_Address = Annotated[str, AfterValidator(http_address)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Quirks(_Entry):
    """How a vendor's API differs from the protocol's first one; see `vendors.toml`."""

    limit_key: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    leaves_out: tuple[str, ...] = ()
    most_stops: int = Field(default=4, ge=0)
    key_header: str = Field(default="", pattern=r"^[a-z-]*$")
    list_prefix: str = ""


class FillIn(_Entry):
    """Where a vendor takes a prompt and a suffix."""

    url: _Address


class DeviceFlow(_Entry):
    """Where a user signs in with a code (RFC 8628)."""

    client_id: str = Field(min_length=1)
    authorize_url: _Address
    token_url: _Address
    scope: str = ""


class Vendor(_Entry):
    """A vendor, as `vendors.toml` describes it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    title: str = Field(min_length=1)
    variable: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    url: _Address | None = None
    protocol: Literal["openai", "anthropic"]
    keys: str = ""
    quirks: Quirks = Quirks()
    fim: FillIn | None = None
    device: DeviceFlow | None = None

    @model_validator(mode="after")
    def _fills_in_at_its_own_host(self) -> Self:
        if self.fim is not None and (
            self.url is None or urlsplit(self.fim.url).netloc != urlsplit(self.url).netloc
        ):
            raise ValueError("fim.url is of another host than url")
        return self

    def fim_url(self, base_url: str) -> str | None:
        """Return where it fills in if its API is at an address: a proxy keeps the path."""
        if self.fim is None or self.url is None:
            return None
        if base_url == self.url:
            return self.fim.url
        return f"{base_url.removesuffix('/v1')}{urlsplit(self.fim.url).path}"


class _Vendors(_Entry):
    vendors: tuple[Vendor, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_different(self) -> Self:
        names = [vendor.name for vendor in self.vendors]
        if len(set(names)) != len(names):
            raise ValueError("a name stands for two vendors")
        return self


def load_vendors(path: Path = BUILTIN) -> Mapping[str, Vendor]:
    """Read vendors. Raises SettingsError that names the file and the first wrong key."""
    remedy = "Correct the file, or install COAI again."
    try:
        read = _Vendors.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.", remedy=remedy) from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"])) or "the document"
        raise SettingsError(f"{path}: {key}: {problem['msg']}.", remedy=remedy) from error
    return {vendor.name: vendor for vendor in read.vendors}


@functools.cache
def builtin_vendors() -> Mapping[str, Vendor]:
    """Return COAI's own vendors by name, read once."""
    return load_vendors()
