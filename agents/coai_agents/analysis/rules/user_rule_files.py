"""Files with rules of the user's own, in ast-grep's YAML: read, and checked as far as they go.

The fields are ast-grep's (ast-grep.github.io/reference/yaml.html): `id`, `language`, `rule`,
`constraints`, `utils` and `transform` are handed to it as they are; `message`, `severity`, `note`,
`url`, `fix`, `files`, `ignores` and `metadata` are read here. A document with `valid` or `invalid`
and no `rule` is a test of the rule that its `id` names; `metadata.examples` holds the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from coai_agents.analysis.findings.findings import Severity
from coai_agents.analysis.rules.rules import OwnConcept, catalogue
from coai_routing.errors import CoaiError
from coai_routing.workspace_files import FileSizeError, read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from yaml import Node

MOST_BYTES: Final = 256 * 1024
"""Longer files are no rules that anybody wrote."""

LANGUAGES: Final = {
    "bash": ("bash", "sh"),
    "c": ("c",),
    "cpp": ("cpp", "c++", "cc", "cxx"),
    "csharp": ("csharp", "cs", "c#"),
    "css": ("css",),
    "elixir": ("elixir", "ex"),
    "go": ("go", "golang"),
    "haskell": ("haskell", "hs"),
    "hcl": ("hcl",),
    "html": ("html",),
    "java": ("java",),
    "javascript": ("javascript", "js", "jsx"),
    "json": ("json",),
    "kotlin": ("kotlin", "kt"),
    "lua": ("lua",),
    "nix": ("nix",),
    "php": ("php",),
    "python": ("python", "py"),
    "ruby": ("ruby", "rb"),
    "rust": ("rust", "rs"),
    "scala": ("scala",),
    "solidity": ("solidity", "sol"),
    "swift": ("swift",),
    "tsx": ("tsx",),
    "typescript": ("typescript", "ts"),
    "yaml": ("yaml", "yml"),
}
"""By ast-grep's name of a language: what rules may call it, in any case.

It is a closed list because ast-grep ends the thread where it does not know a name.
"""

_BY_ALIAS: Final = {alias: name for name, aliases in LANGUAGES.items() for alias in aliases}

_SEVERITIES: Final = {
    "error": Severity.ERROR,
    "warning": Severity.WARNING,
    "info": Severity.INFORMATION,
    "information": Severity.INFORMATION,
    "hint": Severity.HINT,
}


class UserRuleError(CoaiError):
    """A rule of the user's own, or a file of them, is not valid and left out."""

    def __init__(self, file: Path, line: int, problem: str) -> None:
        super().__init__(
            f"{file}:{line}: {problem}",
            remedy="Correct it; the other rules work meanwhile.",
        )
        self.file = file
        self.line = line
        """From 1."""
        self.problem = problem


class Snippets(BaseModel):
    """Code in which a rule must not be found, and code in which it must."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    valid: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()


class _Metadata(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    cwe: tuple[int, ...] = ()
    owasp: tuple[str, ...] = ()
    topic: str = ""
    category: str = ""
    examples: Snippets = Snippets()

    @field_validator("cwe", mode="before")
    @classmethod
    def _weaknesses(cls, given: object) -> tuple[int, ...]:
        numbers: list[int] = []
        for each in _listed(given):
            match = re.fullmatch(r"(?:CWE-)?(\d{1,5})(?:\b.*)?", str(each).strip(), re.IGNORECASE)
            if match is None:
                raise ValueError(f"{each!r} is no weakness such as CWE-89")
            numbers.append(int(match[1]))
        return tuple(numbers)

    @field_validator("owasp", mode="before")
    @classmethod
    def _categories(cls, given: object) -> tuple[str, ...]:
        found: list[str] = []
        for each in _listed(given):
            match = re.match(r"(A\d\d:20(?:21|25))\b", str(each).strip())
            if match is None:
                raise ValueError(f"{each!r} is no category such as A03:2021")
            found.append(match[1])
        return tuple(found)


class _Fix(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    template: str


class _RuleDocument(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$", max_length=100)
    language: str
    rule: dict[str, Any]
    constraints: dict[str, Any] | None = None
    utils: dict[str, Any] | None = None
    transform: dict[str, Any] | None = None
    message: str = ""
    severity: str = "hint"
    note: str | None = None
    url: str = Field(default="", pattern=r"^(?:https?://\S+)?$")
    fix: str | _Fix | None = None
    files: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()
    metadata: _Metadata = _Metadata()
    labels: dict[str, Any] | None = None

    @field_validator("language")
    @classmethod
    def _known_language(cls, given: str) -> str:
        name = _BY_ALIAS.get(given.lower())
        if name is None:
            raise ValueError(f"there is no language {given!r}")
        return name

    @field_validator("severity")
    @classmethod
    def _known_severity(cls, given: str) -> str:
        if given not in _SEVERITIES and given != "off":
            raise ValueError(f"{given!r} is none of error, warning, info, hint, off")
        return given

    @field_validator("id")
    @classmethod
    def _own_id(cls, given: str) -> str:
        if given in catalogue():
            raise ValueError(f"{given!r} is a rule of COAI's own")
        return given


class _TestDocument(Snippets):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule stands, and where each of its parts does."""

    file: Path
    node: Node

    def problem(self, path: Sequence[str | int], words: str) -> UserRuleError:
        """Return the error at a part of the rule."""
        return UserRuleError(self.file, line_of(self.node, path), words)

    def problem_about(self, words: str) -> UserRuleError:
        """Return an error at the part that its words quote, or else at the rule's beginning."""
        lines = {str(node.value): node.start_mark.line + 1 for node in _scalars(self.node)}
        for quoted in re.findall(r"`([^`]+)`", words):
            if quoted in lines:
                return UserRuleError(self.file, lines[quoted], words)
        return self.problem(("rule",), words)


@dataclass(frozen=True, slots=True)
class UserRule:
    """One rule, as far as it can be checked without ast-grep."""

    concept: OwnConcept
    language: str
    """As ast-grep calls it."""
    config: Mapping[str, Any]
    """What ast-grep is given."""
    fix: str | None
    files: tuple[str, ...]
    ignores: tuple[str, ...]
    snippets: Snippets
    off: bool
    place: Place


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """What was read."""

    rules: tuple[UserRule, ...] = ()
    problems: tuple[UserRuleError, ...] = ()


def read_rules(files: Iterable[Path]) -> RuleFiles:
    """Read files of rules; what is wrong is a problem and takes nothing else with it."""
    rules: dict[str, UserRule] = {}
    tests: list[tuple[_TestDocument, Place]] = []
    problems: list[UserRuleError] = []
    for file in files:
        try:
            documents = _documents(file)
        except UserRuleError as error:
            problems.append(error)
            continue
        for table, place in documents:
            try:
                if "rule" not in table and not {"valid", "invalid"}.isdisjoint(table):
                    tests.append((_checked(_TestDocument, table, place), place))
                    continue
                rule = _rule(table, place)
                if rule.concept.id in rules:
                    raise place.problem(("id",), f"There is a rule {rule.concept.id} already.")
                rules[rule.concept.id] = rule
            except UserRuleError as error:
                problems.append(error)
    for test, place in tests:
        tested = rules.get(test.id)
        if tested is None:
            problems.append(place.problem(("id",), f"There is no rule {test.id} to be tested."))
            continue
        valid, invalid = tested.snippets.valid + test.valid, tested.snippets.invalid + test.invalid
        rules[test.id] = replace(tested, snippets=Snippets(valid=valid, invalid=invalid))
    return RuleFiles(tuple(rules.values()), tuple(problems))


def _documents(file: Path) -> list[tuple[dict[str, Any], Place]]:
    """Return a file's documents; raises UserRuleError if it is no YAML or not to be read."""
    import yaml  # noqa: PLC0415 - only where there are rules of the user's own

    try:
        text = read_file(file, MOST_BYTES).decode("utf-8")
    except FileSizeError as error:
        why = f"The file has more than {MOST_BYTES // 1024} KB."
        raise UserRuleError(file, 1, why) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserRuleError(file, 1, f"The file cannot be read ({error}).") from error
    found: list[tuple[dict[str, Any], Place]] = []
    try:
        loader = yaml.SafeLoader(text)
        try:
            while loader.check_node():
                node = loader.get_node()
                assert node is not None
                table: Any = cast("Any", loader).construct_document(node)
                if table is None:
                    continue
                if not isinstance(table, dict):
                    raise UserRuleError(file, line_of(node, ()), "A rule is a table of fields.")
                found.append((cast("dict[str, Any]", table), Place(file, node)))
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else int(mark.line) + 1
        said = getattr(error, "problem", None) or str(error) or "nested too deeply"
        raise UserRuleError(file, line, f"This is not YAML: {said}.") from error
    return found


_Checked = TypeVar("_Checked", bound=BaseModel)


def _checked(model: type[_Checked], table: Mapping[str, Any], place: Place) -> _Checked:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        words = first["msg"].removeprefix("Value error, ")
        raise place.problem(first["loc"], f"{key}: {words}.") from error


def _rule(table: Mapping[str, Any], place: Place) -> UserRule:
    document = _checked(_RuleDocument, table, place)
    metadata = document.metadata
    security = bool(metadata.cwe or metadata.owasp) or metadata.category == "security"
    topic = metadata.topic or ("security" if security else "correctness")
    message = document.message or document.note or f"It matches the rule {document.id}."
    about = {
        "id": document.id,
        "title": _first_sentence(message),
        "message": message,
        "severity": _SEVERITIES.get(document.severity, Severity.HINT),
        "cwe": metadata.cwe,
        "owasp": metadata.owasp,
        "topic": topic,
        "advice": document.note or "",
        "url": document.url,
        "file": str(place.file),
        "languages": (document.language,),
    }
    fix = document.fix.template if isinstance(document.fix, _Fix) else document.fix
    given = {
        "rule": document.rule,
        "constraints": document.constraints,
        "utils": document.utils,
        "transform": document.transform,
    }
    return UserRule(
        concept=_checked(OwnConcept, about, place),
        language=document.language,
        config={key: value for key, value in given.items() if value is not None},
        fix=fix,
        files=document.files,
        ignores=document.ignores,
        snippets=metadata.examples,
        off=document.severity == "off",
        place=place,
    )


def _first_sentence(message: str) -> str:
    return re.split(r"(?<=[.!?])\s|\n", message.strip(), maxsplit=1)[0].rstrip(".")


def _listed(given: object) -> list[object]:
    return cast("list[object]", given) if isinstance(given, list) else [given]


def line_of(node: Node, path: Sequence[str | int]) -> int:
    """Return the line, from 1, on which a part of a document stands, or what holds it."""
    import yaml  # noqa: PLC0415 - only where there are rules of the user's own

    line = node.start_mark.line + 1
    for step in path:
        inner: Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(step):
                    line, inner = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode):
            inner = node.value[int(step)]
            line = node.value[int(step)].start_mark.line + 1
        if inner is None:
            break
        node = inner
    return line


def _scalars(node: Node) -> Iterator[Node]:
    """Yield what a document says, keys and values, in the order of the text."""
    import yaml  # noqa: PLC0415 - only where there are rules of the user's own

    waiting: list[Node] = [node]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, yaml.ScalarNode):
            yield each
        elif isinstance(each, yaml.MappingNode):
            waiting += [inner for pair in reversed(each.value) for inner in reversed(pair)]
        elif isinstance(each, yaml.SequenceNode):
            waiting += reversed(each.value)
