"""The plans that there are: built in, the user's, the project's; the later one of a name counts.

A project is not trusted. Its plans count only in folders that the user trusts, and even then they
name no script, and no profile but those that the user has; of a plan that is not its own a project
may only make less (`narrows`): a tighter budget, fewer steps at a time, models of this machine.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coai_agents.workflows.definition.checking import every_node
from coai_agents.workflows.definition.known import Known
from coai_agents.workflows.definition.loading import load_document
from coai_agents.workflows.definition.located import read_document
from coai_agents.workflows.definition.schema import Budget, Plan, ScriptNode
from coai_agents.workflows.definition.types import is_object
from coai_agents.workflows.errors import PlanError, Problem, WorkflowError
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.workflows.definition.located import Document

Origin: TypeAlias = Literal["built in", "user", "project"]

BUILTIN: Final = Path(__file__).with_name("ensembles")
PROJECT_FOLDER: Final = Path(".coai", "ensembles")
MOST_BYTES: Final = 1_000_000
MOST_PLANS: Final = 500
"""Of one folder."""
_ENDINGS: Final = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Entry:
    """A plan's file."""

    name: str
    path: Path
    origin: Origin


class _Narrowing(BaseModel):
    """What a project says of a plan that is not its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    narrows: str = Field(min_length=1)
    budget: Budget = Budget()
    concurrency: int | None = Field(default=None, ge=1)
    sensitive: bool = False


class Library:
    """All plans of a user in a workspace."""

    def __init__(
        self,
        known: Known,
        *,
        user: Path | None = None,
        workspace: Path | None = None,
        trusted: Sequence[Path] = (),
    ) -> None:
        """Read nothing yet. `trusted` are the folders whose own plans count."""
        self._known = known
        self._user = user
        self._workspace = workspace
        self._project = None if workspace is None else _trusted_folder(workspace, trusted)
        self._loading: list[str] = []

    def entries(self) -> dict[str, Entry]:
        """Return every plan by its name, which is its file's; the project's win."""
        found: dict[str, Entry] = {}
        folders: list[tuple[Path | None, Origin]] = [
            (BUILTIN, "built in"),
            (self._user, "user"),
            (self._project, "project"),
        ]
        for folder, origin in folders:
            if folder is not None and folder.is_dir():
                for path in sorted(folder.iterdir())[:MOST_PLANS]:
                    if path.suffix in _ENDINGS:
                        found[path.stem] = Entry(path.stem, path, origin)
        return found

    def plan(self, name: str) -> Plan:
        """Return a plan by its name; raises `PlanError`, and `WorkflowError` for none."""
        entry = self.entries().get(name)
        if entry is None:
            raise WorkflowError(
                f"There is no ensemble {name}.", remedy="`coai ensembles list` shows them."
            )
        return self._loaded(entry)

    def file(self, path: Path) -> Plan:
        """Return the plan of a file that the user named; raises `PlanError` or `WorkflowError`."""
        inside = self._workspace is not None and path.resolve().is_relative_to(
            self._workspace.resolve()
        )
        return self._loaded(Entry(path.stem, path, "project" if inside else "user"))

    def _loaded(self, entry: Entry) -> Plan:
        within = () if entry.origin != "project" or self._workspace is None else (self._workspace,)
        try:
            content = read_file(entry.path, MOST_BYTES, within).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise WorkflowError(f"{entry.path} cannot be read: {error}.") from error
        document = read_document(content, str(entry.path))
        if is_object(document.value) and "narrows" in document.value:
            return self._narrowed(document, entry)
        if entry.name in self._loading:
            cycle = " -> ".join((*self._loading, entry.name))
            raise PlanError([Problem(document.file, 0, f"no cycle was expected: {cycle}")])
        self._loading.append(entry.name)
        try:
            plan = load_document(document, self._known_with_plans())
        finally:
            self._loading.pop()
        if entry.origin == "project":
            _refuse_what_projects_may_not(plan, document)
        return plan

    def _known_with_plans(self) -> Known:
        known = self._known

        def named(name: str) -> Plan | None:
            return self.plan(name) if name in self.entries() else None

        return Known(
            *(known.profiles, known.roles, known.specialists, known.tools, known.scripts), named
        )

    def _narrowed(self, document: Document, entry: Entry) -> Plan:
        try:
            wanted = _Narrowing.model_validate_json(json.dumps(document.value))
        except ValidationError as error:
            problems = [
                document.problem((str(each["loc"][0]),), f"{each['loc'][0]}: {each['msg']}")
                for each in error.errors(include_url=False)
            ]
            raise PlanError(problems) from error
        wider = Library(self._known, user=self._user)
        if wanted.narrows not in wider.entries():
            message = f"a plan of the user's or a built-in one was expected, not {wanted.narrows}"
            raise PlanError([document.problem(("narrows",), message)])
        plan = wider.plan(wanted.narrows)
        del entry
        most = plan.concurrency if wanted.concurrency is None else wanted.concurrency
        return plan.model_copy(
            update={
                "budget": _least(plan.budget, wanted.budget),
                "concurrency": min(plan.concurrency, most),
                "sensitive": plan.sensitive or wanted.sensitive,
            }
        )


def _least(one: Budget, other: Budget) -> Budget:
    """Return the tighter of two budgets, each part by itself."""
    least: dict[str, float] = {}
    for name in Budget.model_fields:
        given = [each for each in (getattr(one, name), getattr(other, name)) if each is not None]
        if given:
            least[name] = min(given)
    return Budget.model_validate(least)


def _refuse_what_projects_may_not(plan: Plan, document: Document) -> None:
    """Raise `PlanError` where a project's plan runs something of its own accord."""
    for nested in (plan, *plan.ensembles.values()):
        for node in every_node(nested.nodes):
            if isinstance(node, ScriptNode):
                message = f"a project's plan names no script, and {node.name} does"
                raise PlanError([document.problem(("nodes",), message)])


def _trusted_folder(workspace: Path, trusted: Sequence[Path]) -> Path | None:
    whole = workspace.resolve()
    if any(whole.is_relative_to(each.resolve()) for each in trusted):
        return whole / PROJECT_FOLDER
    return None
