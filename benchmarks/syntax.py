"""What a keystroke costs in `coai_agents.source` and `coai_agents.syntax`: medians in milliseconds.

Run it with `python benchmarks/syntax.py`. The files are made of a dozen lines each time with other
names, in Python and TypeScript, without and with characters outside of ASCII.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from coai_agents.source import Edit, Encoding, Position, Source, Span
from coai_agents.syntax import (
    completion_extent,
    enclosing_block,
    enclosing_function,
    grammar_for,
    identifiers_near,
    imports,
    in_comment,
    in_string,
    open_brackets,
    outline,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PYTHON = '''\
class Account{n}(Base):
    """An account{mark} of one customer."""

    def __init__(self, owner: str, balance: int = {n}) -> None:
        self.owner = owner
        self.history: list[tuple[str, int]] = []

    def withdraw(self, amount: int) -> int:
        # Nothing is lent{mark}.
        if amount > self.balance or amount < 0:
            raise ValueError(f"cannot withdraw {{amount}} from {{self.owner}}")
        self.history.append(("withdraw", amount))
        return self.balance - sum(part for _, part in self.history[:{n}])

'''

TYPESCRIPT = """\
/** An account{mark} of one customer. */
export class Account{n} extends Base implements Owned {{
  private history: Array<[string, number]> = [];

  constructor(readonly owner: string, public balance = {n}) {{
    super(owner);
  }}

  async withdraw(amount: number): Promise<number> {{
    // Nothing is lent{mark}.
    if (amount > this.balance) {{
      throw new Error(`cannot withdraw ${{amount}}`);
    }}
    return this.history.slice(0, {n}).reduce((sum, [, part]) => sum + part, 0);
  }}
}}

"""

SUGGESTIONS = {
    "python": "for part in self.history:\n            print(part, amount)\n        return amount\n",
    "typescript": "for (const part of this.history) {\n      log(part, amount);\n    }\n",
}


def document(template: str, lines: int, mark: str) -> str:
    """Return a file of about so many lines."""
    copies = lines // template.count("\n")
    return "import os, sys\n" * (template is PYTHON) + "".join(
        template.format(n=number, mark=mark) for number in range(copies)
    )


def timed(run: Callable[[], object], times: int = 30) -> float:
    """Return the median of a call's time in milliseconds."""
    spent: list[float] = []
    for _ in range(times):
        started = perf_counter()
        run()
        spent.append((perf_counter() - started) * 1_000)
    return median(spent)


def measure(language: str, text: str) -> list[tuple[str, float]]:
    """Return the figures for one file, with the cursor in its middle."""
    source = Source("file:///benchmark", text, language)
    tree = parse(source)
    assert tree is not None
    line = source.line_count // 2
    while "amount > " not in source.line_text(line):
        line += 1
    place = Position(line, len(source.line_text(line)) - 2)
    offset = source.offset_at(place, Encoding.UTF_16)
    typed = source.apply(Edit(Span(offset, offset), "x"))
    # As a document that was typed in for a while: its table of lines is in two parts.
    source_typed = typed.apply(Edit(Span(offset, offset + 1), ""))
    start = source.line_start(line)
    start += len(source.line_text(line)) - len(source.line_text(line).lstrip())
    suggestion = SUGGESTIONS[language]

    def keystroke() -> Source:
        at = source_typed.offset_at(place, Encoding.UTF_16)
        return source_typed.apply(Edit(Span(at, at), "x"), version=2)

    def line_break() -> Source:
        return source_typed.apply(Edit(Span(start, start), "\n"), version=2)

    return [
        ("open the document", timed(lambda: Source("file:///benchmark", text, language))),
        ("apply a keystroke", timed(keystroke)),
        ("apply a line break", timed(line_break)),
        ("parse from nothing", timed(lambda: parse(source), 10)),
        ("parse after a keystroke", timed(lambda: parse(keystroke(), tree))),
        ("parse after a line break", timed(lambda: parse(line_break(), tree))),
        (
            "in_comment and in_string",
            timed(lambda: in_comment(tree, offset) | in_string(tree, offset)),
        ),
        ("enclosing_block", timed(lambda: enclosing_block(tree, offset))),
        ("enclosing_function", timed(lambda: enclosing_function(tree, offset))),
        ("open_brackets", timed(lambda: open_brackets(tree, offset))),
        ("identifiers_near, 2,000", timed(lambda: identifiers_near(tree, offset, 2_000))),
        ("completion_extent, whole", timed(lambda: completion_extent(tree, start, suggestion))),
        (
            "completion_extent, partial",
            timed(lambda: completion_extent(tree, start, suggestion[:50])),
        ),
        ("outline", timed(lambda: outline(tree), 10)),
        ("imports", timed(lambda: imports(tree), 10)),
    ]


def main() -> None:
    """Print one table."""
    columns: list[tuple[str, dict[str, float]]] = []
    for language, template in (("python", PYTHON), ("typescript", TYPESCRIPT)):
        started = perf_counter()
        grammar_for(language)
        print(f"load the grammar of {language}: {(perf_counter() - started) * 1_000:.1f} ms")
        for lines in (300, 2_000):
            for mark in ("", " \N{EURO SIGN}\N{GRINNING FACE}"):
                text = document(template, lines, mark)
                title = f"{language[:2]} {lines}{' uni' if mark else ''}"
                columns.append((title, dict(measure(language, text))))
    print(f"{'median, ms':28}" + "".join(f"{title:>12}" for title, _ in columns))
    for name in columns[0][1]:
        print(f"{name:28}" + "".join(f"{figures[name]:12.3f}" for _, figures in columns))


if __name__ == "__main__":
    main()
