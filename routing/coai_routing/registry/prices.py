"""What a call costs: prices as data with their date, and tokens turned into dollars."""

from __future__ import annotations

import functools
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coai_routing.errors import SettingsError

if TYPE_CHECKING:
    from coai_routing.request import Usage

BUILTIN: Final = Path(__file__).with_name("prices.toml")

_MILLION: Final = 1_000_000.0
_DATED: Final = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$")

CHARACTERS_PER_TOKEN: Final = 3.0
"""Of code: rather too few, so that an estimate of tokens is rather too high."""


class Price(BaseModel):
    """A model's price in US dollars for a million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    input: float = Field(ge=0.0)
    output: float = Field(ge=0.0)
    cached_input: float | None = Field(default=None, ge=0.0)
    cache_write: float | None = Field(default=None, ge=0.0)

    def of(self, usage: Usage) -> float:
        """Return what a call cost, in US dollars."""
        cached = self.input if self.cached_input is None else self.cached_input
        written = self.input if self.cache_write is None else self.cache_write
        plain = max(0, usage.evaluated_tokens - usage.cache_write_tokens)
        return (
            plain * self.input
            + usage.cached_tokens * cached
            + usage.cache_write_tokens * written
            + usage.output_tokens * self.output
        ) / _MILLION

    def at_most(self, prompt_tokens: int, output_tokens: int) -> float:
        """Return what a call of that size costs at most, in US dollars."""
        dearest = max(self.input, self.cache_write or 0.0)
        return (prompt_tokens * dearest + output_tokens * self.output) / _MILLION


class Prices(BaseModel):
    """Every known price, as of a day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: date
    models: tuple[Price, ...] = Field(min_length=1)

    @functools.cached_property
    def _by_name(self) -> dict[str, Price]:
        return {price.name: price for price in self.models}

    @functools.cached_property
    def dearest(self) -> Price:
        """The price that stands for models that are not listed."""
        return max(self.models, key=lambda price: (price.output, price.input))

    def of(self, model: str) -> Price:
        """Return a model's price; that of the dearest one for a name that is not listed."""
        name = model.rpartition("/")[2].lower()
        found = self._by_name.get(name) or self._by_name.get(_DATED.sub("", name))
        return found or self.dearest


def estimated_tokens(characters: int) -> int:
    """Return about how many tokens so many characters are; rather too many than too few."""
    return int(characters / CHARACTERS_PER_TOKEN) + 1


def load_prices(path: Path = BUILTIN) -> Prices:
    """Read prices. Raises SettingsError that names the file and the first wrong key."""
    remedy = "Correct the file, or install COAI again."
    try:
        return Prices.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.", remedy=remedy) from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"])) or "the document"
        raise SettingsError(f"{path}: {key}: {problem['msg']}.", remedy=remedy) from error


@functools.cache
def builtin_prices() -> Prices:
    """Return COAI's own prices, read once."""
    return load_prices()
