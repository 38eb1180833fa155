// What the status bar, the language status and the menu say: decided here, shown elsewhere.
import { budgetWarnings, cloudLine, leaves, leavingSentence, spendingLine, usedUp } from "./cloud";
import type { AuditAnswer, Status } from "./protocol";
import { counted, dollars, megabytes, milliseconds, minutes, modelName, plain } from "./wording";

/** What is known when something is to be shown. */
export interface Situation {
  readonly server:
    | "stopped"
    | "missing"
    | "settingUp"
    | "starting"
    | "running"
    | "crashed"
    | "failed";
  /** Why there is no server, where there is none. */
  readonly why: string;
  readonly status: Status | undefined;
  /** Whether a completion is being worked at. */
  readonly thinking: boolean;
}

/** How much it should catch the eye. */
export type Severity = "normal" | "warning" | "error";

/** A line of the status bar. */
export interface Line {
  /** With codicons, such as `$(sparkle)`. */
  readonly text: string;
  /** In one sentence, without Markdown. */
  readonly sentence: string;
  readonly severity: Severity;
}

/** Return the line of the status bar. */
export function statusLine(situation: Situation): Line {
  switch (situation.server) {
    case "stopped":
      return line("$(circle-slash) COAI", "COAI's server is stopped.");
    case "settingUp":
      return line("$(loading~spin) COAI", "COAI's server is being set up.");
    case "starting":
      return line("$(loading~spin) COAI", "COAI's server is starting.");
    case "missing":
      return line("$(warning) COAI", `COAI's server was not found. ${situation.why}`, "warning");
    case "failed":
      return line("$(error) COAI", `COAI's server did not start. ${situation.why}`, "error");
    case "crashed":
      return line("$(error) COAI", "COAI's server has ended by itself.", "error");
    case "running":
      return situation.status === undefined
        ? line("$(loading~spin) COAI", "COAI's server is asked for its status.")
        : running(situation.status, situation.thinking);
  }
}

function running(status: Status, thinking: boolean): Line {
  const { completion } = status;
  if (!completion.enabled) {
    return line("$(circle-slash) COAI", "Completions are switched off.");
  }
  if (completion.snoozedSeconds !== null) {
    const left = minutes(completion.snoozedSeconds);
    return line(`$(bell-slash) COAI ${left}`, `Completions are snoozed for ${left}.`);
  }
  if (completion.languageEnabled === false) {
    const language = completion.language ?? "this language";
    return line("$(circle-slash) COAI", `Completions are off for ${language}.`);
  }
  if (status.missingModel !== null && status.backend === null && status.phase !== "starting") {
    return line(
      "$(cloud-download) COAI",
      `The model ${status.missingModel} is not on this machine yet.`,
      "warning",
    );
  }
  if (status.phase === "starting") {
    return line("$(loading~spin) COAI", status.detail || "The model is being loaded.");
  }
  if (status.backend === null) {
    const sentence = `No model can complete. ${status.detail} ${status.remedy}`.trim();
    return line("$(error) COAI", sentence, "error");
  }
  const away = leaves(status);
  const exhausted = usedUp(status) !== undefined;
  const text = [
    thinking ? "$(loading~spin)" : away ? "" : "$(sparkle)",
    // Whoever's code leaves the machine sees that at any moment.
    away ? "$(cloud)" : "",
    exhausted ? "$(warning)" : "",
    status.privacyMode ? "$(lock)" : "",
    modelName(status.model),
    took(status),
    costs(status),
  ];
  return line(
    text.filter((part) => part !== "").join(" "),
    away ? leavingSentence(status) : `${modelName(status.model)} completes on this machine.`,
    exhausted ? "warning" : "normal",
  );
}

/** Return how long the last suggestion took, unless another model than the one named wrote it. */
function took({ last, model }: Status): string {
  const ours = last?.kind === "suggestion" && last.model === model;
  return ours ? milliseconds(last.elapsedMs) : "";
}

function costs({ spending }: Status): string {
  return spending !== null && spending.todayUsd > 0 ? dollars(spending.todayUsd) : "";
}

function line(text: string, sentence: string, severity: Severity = "normal"): Line {
  return { text, sentence, severity };
}

/** Return the Markdown that the status bar shows under the pointer. */
export function tooltip(situation: Situation): string {
  const { status } = situation;
  const rows = [plain(statusLine(situation).sentence)];
  if (situation.server === "running" && status !== undefined) {
    if (leaves(status)) {
      rows.push(...hereInstead(status).map(plain));
    } else if (status.detail !== "" && status.backend !== null) {
      rows.push(plain(status.detail));
    }
    const speed = status.candidates[0]?.speed ?? null;
    if (speed !== null) {
      rows.push(`Measured: ${speedOf(speed)}.`);
    }
    if (status.last !== null) {
      rows.push(`Last request: ${plain(lastOutcome(status.last))}`);
    }
    rows.push(
      status.privacyMode
        ? "Privacy mode: nothing leaves this machine."
        : "Nothing leaves this machine unless you have allowed it.",
    );
    if (!status.privacyMode) {
      rows.push(plain(cloudLine(status)));
    }
    rows.push(plain(spendingLine(status.spending)));
    const warnings = [...budgetWarnings(status.spending), ...status.problems];
    rows.push(...warnings.map((warning) => `$(warning) ${plain(warning)}`));
  }
  return rows.filter((row) => row !== "").join("\n\n");
}

/** Return why COAI's own engine does not complete instead, and what would make it. */
function hereInstead(status: Status): string[] {
  const engine = status.rejected.find(({ name }) => name === "embedded");
  return engine === undefined ? [] : [`On this machine: ${engine.why} ${engine.remedy ?? ""}`.trim()];
}

/** Return in one sentence what a request ended in. */
export function lastOutcome(event: NonNullable<Status["last"]>): string {
  if (event.kind === "none") {
    return event.sentence ?? "No suggestion.";
  }
  const from = event.origin === "model" ? modelName(event.model ?? "") : "what was known already";
  return `A suggestion after ${milliseconds(event.elapsedMs)}, from ${from}.`;
}

/** Return a measured speed for a reader. */
export function speedOf(speed: { readonly prompt: number; readonly output: number }): string {
  return `reads ${Math.round(speed.prompt)}, writes ${Math.round(speed.output)} tokens/s`;
}

/** A model to choose from. */
export interface ModelChoice {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
}

/** Return how a model that the engine could run is offered. */
export function modelChoice(model: {
  readonly name: string;
  readonly license: string | null;
  readonly sizeBytes: number;
  readonly present: boolean;
  readonly inUse: boolean;
  readonly speed: { readonly prompt: number; readonly output: number } | null;
}): ModelChoice {
  const icon = model.inUse ? "$(check)" : model.present ? "$(database)" : "$(cloud-download)";
  const state = model.inUse ? "in use" : model.present ? "on this machine" : "to be downloaded";
  const measured = model.speed === null ? "speed not measured yet" : speedOf(model.speed);
  return {
    label: `${icon} ${modelName(model.name)}`,
    description: `${megabytes(model.sizeBytes)}, ${state}`,
    // Of the user's own file its place tells more than the licence, which nobody knows.
    detail: `${measured}; ${model.license ?? model.name}`,
  };
}

/** Return in one sentence what an audit has found. */
export function auditSentence(answer: AuditAnswer): string {
  const where = `in ${counted(answer.files, "file")}`;
  const found = Object.entries(answer.bySeverity)
    .map(([severity, count]) =>
      severity === "information" ? `${count} information` : counted(count, severity),
    )
    .join(", ");
  const said = answer.findings === 0 ? `Nothing was found ${where}` : `Found ${where}: ${found}`;
  return answer.stopped ? `${said}, before the audit was stopped.` : `${said}.`;
}

/** Something that the menu offers. */
export interface MenuEntry {
  readonly label: string;
  readonly command: string;
}

/** Return what the menu offers in this situation, the likeliest first. */
export function menu(situation: Situation): MenuEntry[] {
  const entries: MenuEntry[] = [];
  const offer = (label: string, command: string): void => {
    entries.push({ label, command });
  };
  if (situation.server === "missing") {
    offer("$(package) Set Up the Server", "coai.setUpServer");
  }
  if (situation.server === "running" && situation.status !== undefined) {
    const { completion, missingModel } = situation.status;
    if (missingModel !== null) {
      offer(`$(cloud-download) Download ${missingModel}`, "coai.downloadModel");
    }
    if (completion.snoozedSeconds !== null) {
      offer("$(bell) Wake Completions", "coai.wakeCompletions");
    }
    offer("$(question) Why No Suggestion?", "coai.whyNoSuggestion");
    const turn = completion.enabled ? "Off" : "On";
    offer(`$(circle-slash) Turn Completions ${turn}`, "coai.toggleCompletions");
    if (completion.enabled && completion.language !== null) {
      const there = completion.languageEnabled === false ? "On" : "Off";
      offer(
        `$(symbol-namespace) Turn Completions ${there} for ${completion.language}`,
        "coai.toggleLanguage",
      );
    }
    if (completion.enabled && completion.snoozedSeconds === null) {
      offer("$(bell-slash) Snooze Completions", "coai.snoozeCompletions");
    }
    offer("$(comment-discussion) Ask About This Code", "coai.askAboutCode");
    offer("$(symbol-misc) Choose the Model", "coai.chooseModel");
    offer("$(shield) Audit the Workspace", "coai.audit");
    offer("$(pulse) Show Status", "coai.showStatus");
    offer("$(credit-card) Show Usage and Spend", "coai.showUsage");
    offer("$(lock) Show Privacy Report", "coai.showPrivacy");
  }
  offer("$(output) Show Log", "coai.showLog");
  offer("$(debug-restart) Restart the Server", "coai.restart");
  offer("$(gear) Settings", "coai.openSettings");
  return entries;
}

