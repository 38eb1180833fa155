"""What who asks needs of a router, wherever it is: in this process, or in another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_routing.policy.question import Question
    from coai_routing.request import Delta
    from coai_routing.router.router import Routed


class Answers(Protocol):
    """Answers questions; `router.Router` does, and says what is raised."""

    async def answer(self, question: Question) -> Routed:
        """Return a whole answer."""
        ...

    def stream(self, question: Question) -> AsyncGenerator[Delta]:
        """Yield an answer as it comes, the whole reply at the end."""
        ...

    async def models(self, question: Question) -> tuple[str, ...]:
        """Return the names of the models that could answer, the best first; none is asked."""
        ...
