"""What a resource must have, said once for every language that describes it.

A need lists places, `TYPE path`, of CloudFormation (`AWS::RDS::DBInstance StorageEncrypted`) and of
Terraform (`aws_db_instance storage_encrypted`), and what must be there. Clauses are made of it, and
their examples, since both follow from the place and from what must be there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from coai_agents.analysis.findings.findings import Severity  # noqa: TC001 - pydantic needs it
from coai_agents.analysis.rules.rules import RuleModel

if TYPE_CHECKING:
    from collections.abc import Iterator

Must = Literal[
    "be on", "be off", "be there", "be", "not be", "not be on", "not be off", "not default to"
]

_ON: Final = r'(?i)^"?(?:true|yes|on|1)"?$'
_OFF: Final = r'(?i)^"?(?:false|no|off|0)"?$'
_PLACE: Final = re.compile(r"^[\w:]+ [\w*.-]+(?:/[\w*.-]+)*$")


class Need(RuleModel):
    """One demand on a value of some resources."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    severity: Severity | None = None
    message: str = ""
    must: Must
    """`be ...` is a finding too where there is no such value; `not be ...` only where there is one,
    `not default to` for a value that counts where none is named."""
    values: tuple[str, ...] = ()
    """Those that the value must or must not be."""
    places: tuple[str, ...] = Field(min_length=1)

    @field_validator("places")
    @classmethod
    def _are_places(cls, places: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [each for each in places if not _PLACE.match(each)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not `TYPE path`")
        return places

    @model_validator(mode="after")
    def _has_values(self) -> Need:
        if (self.must in {"be", "not be", "not default to"}) != bool(self.values):
            raise ValueError(f"`must = {self.must!r}` and `values` do not fit")
        return self

    def clauses(self) -> Iterator[dict[str, object]]:
        """Yield the fields of a clause for each place."""
        wrong, test = self._test()
        for place in self.places:
            type_, _, path = place.partition(" ")
            cloudformation = "::" in type_
            written = _cloudformation if cloudformation else _terraform
            right = self._right()
            yield {
                "rule": self.rule,
                "severity": self.severity,
                "message": self.message,
                "formats": ["cloudformation" if cloudformation else "terraform"],
                "type": re.escape(type_),
                "at": _pattern(f"Properties/{path}" if cloudformation else path),
                **test,
                "bad": written(type_, path, wrong),
                "good": written(type_, path, right),
            }

    def _test(self) -> tuple[str, dict[str, object]]:
        """Return a value that is wrong, empty where it is the lack of one, and how it shows."""
        some = rf'^"?(?:{"|".join(map(re.escape, self.values))})"?$'
        tests: dict[Must, tuple[str, dict[str, object]]] = {
            "be on": ("false", {"not_value": _ON, "absent": True}),
            "be off": ("true", {"not_value": _OFF, "absent": True}),
            "be there": ("", {"absent": True}),
            "be": ("else", {"not_value": some, "absent": True}),
            "not be": ("".join(self.values[:1]), {"value": some}),
            "not default to": ("", {"value": some, "absent": True}),
            "not be on": ("true", {"value": _ON}),
            "not be off": ("false", {"value": _OFF}),
        }
        return tests[self.must]

    def _right(self) -> str:
        right: dict[Must, str] = {"be on": "true", "not be off": "true"}
        if self.must == "be":
            return self.values[0]
        return right.get(self.must, "false" if self.must in {"be off", "not be on"} else "else")


def _pattern(path: str) -> str:
    return "/".join(each if each == "*" else re.escape(each) for each in path.split("/"))


def _cloudformation(type_: str, path: str, value: str) -> str:
    lines = ["Resources:", "  R:", f"    Type: {type_}"]
    indent, listed = 6, ""
    if value:
        lines.append("    Properties:")
        *steps, last = path.split("/")
        for step in steps:
            if step == "*":
                listed = "- "
                continue
            lines.append(f"{' ' * indent}{listed}{step}:")
            indent, listed = indent + 2 + len(listed), ""
        said = f"- {value}" if last == "*" else f"{listed}{last}: {value}"
        lines.append(f"{' ' * indent}{said}")
    return "\n".join(lines) + "\n"


def _terraform(type_: str, path: str, value: str) -> str:
    *blocks, last = path.split("/") if value else ("",)
    said = value if value in {"true", "false"} else f'"{value}"'
    opened = "".join(f"{each} {{\n" for each in blocks)
    inner = f"{last} = {said}\n" if value else ""
    return f'resource "{type_}" "r" {{\n{opened}{inner}{"}" * len(blocks)}\n}}\n'
