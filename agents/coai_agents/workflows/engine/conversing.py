"""Holding a conversation: each turn is a step of the run, so a kill costs no turn that was done.

Who speaks is decided by what was said, and that is in the journal: a process that takes the run
over comes to the same turns, finds them done, and asks for the first one that is not.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_agents.workflows.conversations.floor import (
    NOBODY,
    Ended,
    candidates,
    choice_type,
    in_turn,
    most_wanting,
)
from coai_agents.workflows.conversations.history import Message, Told, excerpt
from coai_agents.workflows.definition.schema import AgentNode, HumanNode
from coai_agents.workflows.engine.leaves import do_leaf
from coai_agents.workflows.engine.planning import Settled
from coai_agents.workflows.engine.waiting import answer_of
from coai_agents.workflows.engine.work import StepFailedError
from coai_agents.workflows.journal.records import StepEnd

if TYPE_CHECKING:
    from coai_agents.workflows.definition.schema import ConversationNode, Member, Voice
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.planning import Seen
    from coai_agents.workflows.engine.purse import Purse
    from coai_agents.workflows.engine.running import Running

ENOUGH: Final = "/end"
"""What the user answers to end a conversation."""

PASS: Final = "/pass"  # noqa: S105 - of a conversation
"""What the user answers who has nothing to say."""

_SPEAK: Final = (
    "You are {name}{others} about the question below. Give your own view in two or three "
    "sentences. Answer what was said last, and do not repeat it. Speak for nobody else."
)
_WISH: Final = (
    "You are {name}{others} about the question below. How much have you to add that nobody has "
    "said? Answer with a number from 0, nothing, to 10, something decisive is missing."
)
_MODERATE: Final = (
    "You lead a conversation. Say who speaks next: who can best bring the question on from what "
    "was said last.{end} The members: {members}."
)
_ENDING: Final = " If nothing is missing any more, say nobody."
_SUMMARISE: Final = (
    "Put `so_far` and the `messages` into one summary of at most ten lines for those who go on "
    "with the conversation: who holds what, what was agreed, what is open. Add nothing."
)
_CONCLUDE: Final = (
    "The conversation is over. Say what came of it: the answer to the question, what was agreed, "
    "and where the members differ. Add nothing of your own."
)


@dataclass
class Talk:
    """One conversation of a run."""

    running: Running
    node: ConversationNode
    step: str
    seen: Seen
    purse: Purse
    sensitive: bool = field(kw_only=True)
    _told: Told = field(init=False)
    _around: dict[str, Json] = field(init=False)
    _silent: set[str] = field(default_factory=set[str])
    """Members of the user's who had nothing to say since the last message."""
    _failed: list[str] = field(default_factory=list[str])
    """Why turns came to nothing, since the last message."""

    def __post_init__(self) -> None:
        """See what all members see."""
        self._told = Told(self.node.history)
        given = {name: self.seen.of(formula) for name, formula in self.node.given.items()}
        self._around = {"question": self.seen.of(self.node.topic), **given}

    async def held(self) -> Settled | None:
        """Hold the conversation to its end; None where it waits for the user.

        Raises `StepFailedError` where nobody could say anything.
        """
        ended = f"It had {self.node.max_turns} turns."
        for turn in range(1, self.node.max_turns + 1):
            speaker = await self._next(turn)
            if isinstance(speaker, Ended):
                ended = speaker.why
                break
            text = await self._spoken(speaker, turn)
            if text is None and speaker.human:
                return None
            if speaker.human and str(text).strip() == ENOUGH:
                ended = f"{speaker.name} ended it."
                break
            if text and self._is_new(text):
                self._hear(Message(speaker.name, text.strip()))
                await self._summarise(turn)
            elif text and not speaker.human:
                self._failed.append(f"{speaker.name} said what had been said.")
            elif speaker.human:
                self._silent.add(speaker.name)
            if len(self._failed) >= self._models:
                ended = f"Nobody could go on: {self._failed[-1]}"
                break
            if self._told.said and self._is_over(turn):
                ended = "What it was to go on until holds."
                break
        if not self._told.said:
            why = self._failed[-1] if self._failed else "Nobody said anything."
            raise StepFailedError(why, again=False)
        return await self._closed(ended)

    @property
    def _models(self) -> int:
        return sum(not member.human for member in self.node.members)

    def _hear(self, message: Message) -> None:
        self._told.said.append(message)
        self._silent.clear()
        self._failed.clear()

    def _is_new(self, text: str) -> bool:
        """Say whether something is said that nobody has said word for word: small models repeat."""
        plain = " ".join(text.casefold().split())
        return bool(plain) and all(
            plain != " ".join(each.text.casefold().split()) for each in self._told.said
        )

    def _is_over(self, turn: int) -> bool:
        last = self._told.said[-1].as_json()
        return bool(self.seen.also(iteration=turn, last=last).of(self.node.until))

    # ------------------------------------------------------------------- whose turn

    async def _next(self, turn: int) -> Member | Ended:
        node, said = self.node, self._told.said
        match node.turns:
            case "round_robin":
                return in_turn(node.members, turn)
            case "moderator":
                return await self._moderated(turn)
            case "volunteer":
                if turn == 1 and not node.members[0].human:
                    return node.members[0]
                wishes = await self._wishes(turn)
                if wishes is None:
                    return in_turn(candidates(node, said), turn)
                return most_wanting(node, said, wishes, frozenset(self._silent))

    async def _moderated(self, turn: int) -> Member | Ended:
        """Return whom the moderator names; who is next in turn where none could be asked."""
        may = candidates(self.node, self._told.said)
        wanted = choice_type(self.node, self._told.said)
        end = _ENDING if NOBODY in wanted["next"] else ""
        words = _MODERATE.format(end=end, members="; ".join(map(_introduced, may)))
        if len(may) == 1 and not end:
            return may[0]
        settled = await self._asked(
            f"{turn}/moderator", "moderator", self.node.moderator, words, wanted
        )
        named = settled.output["next"] if settled.state == "done" else ""
        if named == NOBODY:
            return Ended("The moderator closed it.")
        return next((each for each in may if each.name == named), in_turn(may, turn))

    async def _wishes(self, turn: int) -> dict[str, float] | None:
        """Return how much each model has to add; None where none of them could be asked."""
        may = [each for each in candidates(self.node, self._told.said) if not each.human]
        async with asyncio.TaskGroup() as group:
            tasks = {
                each.name: group.create_task(
                    self._asked(
                        f"{turn}/wishes/{each.name}",
                        each.name,
                        each,
                        _WISH.format(name=each.name, others=self._others(each)),
                        "number",
                    )
                )
                for each in may
            }
        done = {name: task.result() for name, task in tasks.items()}
        wishes = {name: float(one.output) for name, one in done.items() if one.state == "done"}
        return wishes if wishes or not may else None

    # ------------------------------------------------------------------ what is said

    async def _spoken(self, member: Member, turn: int) -> str | None:
        """Return what a member says; empty for nothing, None for a user who has yet to answer."""
        if member.human:
            node = HumanNode(kind="human", name=member.name, question=_question(member.name))
            step = f"{self.step}#{turn}/{member.name}"
            if (end := self.running.replay.ends.get(step)) is not None:
                return _heard(end.output)
            settled = await answer_of(self.running, node, step, self._given(member.hears))
            return None if settled is None else _heard(settled.output)
        words = _SPEAK.format(name=member.name, others=self._others(member))
        settled = await self._asked(
            f"{turn}/{member.name}", member.name, member, words, hears=member.hears
        )
        return str(settled.output) if settled.state == "done" else ""

    def _others(self, member: Member) -> str:
        names = [each.name for each in self.node.members if each.name != member.name]
        return f", talking with {', '.join(names)}" if names else ", thinking aloud"

    def _given(self, hears: int | None = None) -> dict[str, Json]:
        told = self._told
        given = {**self._around, "so_far": told.summary, "messages": told.shown(hears)}
        return {name: value for name, value in given.items() if value not in ("", None)}

    async def _asked(
        self,
        part: str,
        name: str,
        voice: Voice,
        words: str,
        output: Json = None,
        *,
        given: dict[str, Json] | None = None,
        hears: int | None = None,
    ) -> Settled:
        """Do a step of the conversation once; what fails is noted, and nobody is asked again."""
        step = f"{self.step}#{part}"
        if (end := self.running.replay.ends.get(step)) is not None:
            if end.state == "failed":
                self._failed.append(end.facts.error)
            return Settled(end.state, end.output)
        node = AgentNode(
            name=name,
            role=voice.role,
            prompt="\n\n".join(filter(None, (voice.prompt, words))),
            profile=voice.profile,
            output=output,
            retries=self.node.retries,
        )
        about = self._given(hears) if given is None else given
        try:
            return await do_leaf(
                self.running, node, step, about, sensitive=self.sensitive, purse=self.purse
            )
        except StepFailedError as error:
            self._failed.append(str(error))
            await self.running.ended(StepEnd(step, "failed", facts=error.facts()))
            return Settled("failed")

    # ------------------------------------------------------------- what comes of it

    async def _summarise(self, turn: int) -> None:
        told = self._told
        older = told.overflow()
        if not older:
            return
        summary = excerpt(told.summary, older)
        if told.bounds.summary == "model":
            shown = "\n\n".join(each.shown(told.bounds.characters) for each in older)
            given: dict[str, Json] = {"so_far": told.summary, "messages": shown}
            voice = self.node.conclusion or self.node.moderator
            settled = await self._asked(
                f"{turn}/summary", "summary", voice, _SUMMARISE, given=given
            )
            self._failed.clear()
            if settled.state == "done" and settled.output:
                summary = str(settled.output)
        told.summarised(summary)

    async def _closed(self, ended: str) -> Settled:
        told, conclusion = self._told, ""
        if self.node.conclusion is not None:
            settled = await self._asked("conclusion", "conclusion", self.node.conclusion, _CONCLUDE)
            conclusion = str(settled.output or "")
        output: Json = {
            "text": conclusion or "\n\n".join(each.shown(len(each.text)) for each in told.said),
            "ended": ended,
            "conclusion": conclusion,
            "summary": told.summary,
            "said": [each.as_json() for each in told.said],
        }
        # Nothing was asked for it: whoever takes the run over comes to the same.
        self.running.ended_soon(StepEnd(self.step, "done", output))
        return Settled("done", output)


def _introduced(member: Member) -> str:
    """Return a member as a moderator is told of it: by name and what it is there for."""
    about = member.role or (member.prompt or "").split("\n")[0][:100]
    return f"{member.name} ({'the user' if member.human else about})"


def _heard(answer: Json) -> str:
    return "" if str(answer).strip() == PASS else str(answer)


def _question(name: str) -> str:
    return f"What does {name} say? ({ENOUGH} ends the conversation, {PASS} passes.)"
