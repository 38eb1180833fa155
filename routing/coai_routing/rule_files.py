"""Reading rules that are kept as data: TOML, validated by the model that they make."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from coai_routing.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

_Rules = TypeVar("_Rules", bound=BaseModel)


def read_rules(path: Path, rules: type[_Rules]) -> _Rules:
    """Read and validate rules. Raises SettingsError that names the file and the key."""
    try:
        return rules.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"]))
        raise SettingsError(f"{path}: {key}: {problem['msg']}.") from error
