// Answers of the server for tests, like those of the real one.
import type { CompletionEvent, CompletionSwitches, Offer, Spending, Status } from "../src/protocol";

/** A suggestion of the model's. */
export function suggestion(): CompletionEvent {
  return {
    kind: "suggestion",
    uri: "file:///project/a%20b.py",
    line: 6,
    trigger: "automatic",
    elapsedMs: 183.4,
    origin: "model",
    backend: "embedded",
    model: "qwen2.5-coder-0.5b",
  };
}

/** The embedded engine, ready. */
export function offer(changes: Partial<Offer> = {}): Offer {
  return {
    name: "embedded",
    model: "qwen2.5-coder-0.5b",
    local: true,
    phase: "ready",
    speed: { prompt: 154, output: 50 },
    latencyMs: 190,
    why: "It keeps up.",
    ...changes,
  };
}

/** What was spent, without a budget unless one is given. */
export function spent(todayUsd: number, budgets: Partial<Spending> = {}): Spending {
  return {
    todayUsd,
    monthUsd: todayUsd,
    reservedUsd: 0,
    dailyBudgetUsd: null,
    monthlyBudgetUsd: null,
    ...budgets,
  };
}

/** A machine without a model, whose completions a cloud model writes. */
export function inTheCloud(changes: Partial<Status> = {}): Status {
  return status({
    model: "far-away-1",
    backend: "cloud",
    local: false,
    detail: "It is ready and not on this machine.",
    missingModel: "qwen2.5-coder-0.5b",
    cloud: { allowed: true, ready: true, model: "far-away-1", detail: "", remedy: "" },
    candidates: [offer({ name: "cloud", model: "far-away-1", local: false, speed: null })],
    rejected: [offer({ phase: "off", why: "It is not on this machine yet.", remedy: "Fetch it." })],
    ...changes,
  });
}

/** A server that completes Python. */
export function status(
  changes: Partial<Status> = {},
  completion: Partial<CompletionSwitches> = {},
): Status {
  return {
    model: "qwen2.5-coder-0.5b",
    backend: "embedded",
    local: true,
    phase: "ready",
    detail: "",
    remedy: "",
    missingModel: null,
    privacyMode: false,
    candidates: [offer()],
    rejected: [],
    last: null,
    problems: [],
    cloud: {
      allowed: false,
      ready: false,
      model: null,
      detail: "Completions may not leave this machine.",
      remedy: "Set `completion.allow_cloud`.",
    },
    spending: spent(0),
    ...changes,
    completion: {
      enabled: true,
      language: "python",
      languageEnabled: true,
      snoozedSeconds: null,
      ...completion,
    },
  };
}
