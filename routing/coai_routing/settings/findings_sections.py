"""The settings of what is said about code: findings, explanations, and who gives them."""

from typing import Annotated, Literal

from pydantic import Field

from coai_routing.settings.markers import RAISE_ENTRIES, Expected, NamesPlace, Towards
from coai_routing.settings.router_sections import Section
from coai_routing.settings.types import AbsolutePath

SeverityName = Literal["hint", "information", "warning", "error"]

ConfidenceName = Literal["low", "medium", "high"]

_LESS_SAID = Towards("choose what does less", order=("full", "local", "cached", "off"))

_LESS_TRIAGE = Towards("choose what does less", order=("full", "local", "heuristics", "off"))

_RULES = Expected(
    'a list of rules such as ["weak-hash"], weaknesses such as "cwe-327", or "security", '
    '"correctness", "performance" and "*"'
)

_SEVERITIES = Expected('a table of rules or groups and severities, such as { "cwe-327" = "hint" }')


class StaticSettings(Section):
    """Findings without a model: when they are looked for, and which are shown."""

    enabled: bool = Field(
        default=True, description="Whether files are looked through for what is wrong in them."
    )
    workspace: bool = Field(
        default=True,
        description=(
            "Whether files that are not open are looked through too, where the editor asks for "
            "that. VS Code does not: there the workspace is audited by a command."
        ),
    )
    minimum_severity: SeverityName = Field(
        default="hint", description="The least severity that is shown."
    )
    confidence: ConfidenceName = Field(
        default="medium",
        description=(
            "How sure a finding is at least that the editor shows. `low` shows also what may do "
            "harm although it is not known who decides the value. `coai audit` has `--confidence` "
            "instead."
        ),
    )
    disabled: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], _RULES] = Field(
        default=(),
        description=(
            "Rules that are off: by id, by weakness (`cwe-327`), by group (`security`, "
            "`correctness`, `performance`), or all (`*`)."
        ),
    )
    severity: Annotated[dict[str, SeverityName], _SEVERITIES] = Field(
        default={},
        description=(
            "How severe the findings of a rule, a weakness or a group are; the most particular "
            "name counts."
        ),
    )
    at_least: Annotated[dict[str, SeverityName], RAISE_ENTRIES, _SEVERITIES] = Field(
        default={},
        description=(
            "How severe the findings of a rule, a weakness or a group are at least, unless the "
            "rule is off."
        ),
    )
    triage: Annotated[Literal["off", "heuristics", "local", "full"], _LESS_TRIAGE] = Field(
        default="heuristics",
        description=(
            "What may lower a finding's severity after it is shown: nothing (`off`), what the code "
            "around it does (`heuristics`), a model on this machine as well (`local`), or any "
            "model that the other settings allow (`full`). Nothing is ever taken away."
        ),
    )
    rules: Annotated[tuple[AbsolutePath, ...], Expected("a list of absolute paths")] = Field(
        default=(),
        description=(
            "Folders or files with rules of your own in ast-grep's YAML, besides the folder "
            "`rules` beside the user file."
        ),
    )
    trusted_workspaces: Annotated[
        tuple[AbsolutePath, ...], Expected("a list of absolute paths")
    ] = Field(
        default=(),
        description=(
            "Folders whose own rules, `.coai/rules/*.yml`, count, as those of a workspace do that "
            "VS Code says is trusted."
        ),
    )


class ExplanationSettings(Section):
    """What models say of code without being asked for it."""

    hover: Annotated[Literal["off", "cached", "local", "full"], _LESS_SAID] = Field(
        default="local",
        description=(
            "Whether a hover explains a function below the facts: `off`, only what was explained "
            "before (`cached`), by a model on this machine (`local`), or by any model that the "
            "other settings allow (`full`)."
        ),
    )


class ChallengerSettings(Section):
    """A model that is tried on a part of the requests, to be held against the router's choice."""

    model: Annotated[str | None, Field(min_length=1)] = Field(
        default=None,
        description=(
            "The alias of a model (`coai route models`) that specialists ask first now and then. "
            "It sees no more than other models may; `coai stats --agents` shows how it did. Not "
            "set, there is none."
        ),
    )
    share: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="The share of the answers that it is asked for first, from 0 to 1.",
    )


class AgentSettings(Section):
    """The specialists in the editor, and how they are compared."""

    lenses: bool = Field(
        default=False,
        description=(
            "Whether functions have links above them to document and to explain them. What a "
            "profile that you load says of a function is shown in any case."
        ),
    )
    test_command: Annotated[str, NamesPlace()] = Field(
        default="",
        description=(
            "Your tests, as you type them in a project's folder. `coai run` and `coai runs apply` "
            "use them where `--test` names no others: changes that a run proposes stay only if "
            "they pass."
        ),
    )
    challenger: ChallengerSettings = ChallengerSettings()
