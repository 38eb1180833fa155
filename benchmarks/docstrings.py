"""How true documentation is that COAI writes, and how well documentation is told that has aged.

    python -m benchmarks.docstrings --data FOLDER              # from signatures alone
    python -m benchmarks.docstrings --data FOLDER --model      # with the settings' model
    python -m benchmarks.docstrings --data FOLDER --rows 10    # the first ten of each language

`--data` is a folder with `humanevalpack_LANGUAGE.jsonl.gz`. Every function is documented as `coai
document` does it. Held to be true of each: it parses as before, the comment is in the language's
convention, it names each parameter and no other, and the code's tokens are the same. Then the
documentation is spoilt in four ways (a parameter dropped, renamed or invented, an exception
swapped), and it is counted which of these are told, and what is told of what was not spoilt.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.support.report import Bar, Report, options_parser, refuse, run
from coai_agents.source import Source
from coai_agents.specialists.asking import Asker
from coai_agents.specialists.documentation.agent import Documented, document, file_convention
from coai_agents.specialists.documentation.checking import whole
from coai_agents.specialists.documentation.comment import Described
from coai_agents.specialists.documentation.placing import placed
from coai_agents.specialists.documentation.reading import read
from coai_agents.specialists.documentation.signature import signature_of
from coai_agents.specialists.documentation.stale import stale_documentation
from coai_agents.specialists.edits import change, code_tokens, parses_no_worse
from coai_agents.syntax.definitions import FUNCTIONS, outline
from coai_agents.syntax.tree import parse
from coai_server.cli.agents.models import asker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.specialists.documentation.comment import DocComment
    from coai_agents.specialists.documentation.convention import Convention
    from coai_agents.specialists.documentation.signature import Signature
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

LANGUAGES: Final = {
    "python": "python",
    "js": "javascript",
    "java": "java",
    "go": "go",
    "cpp": "cpp",
    "rust": "rust",
}
STALE_FOUND: Final = 0.95
FALSE_ALARMS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Row:
    """A program, and the function of it that is documented."""

    source: Source
    entry: str


def main() -> int:
    """Measure; return the exit code."""
    parser = options_parser("docstrings", __doc__ or "")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the programs")
    parser.add_argument("--rows", type=int, default=0, help="so many of each language; 0 for all")
    parser.add_argument("--model", action="store_true", help="ask the model of the settings")
    options = parser.parse_args()
    if not (options.data / "humanevalpack_python.jsonl.gz").exists():
        return refuse(f"There is no humanevalpack_python.jsonl.gz in {options.data}.")
    return run(_measure(options))


async def _measure(options: Any) -> int:  # noqa: ANN401 - argparse's
    report = Report("Documentation of functions" + (", by a model" if options.model else ""))
    counts: Counter[str] = Counter()
    rows: list[tuple[str, ...]] = []
    asking = (
        asker(Path.cwd(), agent="benchmark", wanted=True, alias=None)
        if options.model
        else nullcontext(Asker())
    )
    async with asking as asked:
        for name, language in LANGUAGES.items():
            told: Counter[str] = Counter()
            for row in _rows(options.data, name, language, options.rows):
                told += await _documented(row, asked)
            rows.append((language, *(str(told[column]) for column in _COLUMNS)))
            counts += told
    report.table("Functions", ("language", *_COLUMNS), rows)
    report.table(
        "Documentation that was spoilt",
        ("how", "told", "of"),
        [(how, str(counts[f"told {how}"]), str(counts[f"spoilt {how}"])) for how in _SPOILT],
    )
    spoilt = sum(counts[f"spoilt {how}"] for how in _SPOILT)
    told_of = sum(counts[f"told {how}"] for how in _SPOILT)
    report.hold(
        Bar(
            "functions whose documentation is whole and whose code is the same",
            counts["true"] / max(1, counts["functions"]),
            1.0,
            at_least=True,
        ),
        Bar(
            "spoilt documentation that is told",
            told_of / max(1, spoilt),
            STALE_FOUND,
            at_least=True,
        ),
        Bar(
            "good documentation that is told",
            counts["false"] / max(1, counts["good"]),
            FALSE_ALARMS,
        ),
    )
    return report.finish(options)


_COLUMNS: Final = ("functions", "documented", "parses", "convention", "names", "code", "by model")
_SPOILT: Final = ("dropped", "renamed", "invented", "swapped")


def _rows(folder: Path, name: str, language: str, most: int) -> Iterator[Row]:
    with gzip.open(folder / f"humanevalpack_{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if most and number >= most:
                return
            row = json.loads(line)
            text = row["declaration"].lstrip("\n") + row["canonical_solution"]
            yield Row(Source(f"untitled:{number}", text, language), row["entry_point"])


async def _documented(row: Row, asked: Asker) -> Counter[str]:
    tree = parse(row.source)
    assert tree is not None
    found = _function(tree, row.entry)
    convention = file_convention(tree)
    counts = Counter(functions=1)
    if found is None or convention is None:
        return counts
    answer = await document(tree, found, convention, asked)
    if not isinstance(answer, Documented):
        return counts
    made = change(row.source, [answer.edit])
    again = parse(made.after)
    assert again is not None
    now = _function(again, row.entry)
    signature = None if now is None else signature_of(again, now)
    if now is None or signature is None or now.documentation is None:
        return counts
    comment = read(again.source.slice(now.documentation))
    holds = {
        "parses": parses_no_worse(row.source, made.after),
        "convention": file_convention(again) is convention,
        "names": not whole(signature, replace(comment, raises=answer.comment.raises)),
        "code": code_tokens(row.source) == code_tokens(made.after),
    }
    counts.update(name for name, held in holds.items() if held)
    counts.update(documented=1, true=int(all(holds.values())))
    counts["by model"] += answer.origin == "checked"
    counts += _aged(again, now, signature, answer.comment, convention)
    return counts


def _aged(
    tree: SyntaxTree,
    found: Definition,
    signature: Signature,
    comment: DocComment,
    convention: Convention,
) -> Counter[str]:
    counts = Counter(good=1)
    counts["false"] += any(stale_documentation(tree))
    for how, spoilt in _spoilt(signature, comment):
        edit = placed(tree, found, spoilt, convention)
        if edit is None:
            continue
        aged = parse(change(tree.source, [edit]).after)
        assert aged is not None
        counts[f"spoilt {how}"] += 1
        counts[f"told {how}"] += any(stale_documentation(aged))
    return counts


def _spoilt(signature: Signature, comment: DocComment) -> Iterator[tuple[str, DocComment]]:
    """Yield documentation that does not fit: as it is after somebody changed the code alone."""
    chance = random.Random(signature.name)
    known = list(comment.parameters)
    if len(known) > 1:
        left = known.copy()
        left.pop(chance.randrange(len(left)))
        yield "dropped", replace(comment, parameters=tuple(left))
    if known:
        at = chance.randrange(len(known))
        other = [*known[:at], replace(known[at], name=f"old_{known[at].name}"), *known[at + 1 :]]
        yield "renamed", replace(comment, parameters=tuple(other))
        more = (*known, Described("unheard_of", "What is not there."))
        yield "invented", replace(comment, parameters=more)
    if comment.raises and signature.raises:
        swapped = (replace(comment.raises[0], name="LookupError"), *comment.raises[1:])
        yield "swapped", replace(comment, raises=swapped)


def _function(tree: SyntaxTree, name: str) -> Definition | None:
    functions = [each for each in outline(tree) if each.kind in FUNCTIONS]
    named = [each for each in functions if each.name.lower() == name.lower().replace("_", "")]
    exact = [each for each in functions if each.name == name]
    return next(iter([*exact, *named, *functions[-1:]]), None)


if __name__ == "__main__":
    sys.exit(main())
