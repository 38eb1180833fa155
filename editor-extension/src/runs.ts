// Runs of workflows: what the tree says of them, decided here.
import { counted, dollars, milliseconds } from "./wording";

/** How far a run is; `interrupted` where its process is gone. */
export type RunState =
  | "running"
  | "paused"
  | "waiting"
  | "interrupted"
  | "done"
  | "failed"
  | "cancelled";

/** A run in the list, as `coai.runs` answers. */
export interface Run {
  readonly run: string;
  readonly name: string;
  readonly state: RunState;
  readonly created: string;
  readonly changed: string;
  readonly parent: string | null;
  readonly folder: string;
}

/** A step of a run. */
export interface Step {
  readonly step: string;
  /** The kind of its node; empty for a step within another one. */
  readonly kind: string;
  readonly state: string;
  readonly model: string;
  readonly local: boolean;
  readonly tokens: number;
  readonly usd: number;
  readonly ms: number;
  readonly error: string;
}

/** What a run asks a person. */
export interface RunQuestion {
  readonly step: string;
  readonly question: string;
  /** Empty where any words are an answer. */
  readonly choices: readonly string[];
}

/** All of a run, as `coai.run` answers. */
export interface RunDetails extends Run {
  readonly error: string;
  readonly usage: { readonly calls: number; readonly tokens: number; readonly usd: number };
  readonly steps: readonly Step[];
  readonly questions: readonly RunQuestion[];
  readonly edits: readonly { readonly path: string; readonly isNew: boolean }[];
  /** The steps of which something left this machine. */
  readonly left: readonly string[];
}

/** An ensemble that can be run, as `coai.ensembles` answers; one that does not load has a problem. */
export interface Ensemble {
  readonly name: string;
  readonly origin: string;
  readonly about?: string;
  readonly input?: string;
  readonly problem?: string;
}

/** What `coai.applyRun` answers. */
export interface Applied {
  readonly applied: boolean;
  readonly files: readonly string[];
  /** Whether the user's tests passed; null where none were run. */
  readonly tested: boolean | null;
  readonly said: string;
  readonly output: string;
}

/** A row of the tree. */
export interface Row {
  readonly label: string;
  readonly description: string;
  readonly tooltip: string;
  /** The name of one of VS Code's icons. */
  readonly icon: string;
  /** What package.json's menus go by. */
  readonly context: string;
}

const ICONS: Readonly<Record<string, string>> = {
  answered: "comment",
  cancelled: "circle-slash",
  done: "pass",
  failed: "error",
  interrupted: "debug-disconnect",
  partial: "warning",
  paused: "debug-pause",
  pending: "circle-outline",
  retrying: "sync",
  revised: "discard",
  running: "loading~spin",
  skipped: "debug-step-over",
  stopped: "debug-disconnect",
  waiting: "question",
};

const WORDS: Readonly<Record<string, string>> = {
  interrupted: "its process is gone; it can go on",
  partial: "partly done",
  pending: "not begun",
  retrying: "is tried again",
  revised: "sent back",
  stopped: "stopped",
  waiting: "waits for an answer",
};

/** Return the row of a run. */
export function runRow({ run, name, state, created }: Run): Row {
  return {
    label: plain(name),
    description: `${WORDS[state] ?? state} \u00b7 ${when(created)}`,
    tooltip: `${plain(name)}\n${run}: ${WORDS[state] ?? state}`,
    icon: iconOf(state),
    context: `run.${state}`,
  };
}

/** Return the row of a step, with what it asks if it asks something. */
export function stepRow(step: Step, question?: RunQuestion): Row {
  const facts = [
    WORDS[step.state] ?? step.state,
    plain(step.model) + (step.model !== "" && !step.local ? " (elsewhere)" : ""),
    step.tokens > 0 ? counted(step.tokens, "token") : "",
    step.usd > 0 ? dollars(step.usd) : "",
    step.ms > 0 ? milliseconds(step.ms) : "",
  ].filter((fact) => fact !== "");
  const asked = question === undefined ? "" : plain(question.question);
  return {
    label: plain(step.step),
    description: asked === "" ? facts.join(" \u00b7 ") : asked,
    tooltip: [`${plain(step.step)}${step.kind === "" ? "" : ` (${step.kind})`}`, ...facts, asked]
      .concat(step.error === "" ? [] : [plain(step.error)])
      .filter((line) => line !== "")
      .join("\n"),
    icon: iconOf(step.state),
    context: question === undefined ? "step" : "question",
  };
}

/** Return the row of what a run proposes to change; nothing where it proposes nothing. */
export function editsRow({ edits, state }: RunDetails): Row | undefined {
  if (edits.length === 0) {
    return undefined;
  }
  const names = edits.map(({ path, isNew }) => `${plain(path)}${isNew ? " (new)" : ""}`);
  return {
    label: `${counted(edits.length, "file")} would change`,
    description: names.join(", "),
    tooltip: names.join("\n"),
    icon: "diff",
    context: state === "done" ? "edits" : "edits.early",
  };
}

/** Return the row of what a run came to so far; nothing where no model was asked. */
export function usageRow({ usage, left, error }: RunDetails): Row | undefined {
  if (usage.calls === 0 && error === "") {
    return undefined;
  }
  const spent = [
    counted(usage.calls, "call"),
    counted(usage.tokens, "token"),
    dollars(usage.usd),
    left.length === 0 ? "nothing left this machine" : `sent elsewhere by ${left.join(", ")}`,
  ].join(" \u00b7 ");
  return error === ""
    ? { label: "Spent", description: spent, tooltip: spent, icon: "dashboard", context: "usage" }
    : { label: plain(error), description: "", tooltip: plain(error), icon: "info", context: "error" };
}

const ABLE = {
  answer: ["waiting"],
  apply: ["done"],
  cancel: ["running", "paused", "waiting", "interrupted"],
  pause: ["running", "waiting"],
  resume: ["paused", "interrupted"],
} as const;

/** Return whether something can be done with a run. */
export function can(action: keyof typeof ABLE, state: RunState): boolean {
  return (ABLE[action] as readonly RunState[]).includes(state);
}

/** Return an ensemble's input as the server takes it; raises what is wrong with it. */
export function inputOf(text: string, type: string): unknown {
  if (type === "text" || type === "any") {
    return text;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Error(`${type} was expected, written as JSON.`);
  }
}

/** Return the sentence that says what became of a run's changes. */
export function appliedSentence({ applied, files, tested, said }: Applied): string {
  if (tested === false || (!applied && said !== "")) {
    return said;
  }
  if (!applied) {
    return "Nothing was changed.";
  }
  const what = counted(files.length, "file");
  return tested === true ? `The tests pass, and ${what} changed.` : `${what} changed.`;
}

function iconOf(state: string): string {
  return ICONS[state] ?? "circle-outline";
}

/** Return a time in the user's own zone. */
function when(moment: string): string {
  const date = new Date(moment);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleString();
}

/** Return text in one line in which nothing becomes an icon. */
function plain(text: string): string {
  return text.replace(/\$\(/g, "$ (").replace(/\s+/g, " ").trim();
}
