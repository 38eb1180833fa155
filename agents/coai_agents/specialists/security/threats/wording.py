"""A few sentences of a model about a threat model's facts; it adds none of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.specialists.answers import Origin, Statement
from coai_agents.specialists.asking import Prompt
from coai_agents.specialists.security.threats.model import STRIDE, elements
from coai_agents.specialists.words import all_words, names_in, sentences
from coai_routing.request import Capability

if TYPE_CHECKING:
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.security.threats.model import ThreatModel

TASK: Final = (
    "You summarise a threat model for the developers of the program. In at most four short "
    "sentences say which open flows matter most and why. Use only what is listed. Write names of "
    "files in backticks. Do not repeat the list."
)

MOST_SENTENCES: Final = 4
MOST_FACTS: Final = 20


async def worded(model: ThreatModel, asker: Asker) -> tuple[list[Statement], str]:
    """Return what a model says of it as far as every name in it is known, and why there is none."""
    facts = _facts(model)
    if not facts or asker.absent is not None:
        return [], asker.absent or ""
    paths = tuple(dict.fromkeys(each.sink.path for each in model.flows))[:MOST_FACTS]
    prompt = Prompt(
        Capability.SECURITY_ANALYSIS, TASK, "\n".join(facts), max_tokens=200, paths=paths
    )
    words = await all_words(prompt, asker)
    kept, dropped = sentences(words, names_in("\n".join(facts)), MOST_SENTENCES)
    said = [Statement(each, Origin.MODEL, words.model) for each in kept]
    why = words.why or (
        f"{dropped} of the model's sentences spoke of what is not there." if dropped else ""
    )
    return said, why


def _facts(model: ThreatModel) -> list[str]:
    actors = elements().actors
    return [
        f"- {actors.get(each.actor, 'anybody')} may harm: {each.asset.title} "
        f"({', '.join(STRIDE[letter].lower() for letter in each.asset.stride)}); open at "
        f"{', '.join(str(flow.sink) for flow in each.open[:3])}; "
        f"{len(each.open)} open, {len(each.guarded)} guarded"
        for each in model.threats()
        if each.open
    ][:MOST_FACTS]
