"""The tutorial: steps from what is simple on, each with an example that was parsed at least."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from coai_agents.markdown import code
from coai_agents.source import Source
from coai_agents.specialists.asking import NobodyError, Prompt
from coai_agents.specialists.documentation.signature import signature_of
from coai_agents.specialists.documents.pages.examples import Example, asserted, documented, wrapped
from coai_agents.specialists.documents.pages.interface import is_of_tests
from coai_agents.specialists.documents.pages.page import (
    block,
    filled,
    opening_facts,
    sentence,
    spoken,
    title,
    whole,
)
from coai_agents.specialists.documents.pages.wording import Slot
from coai_agents.specialists.documents.symbols import module_of
from coai_agents.specialists.documents.syntax import call_of, walk
from coai_agents.specialists.documents.visibility import visible
from coai_agents.specialists.untrusted import from_model
from coai_agents.syntax.definitions import FUNCTIONS
from coai_agents.syntax.tree import parse
from coai_routing.request import Capability

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.documentation.signature import Signature
    from coai_agents.specialists.documents.pages.page import Entry, Said
    from coai_agents.specialists.documents.pages.project import Project
    from coai_agents.specialists.documents.templates import Templates
    from coai_agents.syntax.tree import SyntaxTree

MOST_STEPS: Final = 12
MOST_OF_READMES: Final = 3
MOST_CANDIDATES: Final = 400
"""Public functions that are looked at; a tutorial shows the simplest."""

PARSED: Final = "Parsed, not run"
MADE: Final = "Made from the signature and parsed, not run; the arguments are to be filled in"

TASK: Final = (
    "You write one call of the function below, as an example. Every argument is a constant that is "
    "plausible for it. Answer with the call alone, on one line."
)

_SCRIPT: Final = frozenset({"javascript", "javascriptreact", "typescript", "typescriptreact"})
_CONSTANTS: Final = re.compile(
    r"^(?:string|integer|float|number|true|false|none|null|list|array|dictionary|object|tuple|set|"
    r"pair|keyword_argument|unary_operator|unary_expression|boolean|int_literal|float_literal|"
    r"interpreted_string_literal|raw_string_literal|boolean_literal|string_literal|"
    r"integer_literal|decimal_integer_literal|real_literal|encapsed_string|nil)"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is shown."""

    title: str
    summary: str
    example: Example
    checked: str = PARSED
    signature: Signature | None = None
    """Of a function that nothing shows an example of."""
    imported: str = ""
    """The statement that makes the name known."""
    path: str = ""

    @property
    def shown(self) -> str:
        """The code as it is shown: with its import, unless it has one."""
        has_one = not self.imported or re.search(
            r"^\s*(?:from|import|const .*require)\b", self.example.code, re.MULTILINE
        )
        return self.example.code if has_one else f"{self.imported}\n\n{self.example.code}"

    @property
    def program(self) -> str:
        """What is run to try it."""
        if not self.example.program:
            return self.shown
        own = self.example.program
        return own if own.startswith("import doctest\n") else f"{self.imported}\n{own}"


@dataclass(frozen=True, slots=True)
class Tutorial:
    """The facts of a tutorial."""

    title: str
    summary: str
    install: tuple[Entry, ...]
    steps: tuple[Step, ...]

    def slots(self) -> list[Slot]:
        """Return what a model may word: the whole, then each step."""
        facts = opening_facts(self.title, self.summary)
        facts += [f"A step shows `{each.title}`." for each in self.steps]
        first = Slot("Say what a reader learns from the tutorial.", tuple(facts))
        return [first, *map(_slot, self.steps)] if self.steps else []

    def page(self, templates: Templates, said: Sequence[Said]) -> str:
        """Return the tutorial as Markdown."""
        words = [*said, *[None] * (1 + len(self.steps))]
        steps = [
            _step(templates, number, step, words[number])
            for number, step in enumerate(self.steps, 1)
        ]
        return whole(
            templates.fill(
                "document",
                title=title(self.title),
                summary=sentence(self.summary),
                words=spoken(templates, words[0]),
                install=filled(templates, "install", self.install),
                steps="\n\n".join(steps),
            )
        )


def _slot(step: Step) -> Slot:
    facts = [f"The step shows `{step.title}`.", f"The code is: `{step.example.code[:600]}`."]
    facts += [f"It is said to do this: {step.summary}"] if step.summary else []
    facts += [f"It gives `{step.example.gives}`."] if step.example.gives else []
    return Slot("Say what the step shows.", tuple(facts), (step.path,) if step.path else ())


def _step(templates: Templates, number: int, step: Step, said: Said | None) -> str:
    example = step.example
    gives = block(example.gives, "") if example.gives else ""
    return templates.fill(
        "step",
        number=str(number),
        title=title(step.title),
        summary=sentence(step.summary),
        words=spoken(templates, said),
        code=block(step.shown, example.language),
        gives=templates.fill("gives", output=gives) if gives else "",
        place=code(example.place),
        checked=sentence(step.checked),
    )


def tutorial(
    name: str,
    project: Project,
    trees: Sequence[tuple[str, SyntaxTree]],
    pages: Iterable[Example],
) -> Tutorial:
    """Return the facts of a tutorial; `pages` are the examples of the readme and its like."""
    candidates = [step for path, tree in trees for step in _candidates(tree, path)]
    known = {each.title.rpartition(".")[2]: each for each in reversed(candidates[:MOST_CANDIDATES])}
    tested: dict[str, Example] = {}
    for path, tree in trees:
        if is_of_tests(path):
            for called, example in asserted(tree, path, known):
                tested.setdefault(called, example)
    steps = [
        Step(each.place.partition(":")[0], "", each, path=each.place.partition(":")[0])
        for each in _different(pages)
    ][:MOST_OF_READMES]
    steps += sorted((_shown(each, tested) for each in candidates), key=_order)
    return Tutorial(
        project.name or name, project.summary, project.install, tuple(steps[:MOST_STEPS])
    )


def _different(examples: Iterable[Example]) -> Iterator[Example]:
    seen: set[str] = set()
    for each in examples:
        if each.code not in seen:
            seen.add(each.code)
            yield each


def _order(step: Step) -> tuple[int, int, int]:
    """Return what is shown first: what has an example, then what takes the least."""
    takes = 0 if step.signature is None else len(step.signature.parameters)
    return (step.checked != PARSED, takes, len(step.example.code))


def _candidates(tree: SyntaxTree, path: str) -> Iterator[Step]:
    """Yield a file's public functions and classes that an example can be shown of."""
    if is_of_tests(path):
        return
    language = tree.source.language
    comments = {each.name: each.comment.summary for each in module_of(tree, path).symbols}
    for each in visible(tree):
        if each.depth or not each.name or each.name.lower() == "main":
            continue
        imported = _imported(language, path, each.name)
        line = tree.source.line_at(each.span.start) + 1
        step = Step(
            each.qualified_name,
            comments.get(each.qualified_name, ""),
            Example(language, "", f"{path}:{line}"),
            imported=imported,
            path=path,
        )
        said = each.documentation
        if said is not None:
            start = tree.source.line_at(said.start) + 1
            found = documented(tree.source.slice(said), language, path, start, imported)
            if (first := next(found, None)) is not None:
                yield replace(step, example=first)
                continue
        signature = signature_of(tree, each) if each.kind in FUNCTIONS else None
        if signature is not None:
            yield replace(step, signature=signature)


def _shown(step: Step, tested: dict[str, Example]) -> Step:
    """Return a step with its example: its own, a test's, or one made of its signature."""
    if step.example.code:
        return step
    if (found := tested.get(step.title)) is not None:
        return replace(step, example=found, signature=step.signature)
    assert step.signature is not None, "nothing else is a candidate"
    given = [each.name for each in step.signature.parameters if not each.default and not each.rest]
    made = f"{step.signature.name}({', '.join(name.lstrip('$&*') for name in given)})"
    return replace(step, example=replace(step.example, code=made), checked=MADE)


def _imported(language: str, path: str, name: str) -> str:
    """Return the statement by which another file gets at a name; nothing where it is not known."""
    plain = PurePosixPath(path).with_suffix("")
    if language == "python":
        parts = [each for each in plain.parts if each != "src"]
        if parts and parts[-1] == "__init__":
            parts.pop()
        if parts and all(each.isidentifier() for each in parts):
            return f"from {'.'.join(parts)} import {name}"
    if language in _SCRIPT and re.fullmatch(r"[\w./-]+", str(plain)):
        return f'import {{ {name} }} from "./{plain}";'
    return ""


# ------------------------------------------------------------- examples by a model


async def with_calls(found: Tutorial, asker: Asker, root: str = "") -> Tutorial:
    """Return a tutorial in which a model's calls stand where there was only a signature.

    A call is taken if it parses, calls that function alone, and gives it constants, as many as it
    takes, by names that it has. The steps' paths are below `root`, as the user named it.
    """
    steps = [
        await _called(step, asker, root) if step.checked == MADE else step for step in found.steps
    ]
    return replace(found, steps=tuple(steps))


async def _called(step: Step, asker: Asker, root: str) -> Step:
    signature = step.signature
    if asker.absent is not None or signature is None or not signature.parameters:
        return step
    taken = [f"{x.name}: {x.type}" if x.type else x.name for x in signature.parameters]
    about = f"{signature.name}({', '.join(taken)})"
    prompt = Prompt(
        Capability.DOCUMENTATION,
        TASK,
        f"{step.example.language}\n{about}\n{step.summary}",
        max_tokens=64,
        paths=(PurePosixPath(root, step.path).as_posix(),),
    )
    try:
        said = await asker.say(prompt)
    except NobodyError:
        return step
    call = checked_call(said.text, signature, step.example.language)
    if call is None:
        return step
    how = f"Written by {said.model}, parsed and held against the signature, not run"
    return replace(step, example=replace(step.example, code=call), checked=how)


def checked_call(answer: str, signature: Signature, language: str) -> str | None:
    """Return a model's call of a function with constants; None where it is anything else."""
    lines = [each.strip().strip("`").rstrip(";") for each in from_model(answer).splitlines()]
    text = next((each for each in lines if each.startswith(f"{signature.name}(")), "")
    tree = parse(Source("untitled:call", wrapped(text, language), language))
    if not text or tree is None or tree.has_error:
        return None
    calls = [call for node in walk(tree.root) if (call := call_of(tree, node)) is not None]
    if len(calls) != 1 or tree.text(calls[0].node) != text or calls[0].name != signature.name:
        return None
    (call,) = calls
    names = {each.name.lstrip("*$&") for each in signature.parameters}
    needed = sum(not each.default and not each.rest for each in signature.parameters)
    given = len(call.arguments) + len(call.keywords)
    most = given if any(each.rest for each in signature.parameters) else len(names)
    constant = all(
        _CONSTANTS.match(node.type) or _is_text(node.type)
        for argument in (*call.arguments, *call.keywords.values())
        for node in walk(argument)
    )
    fits = needed <= given <= most and set(call.keywords) <= names
    return text if constant and fits else None


def _is_text(kind: str) -> bool:
    return kind in {"escape_sequence", "property_identifier", "expression_list"}
