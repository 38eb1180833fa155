"""Settings in the environment: variables `COAI_SECTION__NAME`, and those of a `.env` file.

`COAI_COMPLETION__MAX_TOKENS=64` sets `completion.max_tokens`. Lists and tables are JSON. Each
variable is a layer by itself, so that one that cannot be read takes no other with it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from coai_routing.settings.layers import CheckedLayer, Origin, Problem, RawLayer, check_layer
from coai_routing.settings.schema import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

PREFIX = "COAI_"
DELIMITER = "__"
ENV_FILE_VARIABLE = f"{PREFIX}ENV_FILE"
"""Names a file in the form of `.env` that the user trusts, wherever it lies."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable and where it is set."""

    name: str
    text: str
    origin: Origin


def setting_variables(variables: Iterable[Variable]) -> list[Variable]:
    """Return the variables that set something, those of whole sections before single values."""
    ours = (
        variable
        for variable in variables
        if variable.name.upper().startswith(PREFIX)
        and variable.name.upper() != ENV_FILE_VARIABLE
        and variable.text.strip()
    )
    return sorted(ours, key=lambda variable: (variable.name.count(DELIMITER), variable.name))


def check_variables(variables: Iterable[Variable], *, trusted: bool = True) -> CheckedLayer:
    """Check variables, each by itself; of two for one setting the later one counts."""
    checked = CheckedLayer()
    for variable in variables:
        one = _check_variable(variable, trusted=trusted)
        checked.values.update(one.values)
        checked.problems.extend(one.problems)
        checked.entries.update(one.entries)
    return checked


def _check_variable(variable: Variable, *, trusted: bool) -> CheckedLayer:
    # Imported late: it takes a quarter of a second, and most environments set nothing.
    from pydantic_settings import SettingsError  # noqa: PLC0415

    try:
        values = _reader()({variable.name.lower(): variable.text})
    except (SettingsError, RecursionError):
        values = {}
    if not values:
        # No setting, or no JSON where a list or table should be: the check will say which.
        name = variable.name.lower().removeprefix(PREFIX.lower()).replace(DELIMITER, ".")
        values = {name: variable.text}
    raw = RawLayer(values, lambda _: variable.origin, trusted=trusted, is_text=True)
    return check_layer(raw)


@cache
def _reader() -> Callable[[Mapping[str, str]], dict[str, Any]]:
    """Return what makes nested values of variables whose names are in small letters."""
    from pydantic_settings import BaseSettings, EnvSettingsSource  # noqa: PLC0415 - as above

    class EnvironmentSettings(Settings, BaseSettings):
        """The settings, as the class that reads the environment wants them."""

    def read(variables: Mapping[str, str]) -> dict[str, Any]:
        source = EnvSettingsSource(
            EnvironmentSettings,
            case_sensitive=False,
            env_prefix=PREFIX,
            env_nested_delimiter=DELIMITER,
        )
        source.env_vars = variables
        return source()

    return read


def read_env_file(text: str, place: Callable[[int], Origin]) -> tuple[list[Variable], CheckedLayer]:
    """Return the variables of a `.env` file, and a layer with the problems of its broken lines.

    `place` gives the origin for a line, from 1. References such as `${HOME}` stay as they are: a
    file that comes with code must not be able to copy the user's variables into settings.
    """
    from dotenv.parser import parse_stream  # noqa: PLC0415 - as above

    variables: list[Variable] = []
    broken = CheckedLayer()
    for binding in parse_stream(io.StringIO(text)):
        statement = binding.original.string
        blank = len(statement) - len(statement.lstrip())
        origin = place(binding.original.line + statement.count("\n", 0, blank))
        if binding.key is not None and binding.value is not None:
            variables.append(Variable(binding.key, binding.value, origin))
        elif binding.error and PREFIX in statement.upper():
            broken.problems.append(Problem("", "this line is not NAME=value", origin))
    return variables, broken
