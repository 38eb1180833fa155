// What the server answers beside standard LSP: plain JSON, as ARCHITECTURE.md tells.

/** How far a backend is from answering. */
export type Phase = "off" | "starting" | "ready" | "failed";

/** Tokens a second, as measured on this machine. */
export interface Speed {
  readonly prompt: number;
  readonly output: number;
}

/** A model server that could complete. */
export interface Offer {
  readonly name: string;
  readonly model: string;
  readonly local: boolean;
  readonly phase: Phase;
  readonly speed: Speed | null;
  readonly latencyMs: number | null;
  /** Why it stands where it stands in the order. */
  readonly why: string;
  /** What would make it serve, where it does not. */
  readonly remedy?: string;
}

/** One completion request and what it ended in. */
export interface CompletionEvent {
  readonly kind: "suggestion" | "none";
  readonly uri: string;
  /** Counted from 0. */
  readonly line: number;
  readonly trigger: "automatic" | "invoked";
  readonly elapsedMs: number;
  readonly origin?: string;
  readonly backend?: string;
  readonly model?: string;
  readonly evaluatedTokens?: number;
  readonly cachedTokens?: number;
  readonly outputTokens?: number;
  readonly reason?: string;
  readonly sentence?: string;
}

/** What the settings of all layers together say about completions. */
export interface CompletionSwitches {
  readonly enabled: boolean;
  /** Of the document that was asked about; null where none was. */
  readonly language: string | null;
  readonly languageEnabled: boolean | null;
  /** Seconds until completions come back; null if they are not away. */
  readonly snoozedSeconds: number | null;
}

/** The answer to `coai/status`. */
export interface Status {
  readonly model: string;
  readonly backend: string | null;
  readonly local: boolean;
  readonly phase: Phase;
  readonly detail: string;
  readonly remedy: string;
  readonly missingModel: string | null;
  readonly completion: CompletionSwitches;
  /** Whether nothing may leave this machine. */
  readonly privacyMode: boolean;
  readonly candidates: readonly Offer[];
  readonly rejected: readonly Offer[];
  readonly last: CompletionEvent | null;
  readonly problems: readonly string[];
}

/** A model of the server's catalogue, as `coai.models` answers. */
export interface CatalogueModel {
  readonly name: string;
  readonly title: string;
  readonly license: string;
  readonly sizeBytes: number;
  readonly present: boolean;
  readonly inUse: boolean;
  readonly speed: Speed | null;
}

/** What `coai.pullModel` answers beside the status. */
export interface PullAnswer {
  /** Whether the weights have come; not if the user has stopped it or it has failed. */
  readonly pulled: boolean;
}

/** A setting in force, as `coai.settings` answers. */
export interface SettingInForce {
  readonly key: string;
  readonly value: string;
  readonly origin: string;
  readonly description: string;
}

/** The request for the status; its parameter names the document that the user looks at. */
export const STATUS = "coai/status";

/** The notification that the status is another. */
export const STATUS_CHANGED = "coai/statusChanged";

/** Commands of the server; the language client registers each under the same name. */
export const SERVER_COMMANDS = {
  models: "coai.models",
  pullModel: "coai.pullModel",
  settings: "coai.settings",
  snooze: "coai.snooze",
  why: "coai.why",
} as const;
