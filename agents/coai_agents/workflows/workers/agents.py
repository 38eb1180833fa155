"""Steps that a model does: a role and a prompt of the plan's, and what is given as data.

The task is the plan's author's words; everything else goes through `untrusted` as data, so what a
file or another model says cannot give orders in its place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, create_model

from coai_agents.specialists.asking import NobodyError, Prompt
from coai_agents.specialists.untrusted import from_model
from coai_agents.workflows.definition.schema import AgentNode, DispatchNode, output_type
from coai_agents.workflows.definition.types import TEXT, Type, model_of
from coai_agents.workflows.engine.work import Done, StepFailedError
from coai_agents.workflows.journal.records import Usage
from coai_agents.workflows.workers.profiles import DEFAULT, Profile
from coai_agents.workflows.workers.proposals import EDITS
from coai_agents.workflows.workers.roles import roles
from coai_agents.workflows.workers.specialists import proposed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.specialists.asking import Asker, Said
    from coai_agents.tools.workspace import Folder
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.work import Task

GIVEN_CHARACTERS: Final = 12_000
"""Of all that an agent is given; each part has its share, so that none crowds out the others."""

MOST_PATHS: Final = 200
"""Files whose rules are looked up for a prompt; what may show more of them stays here."""

WRITING: Final = (
    "Write every file that changes as a whole, in a fenced block whose first line names it: "
    "```path: src/example.py. Write no file that stays as it is."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a model."""

    profile: Profile
    task: str
    about: str
    wanted: Type


def asked_by(task: Task, profiles: Mapping[str, Profile]) -> Asked:
    """Return what a step asks; raises `StepFailedError` for a profile that is gone."""
    node = task.node
    assert isinstance(node, AgentNode | DispatchNode)
    role = roles().get(node.role) if isinstance(node, AgentNode) and node.role else None
    name = task.profile or (role.profile if role is not None else DEFAULT)
    profile = profiles.get(name)
    if profile is None:
        raise StepFailedError(
            f"There is no profile {name}.", remedy="`coai profiles` shows them.", again=False
        )
    wanted = (output_type(node) or TEXT) if isinstance(node, AgentNode) else _names(node)
    words = [profile.system, "" if role is None else role.task.strip(), node.prompt or ""]
    if wanted == EDITS:
        words.append(WRITING)
    return Asked(profile, "\n\n".join(filter(None, words)), shown(task.given), wanted)


def shown(given: Mapping[str, Json]) -> str:
    """Return what a step is given as text, each part under its name and with its share of room."""
    parts = [
        (name, value if isinstance(value, str) else _plain(value)) for name, value in given.items()
    ]
    share = GIVEN_CHARACTERS // max(1, len(parts))
    return "\n\n".join(f"{name}:\n{_cut(text, share)}" for name, text in parts)


def _plain(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\n[{len(text) - most} more characters]"


async def ask(task: Task, profiles: Mapping[str, Profile], folder: Folder, asker: Asker) -> Done:
    """Ask a model for a step; raises `StepFailedError`."""
    asked = asked_by(task, profiles)
    profile = asked.profile
    limits = [each for each in (profile.most_usd, task.most_usd) if each is not None]
    wishing = asker.wishing(
        here=task.sensitive or len(task.paths) > MOST_PATHS,
        tier=profile.tier,
        seconds=profile.timeout,
        most_usd=min(limits, default=None),
    )
    if profile.alias is not None:
        wishing = wishing.wishing(alias=profile.alias)
    prompt = Prompt(
        profile.capability,
        asked.task,
        asked.about,
        max_tokens=profile.max_tokens,
        complexity=profile.complexity,
        paths=tuple(sorted(task.paths)),
    )
    try:
        return await _answered(prompt, asked, folder, wishing)
    except NobodyError as error:
        raise StepFailedError(error.message, remedy=error.remedy, unasked=True) from error


async def _answered(prompt: Prompt, asked: Asked, folder: Folder, asker: Asker) -> Done:
    temperature, wanted = asked.profile.temperature, asked.wanted
    if wanted.kind == "text" and not wanted.words:
        said = await asker.say(prompt, temperature=temperature)
        return _done(from_model(said.text).strip(), said)
    if wanted == EDITS:
        said = await asker.say(prompt, temperature=temperature)
        done = proposed(said.text, folder)
        return _done(done.output, said, done.notes)
    if wanted.kind == "any":
        said = await asker.say(prompt, temperature=temperature)
        return _done(_json_or_text(said.text), said)
    # A flat form is what small models fill in best, so what is no object is one's only field.
    form = model_of(wanted) if wanted.kind == "object" else _single(wanted)
    value, said = await asker.fill(prompt, form, temperature=temperature)
    output = value.model_dump(mode="json")
    return _done(output if wanted.kind == "object" else output["answer"], said)


def _single(wanted: Type) -> type[BaseModel]:
    inner = model_of(Type("object", fields=(("answer", wanted),)))
    return create_model("Answer", __base__=inner)


def _names(node: DispatchNode) -> Type:
    return Type("list", item=Type("text", words=node.among))


def _json_or_text(text: str) -> Json:
    """Return what a model wrote as JSON if it is some, within a fence or not; else as text."""
    plain = text.strip()
    if plain.startswith("```") and plain.endswith("```"):
        plain = plain.strip("`").partition("\n")[2]
    try:
        return json.loads(plain, parse_constant=_no_constant)
    except ValueError:
        return from_model(text).strip()


def _no_constant(name: str) -> Any:  # noqa: ANN401 - it never returns
    raise ValueError(name)


def _done(output: Json, said: Said, notes: tuple[str, ...] = ()) -> Done:
    usage = Usage(1, said.usage.prompt_tokens, said.usage.output_tokens, said.cost_usd)
    return Done(output, usage, said.model, said.local, notes)
