"""`coai rules`: what the static tier looks for, why, and whether its own examples hold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coai_routing.errors import CoaiError
from coai_server.cli.console import console, say, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable

commands = typer.Typer(no_args_is_help=True, help="Show what `coai audit` and the editor look for.")

Places = Annotated[
    list[Path] | None,
    typer.Option(
        "--rules", help="A file or folder with more rules of your own; may be given several times."
    ),
]


class UnknownRuleError(CoaiError):
    """There is no rule of this name."""


@commands.command("list")
def list_rules(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Write the page of all rules.")
    ] = False,
    rules: Places = None,
) -> None:
    """List all rules, your own ones last: id, severity, weakness, languages, and title."""
    from coai_agents.application.audit.rule_list import everything  # noqa: PLC0415 (not for `--help`)

    have_own_rules(rules or ())
    known = everything()
    if as_json:
        write_json(
            [
                {**concept.model_dump(mode="json"), "languages": languages}
                for concept, languages in known
            ]
        )
        return
    if as_markdown:
        say(page())
        return
    from rich.table import Table  # noqa: PLC0415 (only for people)

    table = Table("Rule", "Severity", "CWE", "Languages", "Title", box=None, pad_edge=False)
    for concept, languages in known:
        weakness = str(concept.cwe[0]) if concept.cwe else ""
        shown = ", ".join(languages)
        table.add_row(concept.id, concept.severity.value, weakness, shown, concept.title)
    console().print(table)


@commands.command()
def explain(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A rule's id, see `coai rules list`")],
    *,
    rules: Places = None,
) -> None:
    """Explain a rule: what it finds, why that matters, what to do instead, with examples.

    It is the page that an editor opens from a finding's code.
    """
    from coai_agents.application.audit.rule_list import is_known, rule_page  # noqa: PLC0415 (not for `--help`)

    have_own_rules(rules or ())
    if not is_known(rule):
        raise UnknownRuleError(f"There is no rule {rule}.", remedy="See `coai rules list`.")
    out = console()
    if out.is_terminal:
        from rich.markdown import Markdown  # noqa: PLC0415 (only for people)

        out.print(Markdown(rule_page(rule)))
    else:
        say(rule_page(rule))


def have_own_rules(more: Iterable[Path] = ()) -> None:
    """Have the user's own rules, and these, count in this process; say what is wrong with others.

    The current directory's own rules (`.coai/rules`) are not among them unless the user's settings
    trust it: they come with the code.
    """
    from coai_agents.application.audit.wishes import have, rule_places  # noqa: PLC0415 (as below)
    from coai_routing.settings.loading import load  # noqa: PLC0415 (not for `--help`)

    here = Path.cwd()
    places = rule_places(load(workspace_roots=[here]).settings.static, [here])
    for problem in have([*places, *(str(place) for place in more)]):
        say(f"{problem}\n", sys.stderr)


@commands.command("test")
def try_examples(*, rules: Places = None) -> None:
    """Try every rule on its own examples, your own rules on their valid and invalid snippets.

    Exit code 1 if one does not hold, or if a rule of your own is wrong.
    """
    from coai_agents.application.audit.rule_list import try_examples as tried_all  # noqa: PLC0415 (not for `--help`)

    have_own_rules(rules or ())
    tally = tried_all()
    for failure in tally.failures:
        console().print(failure)
    console().print(f"{tally.tried} examples, {len(tally.failures)} failures")
    if tally.failures or tally.problems:
        raise typer.Exit(1)


def page() -> str:
    """Return the page of all rules, `docs/rules.md`."""
    from coai_agents.application.audit.rule_list import WEAKNESS, built_in  # noqa: PLC0415 (not for `--help`)

    parts = [_HEADING]
    for concept, known in built_in():
        facts = [f"`{concept.severity.value}`", ", ".join(known)]
        facts += [f"[CWE-{number}]({WEAKNESS.format(number)})" for number in concept.cwe]
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
