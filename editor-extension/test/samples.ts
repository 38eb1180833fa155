// Answers of the server for tests, like those of the real one.
import type { CompletionEvent, CompletionSwitches, Offer, Status } from "../src/protocol";

/** A suggestion of the model's. */
export function suggestion(): CompletionEvent {
  return {
    kind: "suggestion",
    uri: "file:///work/a%20b.py",
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
    spentTodayUsd: 0,
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
