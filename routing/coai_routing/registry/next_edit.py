"""Models that predict the next edit: which there are, told by their names and their GGUF files.

They continue raw prompts of a format of their own and do not fill in the middle, so they are no
`Family` of the catalogue. The knowledge is in `next_edit.toml`.
"""

from __future__ import annotations

import functools
import re
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from coai_routing.errors import SettingsError

BUILTIN: Final = Path(__file__).with_name("next_edit.toml")


class NextEditFormat(StrEnum):
    """How a model is told of edits, and how it answers."""

    SWEEP = "sweep"
    SWEEP_V2 = "sweep-v2"
    ZETA = "zeta"
    ZETA2 = "zeta2"
    ZETA2_1 = "zeta2.1"


class NextEditFamily(BaseModel):
    """Models that were trained on one format."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    title: str = Field(min_length=1)
    patterns: tuple[str, ...] = Field(min_length=1)
    architectures: tuple[str, ...] = Field(min_length=1)
    format: NextEditFormat
    context_tokens: int = Field(gt=0)
    stop: tuple[str, ...] = Field(min_length=1)
    control: tuple[str, ...] = ()

    @field_validator("patterns")
    @classmethod
    def _patterns_compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"no regular expression: {error}") from error
        return patterns

    @functools.cached_property
    def _control_word(self) -> re.Pattern[str]:
        words = sorted({*self.stop, *self.control}, key=lambda word: (-len(word), word))
        return re.compile("|".join(map(re.escape, words)))

    def speaks_in(self, text: str) -> bool:
        """Say whether a text has words that mean something to the model."""
        return self._control_word.search(text) is not None

    def escape(self, text: str) -> str:
        """Break up such words, so that source code cannot speak to the model."""
        return self._control_word.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    families: tuple[NextEditFamily, ...] = Field(min_length=1)


def load_next_edit(path: Path = BUILTIN) -> tuple[NextEditFamily, ...]:
    """Read the families; raises `SettingsError` that names the file and what is wrong."""
    remedy = "Correct the file, or install COAI again."
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return _Document.model_validate(document).families
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error}.", remedy=remedy) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML: {error}.", remedy=remedy) from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise SettingsError(f"{path} is wrong: {problems}.", remedy=remedy) from error


@functools.cache
def _builtin() -> tuple[NextEditFamily, ...]:
    return load_next_edit()


@functools.cache
def next_edit_family(model_name: str, architecture: str | None = None) -> NextEditFamily | None:
    """Return the family of a model by its name, as a backend or a file's header spells it.

    As in the catalogue, the last two components of the name count: the file's or the tag's, and
    the repository's or the folder's. `architecture` is what a GGUF file says, where it is known.
    """
    normal = re.sub(r"[_\s]", "-", model_name.strip().lower()).replace("\\", "/")
    for component in normal.split("/")[:-3:-1]:
        for family in _builtin():
            if architecture is not None and architecture not in family.architectures:
                continue
            if any(re.search(pattern, component) for pattern in family.patterns):
                return family
    return None
