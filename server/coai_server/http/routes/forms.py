"""What the forms of our own routes have in common."""

import json
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict


class Asked(BaseModel):
    """What is asked for; what is not known is refused, and nothing is made fit."""

    model_config = ConfigDict(strict=True, extra="forbid")


def _whole(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return 1.0 as 1: JSON has one kind of numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE: Final = BeforeValidator(_whole)
"""For whole numbers, however they are written; it goes behind the bounds, so that these are in the
document."""


def _sayable(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Refuse what is no text in any encoding: halves of surrogate pairs."""
    json.dumps(value, ensure_ascii=False).encode()
    return value


Given = Annotated[Any, AfterValidator(_sayable)]
"""JSON, of the type that an ensemble takes."""
