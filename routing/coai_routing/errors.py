"""Everything that can go wrong on this floor, as one tree.

An error's message says what happened, its remedy what the user does next; `str()` gives both.
"""

from __future__ import annotations


class CoaiError(Exception):
    """The root of COAI's own errors."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        """Return the message and, after it, the remedy."""
        return f"{self.message} {self.remedy}" if self.remedy else self.message


class SettingsError(CoaiError):
    """A settings file cannot be read at all."""


class ModelStoreError(CoaiError):
    """Weights could not be found, fetched or kept."""


class UnknownModelError(ModelStoreError):
    """The catalogue has no model of that name and no file is there either."""


class ModelNotPulledError(ModelStoreError):
    """The model is known, but its weights are not on this machine yet."""


class DownloadError(ModelStoreError):
    """Every source of a model failed; the message lists them."""


class NotEnoughSpaceError(ModelStoreError):
    """The disk has less free space than the weights need."""


class ModelFileError(ModelStoreError):
    """A weights file is broken, truncated, or no GGUF."""


class EngineError(CoaiError):
    """The embedded engine could not be started or kept running."""


class EngineGaveUpError(EngineError):
    """The embedded engine crashed too often and is not restarted any more."""


class ProviderError(CoaiError):
    """A model's backend failed. `provider` names the backend, as the user knows it."""

    def __init__(self, message: str, *, provider: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.provider = provider


class ProviderUnavailableError(ProviderError):
    """Nothing answers at the backend's address."""


class ProviderTimeoutError(ProviderError):
    """The backend did not answer within the request's deadline."""


class ProviderBusyError(ProviderError):
    """The backend is loading, overloaded, or limits the rate; `retry_after` is in seconds."""

    def __init__(
        self, message: str, *, provider: str, remedy: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, provider=provider, remedy=remedy)
        self.retry_after = retry_after


class ModelNotFoundError(ProviderError):
    """The backend does not have the model that was asked for."""


class AuthenticationError(ProviderError):
    """The backend refused the key, or wants one."""


class NoCreditError(ProviderError):
    """The vendor wants to be paid before it answers again."""


class OutOfMemoryError(ProviderError):
    """The backend has too little memory for the model or the context."""


class RequestRejectedError(ProviderError):
    """The backend understood the request and refused it: the request's fault, not the backend's.

    `parameters` are those that the backend names as wrong, apart from its words.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        remedy: str = "",
        parameters: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(message, provider=provider, remedy=remedy)
        self.parameters = parameters


class PromptTooLongError(RequestRejectedError):
    """The request exceeds the model's context window.

    `tokens` is how many the backend counted and `window` how many it takes; None where it does not
    say.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        remedy: str = "",
        tokens: int | None = None,
        window: int | None = None,
    ) -> None:
        super().__init__(message, provider=provider, remedy=remedy)
        self.tokens = tokens
        self.window = window


class BadReplyError(ProviderError):
    """The backend's reply is malformed, of the wrong content type, or not its protocol."""


class ReplyCutOffError(ProviderError):
    """The reply ended before its end; `partial` is the text that had arrived."""

    def __init__(self, message: str, *, provider: str, remedy: str = "", partial: str = "") -> None:
        super().__init__(message, provider=provider, remedy=remedy)
        self.partial = partial


class EgressRefusedError(ProviderError):
    """The request may not leave this machine and the backend is not on it."""


class StrangersServerError(EgressRefusedError):
    """The server is on this machine, but it is another user's, and the user did not agree to it."""


class LedgerError(CoaiError):
    """The local record of requests and suggestions cannot be read or written."""


class OverBudgetError(ProviderError):
    """The backend costs money, and the budget leaves too little."""


class NoAnswerError(CoaiError):
    """No model could answer; `reasons` say for each why not."""

    def __init__(self, message: str, *, remedy: str = "", reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message, remedy=remedy)
        self.reasons = reasons

    def explanation(self) -> str:
        """Return the honest answer without a model: what could not be done, why, what to do."""
        lines = [self.message, *(f"- {reason}" for reason in self.reasons), self.remedy]
        return "\n".join(line for line in lines if line)


class BudgetExceededError(NoAnswerError):
    """Only models that cost money could answer, and the budget leaves too little."""


class StaysHereError(NoAnswerError):
    """The request is sensitive, and no model on this machine could answer it."""


class DeadlineError(NoAnswerError):
    """The deadline passed before any model had answered."""


class InvalidAnswerError(CoaiError):
    """A model's answer is not of the form that was asked for; `answer` is what it said."""

    def __init__(self, message: str, *, remedy: str = "", answer: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.answer = answer


class EgressLogError(CoaiError):
    """The log of what leaves this machine cannot be used, so nothing may leave."""


class BooksError(CoaiError):
    """What model calls cost can be neither read nor written."""
