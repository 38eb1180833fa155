"""`coai rules`: what the static tier looks for, why, and whether its own examples hold."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from coai_routing.errors import CoaiError
from coai_server.cli.console import console, write_json

commands = typer.Typer(no_args_is_help=True, help="Show what `coai audit` and the editor look for.")

_CWE: Final = "https://cwe.mitre.org/data/definitions/{}.html"


class UnknownRuleError(CoaiError):
    """There is no rule of this name."""


@commands.command("list")
def list_rules(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Write the page of all rules.")
    ] = False,
) -> None:
    """List all rules: id, severity, weakness, the languages they know, and title."""
    from coai_agents.static.rules import catalogue  # noqa: PLC0415 (not for `--help`)

    languages = _languages()
    concepts = [concept for concept in catalogue().values() if languages.get(concept.id)]
    if as_json:
        write_json(
            [
                {**concept.model_dump(mode="json"), "languages": languages[concept.id]}
                for concept in concepts
            ]
        )
        return
    if as_markdown:
        sys.stdout.write(page())
        return
    from rich.table import Table  # noqa: PLC0415 (only for people)

    table = Table("Rule", "Severity", "CWE", "Languages", "Title", box=None, pad_edge=False)
    for concept in concepts:
        weakness = str(concept.cwe[0]) if concept.cwe else ""
        known = ", ".join(languages[concept.id])
        table.add_row(concept.id, concept.severity.value, weakness, known, concept.title)
    console().print(table)


@commands.command()
def explain(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A rule's id, see `coai rules list`")],
) -> None:
    """Explain a rule: what it finds, why that matters, what to do instead, with an example."""
    from coai_agents.static.lowering import LANGUAGES  # noqa: PLC0415 (not for `--help`)
    from coai_agents.static.rules import catalogue, examples  # noqa: PLC0415

    concept = catalogue().get(rule)
    if concept is None:
        raise UnknownRuleError(f"There is no rule {rule}.", remedy="See `coai rules list`.")
    out = console()
    out.print(f"{concept.title} ({concept.id}, {concept.severity.value})", style="bold")
    out.print(f"\n{concept.message} {concept.why}\n\nInstead: {concept.advice}\n")
    for number in concept.cwe:
        out.print(_CWE.format(number))
    for category in concept.owasp:
        out.print(f"OWASP Top 10 {category}")
    for language in sorted(LANGUAGES):
        shown = [each for each in examples(language) if each.rule == rule]
        if shown:
            out.print(f"\nFound ({language}):\n\n{shown[0].bad}", soft_wrap=True)
            out.print(f"Not found:\n\n{shown[0].good}", soft_wrap=True)
            break


@commands.command()
def test() -> None:
    """Try every rule on its own examples. Exit code 1 if one does not hold."""
    from coai_agents.source import Source  # noqa: PLC0415 (not for `--help`)
    from coai_agents.static.analyzer import analyse  # noqa: PLC0415
    from coai_agents.static.lowering import LANGUAGES  # noqa: PLC0415
    from coai_agents.static.rules import examples  # noqa: PLC0415

    def found(text: str, language: str) -> set[str]:
        name = "typescriptreact" if language == "tsx" else language
        return {each.rule for each in analyse(Source("untitled:x", text, name)).findings}

    tried, failed = 0, list[str]()
    for language in sorted(LANGUAGES):
        for number, example in enumerate(examples(language)):
            tried += 1
            if example.rule not in found(example.bad, language):
                failed.append(f"{language}, example {number}: {example.rule} is not found")
            if example.rule in found(example.good, language):
                failed.append(f"{language}, example {number}: {example.rule} is found in good code")
    for failure in failed:
        console().print(failure)
    console().print(f"{tried} examples, {len(failed)} failures")
    if failed:
        raise typer.Exit(1)


def page() -> str:
    """Return the page of all rules, `docs/rules.md`."""
    from coai_agents.static.rules import catalogue  # noqa: PLC0415 (not for `--help`)

    languages = _languages()
    parts = [_HEADING]
    for concept in catalogue().values():
        known = languages.get(concept.id)
        if not known:
            continue
        facts = [f"`{concept.severity.value}`", ", ".join(known)]
        facts += [f"[CWE-{number}]({_CWE.format(number)})" for number in concept.cwe]
        facts += concept.owasp
        parts.append(
            f"## {concept.id}\n\n**{concept.title}.** {' · '.join(facts)}\n\n"
            f"{concept.message} {concept.why}\n\n*Instead:* {concept.advice}\n"
        )
    return "\n".join(parts)


_HEADING: Final = """\
# Rules

What is found without a model, in the editor and by `coai audit`. This page is written by
`coai rules list --markdown`; `coai rules explain RULE` shows examples. A finding is taken away by a
comment in its line or, on a line of its own, above: `# coai: ignore[rule] reason`.

A finding is an `error` if whoever sends a request decides the value. Values from the one who starts
the program and from files make it a `warning`, values from a function's caller `information`.
"""


def _languages() -> dict[str, list[str]]:
    """Return the languages that each rule knows."""
    from coai_agents.static.lowering import LANGUAGES  # noqa: PLC0415 (not for `--help`)
    from coai_agents.static.rules import load  # noqa: PLC0415

    known: dict[str, list[str]] = {"secret-found": ["any"]}
    for language in sorted(LANGUAGES - {"tsx"}):
        for rule in {clause.rule for clause in load(language).find}:
            known.setdefault(rule, []).append(language)
    return known
