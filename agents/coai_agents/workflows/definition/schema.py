"""The schema of plans: what a workflow is made of, as frozen values that know no engine.

A plan is written in YAML or JSON or made of these values by a program; all three are the same
plan. Expressions and types are kept as they were written, and have been parsed once when a value
of this module exists.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from coai_agents.workflows.definition.expressions import parse
from coai_agents.workflows.definition.types import Type, read_type

if TYPE_CHECKING:
    from typing import Self

MOST_NODES: Final = 200
"""Of one plan, those in loops included."""

MOST_ITERATIONS: Final = 100
MOST_REVISIONS: Final = 10
MOST_ATTEMPTS: Final = 10
MOST_TURNS: Final = 200
MOST_MEMBERS: Final = 20
WEEK: Final = 7 * 24 * 3600.0

RESERVED: Final = frozenset(
    (
        *("true", "false", "null", "and", "or", "not", "in"),
        *("length", "lower", "status", "exists"),
        *("input", "item", "index", "last", "best", "iteration", "feedback"),
    )
)
"""What an expression means by itself; no node has such a name."""

expression_of = functools.lru_cache(4096)(parse)
"""Parse an expression once."""


def _name(text: str) -> str:
    if text in RESERVED:
        raise ValueError(f"a name other than {text} was expected: expressions use that word")
    return text


def _expression(text: str) -> str:
    parse(text)
    return text


def _type(spec: Any) -> Any:  # noqa: ANN401 - what JSON can say
    read_type(spec)
    return spec


def _type_or_none(spec: Any) -> Any:  # noqa: ANN401 - as above
    return None if spec is None else _type(spec)


Name: TypeAlias = Annotated[
    str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"), AfterValidator(_name)
]
Label: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
"""What a node calls something that it is given."""
Formula: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_expression)]
TypeSpec: TypeAlias = Annotated[Any, AfterValidator(_type)]
OptionalType: TypeAlias = Annotated[Any, AfterValidator(_type_or_none)]
Words: TypeAlias = Annotated[str, Field(min_length=1, max_length=20_000)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Budget(_Value):
    """What may be used up; what is not said has no bound of its own."""

    usd: float | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    calls: int | None = Field(default=None, ge=0)
    seconds: float | None = Field(default=None, gt=0)


class Retries(_Value):
    """How often a step is tried, and how long it waits in between (exponential backoff)."""

    attempts: int = Field(default=2, ge=1, le=MOST_ATTEMPTS)
    backoff: float = Field(default=0.5, ge=0, le=3600)
    """Seconds before the second attempt."""
    factor: float = Field(default=2.0, ge=1, le=10)
    most: float = Field(default=60.0, ge=0, le=WEEK)
    """Seconds that no wait exceeds."""

    def wait(self, attempt: int) -> float:
        """Return the seconds to wait after so many attempts."""
        return min(self.most, self.backoff * self.factor ** (attempt - 1))


class Fallback(_Value):
    """Try once more with another model profile."""

    profile: str = Field(min_length=1)


class Compensate(_Value):
    """Undo what was done by these nodes, in this order; the run fails then."""

    compensate: tuple[Name, ...] = Field(min_length=1)


class Revise(_Value):
    """Do again from a node on, at most so many times."""

    revise: Name
    times: int = Field(default=2, ge=1, le=MOST_REVISIONS)


class _Node(_Value):
    """What every node has."""

    name: Name
    description: str = ""
    depends_on: tuple[Name, ...] = ()
    when: Formula | None = None
    fan_out: Formula | None = None
    """A list: the node is done once for each `item`."""
    on_failure: Literal["fail", "skip"] | Fallback | Compensate = "fail"
    timeout: float | None = Field(default=None, gt=0, le=WEEK)
    """Seconds for one attempt."""
    retries: Retries = Retries(attempts=1)
    priority: int = Field(default=0, ge=-10, le=10)
    """Which step goes first where not all can be done at once."""
    cache: bool = False
    budget: Budget = Budget()
    sensitive: bool = False
    """Whether only models of this machine may see it."""


class _Giving(_Node):
    """A node that is given values by name and gives one of a type."""

    given: dict[Label, Formula] = {}
    """What it sees; without, the run's input and what it depends on."""
    output: OptionalType = None


class AgentNode(_Giving):
    """A model, by a specialist or by a role and a prompt of its own."""

    kind: Literal["agent"] = "agent"
    specialist: str | None = None
    role: str | None = None
    prompt: Words | None = None
    profile: str | None = None

    @model_validator(mode="after")
    def _has_a_task(self) -> Self:
        if self.specialist is not None and (self.role or self.prompt):
            raise ValueError("a specialist has a role and a prompt of its own; name one of them")
        if not (self.specialist or self.role or self.prompt):
            raise ValueError("a specialist, a role or a prompt was expected")
        return self


class ToolNode(_Giving):
    """One of the tools of COAI, each with a declared effect."""

    kind: Literal["tool"]
    tool: str = Field(min_length=1)


class ScriptNode(_Giving):
    """A program from the user's own folder of scripts, JSON in and JSON out."""

    kind: Literal["script"]
    script: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")


class EnsembleNode(_Node):
    """Another plan, with an input of its own."""

    kind: Literal["ensemble"]
    ensemble: str = Field(min_length=1)
    input: Formula = "input"


class LoopNode(_Node):
    """Nodes that are done again until something holds, at most so many times.

    They see `iteration` (from 1), `last` (what the iteration before gave) and `best`.
    """

    kind: Literal["loop"]
    nodes: tuple[Node, ...] = Field(min_length=1)
    result: Name
    """The node that says what an iteration gives."""
    until: Formula = "false"
    max_iterations: int = Field(ge=1, le=MOST_ITERATIONS)
    score: Formula | None = None
    """How good an iteration was; with it the loop gives its best one, not its last one."""
    patience: int | None = Field(default=None, ge=1)
    """Iterations without a better score after which it stops."""


class DispatchNode(_Giving):
    """Chooses nodes when the run is there, from a closed list; the others are skipped."""

    kind: Literal["dispatch"]
    among: tuple[Name, ...] = Field(min_length=1)
    choose: Formula | None = None
    """The name of a node, or a list of names."""
    prompt: Words | None = None
    profile: str | None = None

    @model_validator(mode="after")
    def _has_a_way_to_choose(self) -> Self:
        if (self.choose is None) == (self.prompt is None):
            raise ValueError("one of choose and prompt was expected")
        return self


class GateNode(_Node):
    """Checks what is there: it passes, has something revised, or stops the run."""

    kind: Literal["gate"]
    check: Formula
    otherwise: Literal["stop"] | Revise = "stop"
    feedback: Formula | None = None
    """What the revised nodes see as `feedback`."""


class HumanNode(_Node):
    """Asks a person and waits, for minutes or days."""

    kind: Literal["human"]
    question: Words
    choices: tuple[str, ...] = ()
    given: dict[Label, Formula] = {}


class Voice(_Value):
    """How a model speaks in a conversation: with a role, words of its own, or both."""

    role: str | None = None
    prompt: Annotated[str, Field(min_length=1, max_length=10_000)] | None = None
    profile: str | None = None


class Member(Voice):
    """Who takes part in a conversation: a model, or the user."""

    name: Name
    human: bool = False
    hears: int | None = Field(default=None, ge=0, le=1000)
    """The newest messages that it is told at most; without, as many as the history keeps."""

    @model_validator(mode="after")
    def _has_a_voice(self) -> Self:
        spoken = self.role or self.prompt
        if self.human and (spoken or self.profile):
            raise ValueError("the user has no role, prompt or profile here; leave them out")
        if not (self.human or spoken):
            raise ValueError("a role, a prompt or human: true was expected")
        return self


class History(_Value):
    """What the members of a conversation are told word for word; what is older is summarised."""

    messages: int = Field(default=12, ge=1, le=1000)
    characters: int = Field(default=4000, ge=200, le=100_000)
    summary: Literal["model", "excerpt"] = "model"
    """Who summarises: a model, or nobody, where the first sentences are kept as they are."""


class ConversationNode(_Node):
    """Members speak in turn about a topic; `until` sees `last` ({by, text}) and `iteration`."""

    kind: Literal["conversation"]
    topic: Formula = "input"
    given: dict[Label, Formula] = {}
    """What all members see from the beginning, beside the topic."""
    members: tuple[Member, ...] = Field(min_length=1, max_length=MOST_MEMBERS)
    turns: Literal["round_robin", "moderator", "volunteer"] = "round_robin"
    """Who speaks next: one after the other, whom a moderator names, or who has most to add."""
    max_turns: int = Field(ge=1, le=MOST_TURNS)
    until: Formula = "false"
    moderator: Voice = Voice()
    history: History = History()
    conclusion: Voice | None = None
    """Who says at the end what came of it."""


Node: TypeAlias = Annotated[
    AgentNode
    | ToolNode
    | ScriptNode
    | EnsembleNode
    | LoopNode
    | DispatchNode
    | GateNode
    | HumanNode
    | ConversationNode,
    Field(discriminator="kind"),
]
LoopNode.model_rebuild()


class Plan(_Value):
    """A workflow; `ensembles` are the plans that it needs, put in when it is loaded."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_. -]{0,99}$")
    description: str = ""
    input: TypeSpec = "text"
    nodes: tuple[Node, ...] = Field(min_length=1)
    result: Name | None = None
    """The node that says what the plan gives; without, all that nothing depends on."""
    budget: Budget = Budget()
    concurrency: int = Field(default=8, ge=1, le=64)
    """Steps at a time."""
    sensitive: bool = False
    ensembles: dict[str, Plan] = {}

    def as_json(self) -> str:
        """Return it as it is stored: whole, so that another version's defaults change nothing."""
        return self.model_dump_json()


def output_type(node: AgentNode | ToolNode | ScriptNode | DispatchNode) -> Type | None:
    """Return the type that a node says it gives; None where it says nothing."""
    return None if node.output is None else read_type(node.output)
