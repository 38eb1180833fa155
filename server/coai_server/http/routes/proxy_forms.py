"""The forms of OpenAI's API, as far as it is spoken here.

https://platform.openai.com/docs/api-reference
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from coai_routing.request import Message, ModelReply
from coai_server.http.routes.forms import WHOLE

MOST_TOKENS: Final = 32_768
CHAT_TOKENS: Final = 1_024
COMPLETION_TOKENS: Final = 128
"""What is written at most where nothing is said of it."""
ANY_MODEL: Final = ("auto", "coai")
"""The names that leave it to the router which model answers."""


Limit = Annotated[int, Field(ge=1, le=MOST_TOKENS), WHOLE]


class _Asked(BaseModel):
    """What OpenAI's API takes and has no meaning here is left unread, as its clients expect."""

    model_config = ConfigDict(strict=True)


class TextPart(_Asked):
    """A part of a message."""

    type: Literal["text"]
    text: str


class ChatMessage(_Asked):
    """One turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def message(self) -> Message:
        """Return it as models are asked."""
        said = self.content
        text = said if isinstance(said, str) else "".join(part.text for part in said)
        role = "system" if self.role == "developer" else self.role
        return Message(role=role, content=text)


class JsonSchema(_Asked):
    """A schema that an answer has to have."""

    name: str = "reply"
    schema_: dict[str, Any] = Field(alias="schema")


class ResponseFormat(_Asked):
    """The form of an answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    def schema_of(self) -> dict[str, Any] | None:
        """Return the schema that is wanted, if one is."""
        if self.type == "json_object":
            return {"type": "object"}
        if self.type == "json_schema" and self.json_schema is not None:
            return self.json_schema.schema_
        return None


class StreamOptions(_Asked):
    """What a stream tells besides the answer."""

    include_usage: bool = False


class _Wishes(_Asked):
    """What both kinds of requests may say."""

    model: str = Field(default="auto", description="`auto`, or an alias that GET /v1/models lists.")
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)
    stop: str | list[str] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = 1

    def stops(self) -> tuple[str, ...]:
        """Return what ends an answer."""
        said = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(each for each in said if each)


class ChatRequest(_Wishes):
    """A conversation to go on with."""

    messages: list[ChatMessage] = Field(min_length=1)
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    response_format: ResponseFormat | None = None
    tools: list[Any] | None = Field(
        default=None, max_length=0, description="Tools of the client's are not called here."
    )


class CompletionRequest(_Wishes):
    """A text to go on with, or a hole in it where there is a suffix."""

    prompt: str
    suffix: str | None = Field(
        default=None, description="What stands after the hole; the answer is what fills it."
    )
    max_tokens: Limit | None = None


class PromptDetails(BaseModel):
    """Of the prompt's tokens."""

    cached_tokens: int


class TokenUsage(BaseModel):
    """Tokens of a call."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails


class AnswerMessage(BaseModel):
    """What a model said."""

    role: Literal["assistant"] = "assistant"
    content: str


class ChatChoice(BaseModel):
    """The answer, of which there is one."""

    index: int = 0
    message: AnswerMessage
    finish_reason: Literal["stop", "length"]


class ChatAnswer(BaseModel):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: TokenUsage


class TextChoice(BaseModel):
    """The text, of which there is one."""

    index: int = 0
    text: str
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


class TextAnswer(BaseModel):
    """A whole text."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[TextChoice]
    usage: TokenUsage


class ModelRow(BaseModel):
    """A model that can be named."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "coai"


class ModelList(BaseModel):
    """The models that can be named."""

    object: Literal["list"] = "list"
    data: list[ModelRow]


def finish_of(reply: ModelReply) -> Literal["stop", "length"]:
    """Return why an answer ended, in OpenAI's words."""
    return "length" if reply.finish == "length" else "stop"


def usage_of(reply: ModelReply) -> TokenUsage:
    """Return a call's tokens in OpenAI's words."""
    used = reply.usage
    return TokenUsage(
        prompt_tokens=used.prompt_tokens,
        completion_tokens=used.output_tokens,
        total_tokens=used.prompt_tokens + used.output_tokens,
        prompt_tokens_details=PromptDetails(cached_tokens=used.cached_tokens),
    )
