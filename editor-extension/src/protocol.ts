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

/** Whether completions may go to a cloud model where no model on this machine can answer. */
export interface Cloud {
  readonly allowed: boolean;
  /** Whether one would be asked now. */
  readonly ready: boolean;
  readonly model: string | null;
  /** Why it is not allowed or not ready, and what would change that; empty where it is. */
  readonly detail: string;
  readonly remedy: string;
}

/** What all of the user's daemons and commands have spent on models; days and months are UTC's. */
export interface Spending {
  readonly todayUsd: number;
  readonly monthUsd: number;
  /** What is set aside for calls that are under way. */
  readonly reservedUsd: number;
  readonly dailyBudgetUsd: number | null;
  readonly monthlyBudgetUsd: number | null;
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
  readonly cloud: Cloud;
  /** Null where the books cannot be read. */
  readonly spending: Spending | null;
}

/** A model that the embedded engine could run, as `coai.models` answers. */
export interface LocalModel {
  /** What `coai.engine.model` takes: the catalogue's name, or the path of a file of the user's. */
  readonly name: string;
  readonly title: string;
  /** Null of the user's own file. */
  readonly license: string | null;
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

/** What `coai.auditWorkspace` answers. */
export interface AuditAnswer {
  readonly files: number;
  readonly findings: number;
  /** How many there are of each severity, such as `error`. */
  readonly bySeverity: Readonly<Record<string, number>>;
  /** Whether the user has stopped it. */
  readonly stopped: boolean;
}

/** A vendor of cloud models, as `coai.vendors` answers. */
export interface Vendor {
  readonly name: string;
  /** The environment variable that may hold its key. */
  readonly variable: string;
  /** Where its key comes from; empty if there is none. */
  readonly source: "editor" | "settings" | "environment" | "";
  readonly enabled: boolean;
  /** Whether anything may be sent to it at all. */
  readonly allowed: boolean;
}

/** What one model was used for. */
export interface ModelUsage {
  readonly alias: string;
  readonly model: string;
  readonly calls: number;
  readonly answered: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number;
  readonly firstMs: number | null;
  readonly totalMs: number;
}

/** What `coai.usage` answers. */
export interface Usage {
  /** How far back it looks. */
  readonly days: number;
  readonly spending: Spending;
  readonly perDay: readonly { readonly day: string; readonly calls: number; readonly usd: number }[];
  readonly models: readonly ModelUsage[];
  /** Null where nothing is recorded. */
  readonly completions: {
    readonly requests: number;
    readonly suggestions: number;
    readonly medianMs: number | null;
    readonly outputTokens: number;
    readonly fates: Readonly<Record<string, number>>;
  } | null;
}

/** A request that has left this machine, as `coai.departures` answers. */
export interface Departure {
  readonly at: string;
  readonly host: string;
  readonly endpoint: string;
  readonly model: string;
  readonly capability: string;
  readonly bytes: number;
  readonly why: string;
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

/** The notification that something has happened in runs. */
export const RUNS_CHANGED = "coai/runsChanged";

/** The notification that the user trusts the workspace. */
export const WORKSPACE_TRUSTED = "coai/workspaceTrusted";

/** Commands of the server; the language client registers each under the same name. */
export const SERVER_COMMANDS = {
  ask: "coai.ask",
  auditWorkspace: "coai.auditWorkspace",
  clearAudit: "coai.clearAudit",
  departures: "coai.departures",
  document: "coai.document",
  explain: "coai.explain",
  forget: "coai.forget",
  loadProfile: "coai.loadProfile",
  memory: "coai.memory",
  models: "coai.models",
  pullModel: "coai.pullModel",
  rate: "coai.rate",
  review: "coai.review",
  settings: "coai.settings",
  signIn: "coai.signIn",
  signOut: "coai.signOut",
  snooze: "coai.snooze",
  usage: "coai.usage",
  vendors: "coai.vendors",
  why: "coai.why",
} as const;

/** Commands of the server for runs of workflows, as docs/editor-runs.md tells. */
export const RUN_COMMANDS = {
  answer: "coai.answerRun",
  apply: "coai.applyRun",
  cancel: "coai.cancelRun",
  details: "coai.run",
  ensembles: "coai.ensembles",
  list: "coai.runs",
  pause: "coai.pauseRun",
  report: "coai.runReport",
  resume: "coai.resumeRun",
  start: "coai.startRun",
  watch: "coai.watchRuns",
} as const;
