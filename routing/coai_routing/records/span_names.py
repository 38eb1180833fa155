"""The names that spans are given, in one table, of one version of the conventions.

Semantic conventions for generative AI of OpenTelemetry (github.com/open-telemetry/
semantic-conventions-genai): all of them are in development and may change, so whoever changes one
here changes `CONVENTIONS`, which every batch of spans names, too. What begins with `coai.` is ours.
"""

from __future__ import annotations

from typing import Final

CONVENTIONS: Final = "https://opentelemetry.io/schemas/gen-ai/0.1.0"
"""The schema URL of the instrumentation scope."""

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CONVERSATION: Final = "gen_ai.conversation.id"
WORKFLOW: Final = "gen_ai.workflow.name"
AGENT: Final = "gen_ai.agent.name"
TOOL: Final = "gen_ai.tool.name"
TOOL_CALL: Final = "gen_ai.tool.call.id"
TOOL_TYPE: Final = "gen_ai.tool.type"
ERROR: Final = "error.type"

CHAT: Final = "chat"
INVOKE_WORKFLOW: Final = "invoke_workflow"
INVOKE_AGENT: Final = "invoke_agent"
EXECUTE_TOOL: Final = "execute_tool"

CAPABILITY: Final = "coai.capability"
COST: Final = "coai.cost_usd"
FIRST_MS: Final = "coai.time_to_first_token_ms"
LOCAL: Final = "coai.local"
STEP: Final = "coai.step"
ATTEMPT: Final = "coai.attempt"
STATE: Final = "coai.run.state"
