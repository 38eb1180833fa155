"""The rules: data in `data/`, checked when it is read.

`catalogue.toml` says what each rule is about, once for all languages. A language's folder says how
the rules show in that language: calls, assignments and queries that match; where data comes from;
what makes it harmless. `language.toml` is about the language itself and what comes with it, each
other file about a framework or a kind of library. `NAME.examples.toml` beside a file has examples
of its rules, which are tests. `extends` names a folder whose lists come first.

One file, because the form of the rules' data is validated as a whole.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from coai_agents.analysis.dataflow.values import Kind
from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.rules.properties import as_properties
from coai_agents.analysis.rules.surroundings import Around
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FOLDER: Final = Path(__file__).with_name("data")

CATALOGUE: Final = "catalogue.toml"

SHAPES: Final = "shapes.toml"
"""Clauses that hold in every language, because names and texts say what they are."""

LANGUAGE: Final = "language.toml"
"""What a language's folder says of the language itself, before its frameworks."""

EXAMPLES: Final = ".examples.toml"
"""How the names of files of examples end; finding needs none of them."""

WEAKNESS: Final = "https://cwe.mitre.org/data/definitions/{}.html"
"""The page of a weakness, by its number."""


class RuleFileError(CoaiError):
    """A file of rules is not valid."""

    def __init__(self, file: str, key: str, problem: str) -> None:
        super().__init__(
            f"{file}: {key}: {problem}.",
            remedy="If it is a part of COAI, reinstall it; else correct the file.",
        )


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return pattern


def _path(pattern: str) -> str:
    if pattern != "*" and not re.fullmatch(
        r"(?:\*\.)?[\w$@#?!(){}\[\]:/\\-]+(?:\.[\w$@#?!(){}\[\]:/\\-]+)*(?:\.\*)?", pattern
    ):
        raise ValueError(f"{pattern!r} is no path of names")
    return pattern


Path_ = Annotated[str, AfterValidator(_path)]
Regex = Annotated[str, AfterValidator(_compiles)]
Scalar = bool | int | float | str

MOST_SEARCHED: Final = 10_000
"""Characters of one constant or node that patterns look at."""


def _is_quick(pattern: str) -> str:
    """Refuse a pattern that takes the square of a text's length where an unbounded one may."""
    for repeat in re.finditer(r"(\\.|[^\\])(?:[*+]|\{\d+,\})", pattern):
        if repeat[1] != r"\s":
            raise ValueError(f"{repeat[0]!r} is unbounded: bound it, or list what comes later")
    return pattern


def _one_after_the_other(patterns: object) -> object:
    return (patterns,) if isinstance(patterns, str) else patterns


InOrder = Annotated[
    tuple[Annotated[Regex, AfterValidator(_is_quick)], ...], BeforeValidator(_one_after_the_other)
]
"""One regular expression, or several of which each is looked for behind the match before it."""


class RuleModel(BaseModel):
    """A value of a file of rules."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Concept(RuleModel):
    """What a rule is about, in any language."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]+$")
    title: str = Field(min_length=4)
    message: str = Field(min_length=8)
    """What a finding says; one sentence or two."""
    severity: Severity
    cwe: tuple[int, ...] = ()
    owasp: tuple[Annotated[str, Field(pattern=r"^A\d\d:20(21|25)$")], ...] = ()
    topic: Literal["security", "correctness", "performance"] = "security"
    category: str = ""
    """What a sanitizer must be good for to make a value harmless here."""
    strong: bool = False
    """Whether a value does such harm here that it is a finding, of low confidence, although it is
    only known that the caller of the function passes it, or that text is built of it."""
    why: str = Field(min_length=10)
    """What can happen."""
    advice: str = Field(min_length=8)
    """What to do instead."""
    tags: tuple[Literal["deprecated", "unnecessary"], ...] = ()


class Condition(RuleModel):
    """Something that must hold of an argument; exactly one of the tests is given."""

    arg: str = Field(min_length=1)
    """Positions from 0 and names, any of them: `0|sql`; `1.name` is a member of what is passed;
    `$` is the receiver, `*` any argument, `value` and `key` what is assigned and where."""
    is_: Scalar | None = Field(default=None, alias="is")
    not_: Scalar | None = Field(default=None, alias="not")
    in_: tuple[Scalar, ...] = Field(default=(), alias="in")
    matches: Regex | None = None
    """A regular expression that a constant text has somewhere in it."""
    missing: bool | None = None
    constant: bool | None = None
    below: float | None = None
    above: float | None = None
    tainted: bool | None = None
    built: bool | None = None
    null: bool | None = None
    of: tuple[Path_, ...] = ()
    """What the value is: paths as in `call`."""

    @model_validator(mode="after")
    def _one_test(self) -> Condition:
        given = self.model_fields_set - {"arg"}
        if len(given) != 1:
            raise ValueError(f"one test for each condition, not {sorted(given)}")
        return self


class Clause(RuleModel):
    """One way in which a rule shows; any of its places, with all of `when` and none of `unless`."""

    rule: str
    call: tuple[Path_, ...] = ()
    """Calls of these: `os.system`; `*.execute` is a method of anything."""
    assign: tuple[Path_, ...] = ()
    """Assignments to these."""
    named: tuple[str, ...] = ()
    """Calls of whatever has one of these words in its name, where text is built for them."""
    not_named: tuple[str, ...] = ()
    """Words that none of these names may have."""
    use: tuple[Path_, ...] = ()
    """Any use of these names."""
    grows: bool = False
    """Text that a loop's body adds to."""
    returned_by: tuple[Path_, ...] = ()
    """What functions with these decorators return."""
    tainted: tuple[str, ...] = ()
    """Arguments of which one must come from one of `kinds`; see `Condition.arg`."""
    kinds: tuple[Kind, ...] = (Kind.REMOTE, Kind.LOCAL, Kind.STORED)
    when: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    severity: Severity | None = None
    confidence: Confidence | None = None
    """How sure a finding is, where it is not the way of the value that says so."""
    message: str = ""
    category: str = ""
    """What a sanitizer must be good for here, where that is not the rule's own category."""
    within: tuple[Literal["loop", "async"], ...] = ()
    """Where the place must be: the body of a loop, an asynchronous function."""
    function: Regex | None = None
    """What the name of the function around the place must have in it."""
    query: str = ""
    """A query in tree-sitter's language; what it captures as `@finding` is one."""
    text: Regex | None = None
    """What `@text` of the query must have in it."""
    file: InOrder = ()
    """What the file's text must have in it for the clause to count."""
    not_around: InOrder = ()
    """What the code around the place must not have in it, comments left out."""
    needs_around: Regex | None = None
    """What that code must have in it."""
    around: Around = "function"
    """How much is around it: its function, its class, or what the function does with the object
    that the place makes or works on."""
    early: bool = False
    """Whether the place comes before the harm, so that a test behind it may still prevent it."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_silences_a_file(cls, table: Any) -> Any:  # noqa: ANN401 - what is not checked yet
        if isinstance(table, dict) and "not_file" in table:
            raise ValueError("a word elsewhere in a file excuses nothing: not_around")
        return cast("Any", table)

    @cached_property
    def open(self) -> bool:
        """Whether nothing says whose values count, so that a strong rule may ask for more."""
        return "kinds" not in self.model_fields_set

    @model_validator(mode="after")
    def _has_a_place(self) -> Clause:
        if not (
            self.call
            or self.named
            or self.assign
            or self.use
            or self.returned_by
            or self.query
            or self.grows
        ):
            raise ValueError("nothing says where it shows")
        return self


class SourceRule(RuleModel):
    """Where data comes in."""

    kind: Kind = Kind.REMOTE
    label: str
    call: tuple[Path_, ...] = ()
    unless: tuple[Condition, ...] = ()
    """What makes the result of such a call harmless."""
    member: tuple[Path_, ...] = ()
    decorators: tuple[Path_, ...] = ()
    """The parameters of functions with these decorators."""
    types: tuple[str, ...] = ()
    """Parameters of these types."""
    parameters: tuple[str, ...] = ()
    """Names of parameters, with `decorators` the only ones if given."""
    annotations: tuple[Path_, ...] = ()
    """Parameters with these annotations; `unless` is about what those are passed."""
    modelled: tuple[str, ...] = ()
    """Categories in which a parameter of theirs is harmless that has a class of its own as type."""
    functions: tuple[str, ...] = ()
    """Names of functions whose parameters are meant."""
    clears: tuple[str, ...] = ()
    """Categories in which parameters are harmless, since the framework has checked their form."""
    bases: tuple[str, ...] = ()
    """How the names of classes end of whose classes they are methods: `RequestHandler`."""
    file: InOrder = ()
    """What the file's text must have in it for calls, members and functions to count."""


class CallbackRule(RuleModel):
    """What a framework passes to the functions that it is given."""

    call: tuple[Path_, ...] = Field(min_length=1)
    """What the functions are passed to."""
    when: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    parameters: tuple[str, ...] = Field(min_length=1)
    """What each of their parameters is: a path such as `req`, `!` for data from outside, or
    nothing where it is not known."""
    kind: Kind = Kind.REMOTE
    label: str = "the request"
    file: InOrder = ()
    """What the file's text must have in it."""


class SanitizerRule(RuleModel):
    """What makes data harmless."""

    call: tuple[Path_, ...] = ()
    words: tuple[str, ...] = ()
    """Words in the name of a function that is not in the file and not known otherwise."""
    clears: tuple[str, ...] = Field(min_length=1)
    """Categories, or `*`."""


class GuardRule(RuleModel):
    """A test that makes what it is about harmless where it holds."""

    call: tuple[Path_, ...] = ()
    words: tuple[str, ...] = ()
    clears: tuple[str, ...] = Field(min_length=1)
    negative: bool = False
    """Whether it is harmless where the test does not hold."""
    text: Regex | None = None
    """What the test's code must have in it."""


class ConfirmationRule(RuleModel):
    """A call that raises unless its object is harmless, so that what follows may rely on it."""

    call: tuple[Path_, ...] = Field(min_length=1)
    clears: tuple[str, ...] = Field(min_length=1)
    argument: bool = False
    """Whether it is not its object that it is about but its first argument."""


class Containers(RuleModel):
    """Methods that put things into containers and get them out again."""

    append: tuple[str, ...] = ()
    prepend: tuple[str, ...] = ()
    extend: tuple[str, ...] = ()
    put: tuple[str, ...] = ()
    """Key, then value; with more arguments all but the last are the key."""
    get: tuple[str, ...] = ()
    take_first: tuple[str, ...] = ()
    take_last: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    """Types that hold things by their keys."""
    lists: tuple[str, ...] = ()
    """Types that hold things in a row, and none when they are made."""
    results: dict[str, str] = Field(default_factory=dict)
    """What calls of these return, as a path."""


class Resources(RuleModel):
    """What has to be closed."""

    rule: str = "resource-leak"
    open: tuple[Path_, ...] = ()
    close: tuple[str, ...] = ()
    """Methods that close it."""
    borrow: tuple[str, ...] = ()
    """Functions that use what they are passed and leave it open, as written."""
    strict: bool = False
    """Whether an error before the end may leave it open, so that only `finally` will do."""
    some: str = ""
    """What a finding says where it is closed, but not on every way."""


class Example(RuleModel):
    """Code in which a rule must show, and code in which it must not."""

    rule: str
    bad: str = ""
    good: str = ""
    each: tuple[str, ...] = ()
    """What `EACH` in both stands for, one after the other: spellings of one thing."""

    def spelled(self) -> Iterator[Example]:
        """Yield one example for each spelling."""
        if not self.each:
            yield self
        for text in self.each:
            bad, good = (code.replace("EACH", text) for code in (self.bad, self.good))
            yield Example(rule=self.rule, bad=bad, good=good)


class LanguageRules(RuleModel):
    """What one file says of a language, or all of them."""

    find: tuple[Clause, ...] = ()
    sources: tuple[SourceRule, ...] = ()
    callbacks: tuple[CallbackRule, ...] = ()
    installers: tuple[Path_, ...] = ()
    """Calls that call their first argument, a plug-in, with the other ones."""
    sanitizers: tuple[SanitizerRule, ...] = ()
    guards: tuple[GuardRule, ...] = ()
    confirmations: tuple[ConfirmationRule, ...] = ()
    containers: Containers = Containers()
    resources: Resources = Resources()
    asserts: tuple[Path_, ...] = ()
    """Calls that end the function unless their first argument holds."""
    bare_fields: bool = False
    """Whether a class's methods know its fields by their bare names."""
    calls_read: bool = False
    """Whether calling a container reads what is in it: `x(0)`."""
    closures: bool = False
    """Whether a function within another one changes its variables by assigning to them."""
    carriers: tuple[Path_, ...] = ()
    """Objects that hold data from outside; what wraps one holds it too."""
    inert: tuple[Path_, ...] = ()
    """Calls whose results carry nothing of their arguments: lengths, comparisons."""
    passes: tuple[Path_, ...] = ()
    """Functions of the language that return something of what they are passed. Where they are
    listed, whatever else is not known may have made it harmless."""
    keeps: tuple[Path_, ...] = ()
    """Calls that clean nothing, although a sanitizer's pattern fits them."""
    scalars: tuple[str, ...] = ()
    """Types whose values do no harm, whoever chose them: numbers, dates, and with `*Service` what
    the framework hands in. Only for languages that hold a variable to its type."""
    extends: str = ""
    """A folder whose lists come first; only in `language.toml`."""
    shares: str = ""
    """A folder of another language of the same platform, whose lists come first as this language
    writes them, without queries and examples; only in `language.toml`."""


@cache
def catalogue(folder: Path = FOLDER) -> dict[str, Concept]:
    """Return all rules by their ids; raises `RuleFileError`."""
    concepts: dict[str, Concept] = {}
    for path in (folder / CATALOGUE, *sorted((folder / "texts").glob("*.toml"))):
        for number, entry in enumerate(cast("list[Any]", read_table(path).get("rules", []))):
            try:
                concept = Concept.model_validate(entry)
            except ValidationError as error:
                raise _invalid(path.name, error, f"rules.{number}") from error
            if concept.id in concepts:
                raise RuleFileError(path.name, f"rules.{number}", f"{concept.id} is there twice")
            concepts[concept.id] = concept
    return concepts


class OwnConcept(Concept):
    """What a rule of the user's own is about; nothing but its id and message need be said."""

    id: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$")
    title: str = ""
    message: str = Field(min_length=1)
    severity: Severity = Severity.HINT
    topic: Literal["security", "correctness", "performance"] = "correctness"
    why: str = ""
    advice: str = ""
    url: str = ""
    file: str = ""
    """Where the rule is."""
    languages: tuple[str, ...] = ()


_own: dict[str, OwnConcept] = {}


def own_concepts() -> dict[str, OwnConcept]:
    """Return the users' own rules that this process knows of."""
    return dict(_own)


def know(concepts: Iterable[OwnConcept]) -> None:
    """Take these for the users' own rules from now on, and no others."""
    _own.clear()
    _own.update({concept.id: concept for concept in concepts})


def concept_of(rule: str) -> Concept:
    """Return what a rule is about; of one that is not known, what its id says."""
    known = catalogue().get(rule) or _own.get(rule)
    return known or OwnConcept(id=rule, title=rule, message="It matches a rule of your own.")


def load(language: str, folder: Path = FOLDER) -> LanguageRules:
    """Return a grammar's rules, none if there is no folder for it; raises `RuleFileError`."""
    paths = _files(folder, language)
    if not paths:
        return LanguageRules()
    known = catalogue(folder)
    whole: dict[str, Any] = {}
    shapes = folder / SHAPES
    platform = _platform(folder, language)
    for path in (*platform, *paths, *((shapes,) if shapes.exists() else ())):
        table = read_table(path)
        if path in platform:
            # What is only wrong in Java's own spelling is none of another language's.
            known_harm = {name for name, each in known.items() if each.topic == "security"}
            table = as_properties(table, known_harm)
        rules = _valid(LanguageRules, table, _name(path, folder))
        for number, clause in enumerate(rules.find):
            if clause.rule not in known:
                problem = f"there is no rule {clause.rule!r}"
                raise RuleFileError(_name(path, folder), f"find.{number}", problem)
        _add(whole, {key: getattr(rules, key) for key in rules.model_fields_set})
    return LanguageRules.model_construct(**whole)


class _Examples(RuleModel):
    examples: tuple[Example, ...] = ()


def examples(language: str, folder: Path = FOLDER) -> tuple[Example, ...]:
    """Return a grammar's examples, which are tests; none if there is no folder for it.

    Raises `RuleFileError`.
    """
    found: list[Example] = []
    known = catalogue(folder)
    for path in _files(folder, language, examples=True):
        name = _name(path, folder)
        for number, example in enumerate(_valid(_Examples, read_table(path), name).examples):
            if example.rule not in known:
                problem = f"there is no rule {example.rule!r}"
                raise RuleFileError(name, f"examples.{number}", problem)
            found += example.spelled()
    return tuple(found)


def _files(folder: Path, language: str, *, examples: bool = False) -> tuple[Path, ...]:
    """Return the files of a language's folder, after those of the one that it extends."""
    room = folder / language
    first = room / LANGUAGE
    parent = read_table(first).get("extends", "") if first.exists() else ""
    own = [path for path in room.glob("*.toml") if path.name.endswith(EXAMPLES) == examples]
    own.sort(key=lambda path: (path.name != LANGUAGE, path.name))
    return (*(_files(folder, parent, examples=examples) if parent else ()), *own)


def _platform(folder: Path, language: str) -> tuple[Path, ...]:
    """Return the files of the language whose rules a language shares."""
    first = folder / language / LANGUAGE
    shared = read_table(first).get("shares", "") if first.exists() else ""
    return _files(folder, shared) if shared else ()


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


_Model = TypeVar("_Model", bound=RuleModel)


def _valid(model: type[_Model], table: dict[str, Any], file: str) -> _Model:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise _invalid(file, error) from error


def _add(whole: dict[str, Any], more: dict[str, Any]) -> None:
    """Add what another file says: lists follow one another, and of all else the last one counts."""
    for key, value in more.items():
        before = whole.get(key)
        whole[key] = (*before, *value) if isinstance(before, tuple) else value


def read_table(path: Path) -> dict[str, Any]:
    """Return what a TOML file says; raises `RuleFileError`."""
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise RuleFileError(path.name, "the file", f"it cannot be read ({error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RuleFileError(path.name, "the file", f"it is not TOML ({error})") from error


def _invalid(file: str, error: ValidationError, prefix: str = "") -> RuleFileError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in ((prefix,) if prefix else ()) + first["loc"])
    return RuleFileError(file, key, first["msg"])
