// The reports as Markdown: what is in force, what was asked, what may leave the machine.
import { budgetWarnings, cloudLine, leaves, leavingSentence, spendingLine } from "./cloud";
import { lastOutcome, speedOf } from "./presentation";
import type {
  CompletionEvent,
  Departure,
  Offer,
  SettingInForce,
  Status,
  Usage,
} from "./protocol";
import { code, dollars, fileName, milliseconds, plain } from "./wording";

/** Return the report of what completes and why. */
export function statusReport(status: Status, server: string): string {
  const rows: [string, string][] = [
    ["Server", code(server)],
    ["Model", code(status.model)],
    ["Served by", status.backend === null ? "nothing" : code(status.backend)],
    ["Where", leaves(status) ? plain(leavingSentence(status)) : "on this machine"],
    ["State", `${status.phase}${status.detail === "" ? "" : `: ${plain(status.detail)}`}`],
    ["Completions", switches(status)],
    ["Last request", status.last === null ? "none yet" : plain(lastOutcome(status.last))],
    ["Cloud", plain(cloudLine(status).replace("Cloud: ", ""))],
    ["Money", money(status)],
  ];
  if (status.remedy !== "") {
    rows.push(["What to do", plain(status.remedy)]);
  }
  return [
    "# COAI: status",
    table(["", ""], rows),
    "## Models that complete, in the order in which they are asked",
    offers(status.candidates, "None can at the moment."),
    "## Not used, and why",
    offers(status.rejected, "None."),
    "## Problems with the settings",
    status.problems.length === 0
      ? "None."
      : status.problems.map((problem) => `- ${plain(problem)}`).join("\n"),
    "",
  ].join("\n\n");
}

function money({ spending }: Status): string {
  const said = [spendingLine(spending), ...budgetWarnings(spending)].filter((part) => part !== "");
  return said.length === 0 ? "what was spent cannot be read" : plain(said.join(" "));
}

/** Return the report of the last requests, newest first. */
export function whyReport(events: readonly CompletionEvent[]): string {
  const rows = events.map((event): [string, string, string, string] => [
    `${plain(fileName(event.uri))}, line ${event.line + 1}`,
    event.trigger === "invoked" ? "asked for" : "typing",
    event.kind === "none" ? code(event.reason ?? "") : "suggestion",
    `${plain(lastOutcome(event))}${event.kind === "none" ? ` (${milliseconds(event.elapsedMs)})` : ""}`,
  ]);
  return [
    "# COAI: why there was a suggestion, or none",
    "The last requests of this window, newest first.",
    rows.length === 0
      ? "Nothing was asked yet."
      : table(["Where", "How it came", "End", "Why"], rows),
    "",
  ].join("\n\n");
}

/** Return the report of what may be read and what may leave the machine. */
export function privacyReport(
  status: Status,
  settings: readonly SettingInForce[],
  departures: readonly Departure[],
): string {
  const remote = [...status.candidates, ...status.rejected].filter((offer) => !offer.local);
  const deciding = settings.filter(
    ({ key }) =>
      key.startsWith("privacy.") ||
      ["completion.allow_cloud", "completion.exclude", "completion.context"].includes(key) ||
      ["completion.gitignored_context", "routing.allow_cloud", "routing.redact"].includes(key),
  );
  return [
    "# COAI: privacy",
    verdict(status, deciding),
    "COAI itself sends no telemetry of any kind.",
    "## Model servers that are not on this machine",
    offers(remote, "None is known."),
    "## What has left this machine",
    departures.length === 0
      ? "Nothing has."
      : table(
          ["When", "Host", "Model", "For", "Bytes", "Allowed because"],
          departures.map((one) => [
            plain(new Date(one.at).toLocaleString()),
            code(one.host),
            code(one.model),
            plain(one.capability),
            one.bytes.toLocaleString("en-US"),
            plain(one.why),
          ]),
        ),
    "## The settings that decide, and where each comes from",
    table(
      ["Setting", "Value", "From", "Meaning"],
      deciding.map(({ key, value, origin, description }) => [
        code(key),
        code(value),
        plain(origin),
        plain(description),
      ]),
    ),
    "A file that comes with the code may only narrow these.",
    "",
  ].join("\n\n");
}

/** Return what holds for completions, and for the questions that are more than one. */
function verdict(status: Status, settings: readonly SettingInForce[]): string {
  if (status.privacyMode) {
    return "**Privacy mode is on: nothing leaves this machine, whatever else is set.**";
  }
  const on = (name: string): boolean => settings.find(({ key }) => key === name)?.value === "true";
  if (leaves(status)) {
    return `**${plain(leavingSentence(status))}**`;
  }
  if (status.cloud.allowed) {
    return `**Completions may leave this machine when no model here can answer.** ${plain(cloudLine(status))}`;
  }
  if (on("completion.allow_cloud")) {
    return (
      "**Completions may ask a model server on another machine when none here can answer, and no " +
      "vendor's cloud.**"
    );
  }
  const here = "**Completions ask only models on this machine.**";
  return on("routing.allow_cloud")
    ? `${here} What is more than a completion may go to a vendor's cloud.`
    : here;
}

/** Return the report of what models were used for and what it cost. */
export function usageReport(usage: Usage): string {
  const { spending } = usage;
  const budget = (cap: number | null): string => (cap === null ? "no budget" : dollars(cap));
  return [
    "# COAI: usage and spend",
    table(
      ["", "Spent", "Budget"],
      [
        ["Today", plain(dollars(spending.todayUsd)), plain(budget(spending.dailyBudgetUsd))],
        ["This month", plain(dollars(spending.monthUsd)), plain(budget(spending.monthlyBudgetUsd))],
      ],
    ),
    ...budgetWarnings(spending).map((warning) => `**${plain(warning)}**`),
    "Days and months are UTC's. Models on this machine cost nothing.",
    "## Completions",
    completions(usage.completions),
    `## Models that were asked for more than completions, in ${usage.days} days`,
    usage.models.length === 0
      ? "None was."
      : table(
          ["Model", "Calls", "Answered", "Tokens in", "Cached", "Out", "Mean time", "Cost"],
          usage.models.map((row) => [
            code(row.model === "" ? row.alias : row.model),
            String(row.calls),
            `${Math.round((100 * row.answered) / row.calls)} %`,
            row.promptTokens.toLocaleString("en-US"),
            row.cachedTokens.toLocaleString("en-US"),
            row.outputTokens.toLocaleString("en-US"),
            milliseconds(row.totalMs),
            plain(dollars(row.costUsd)),
          ]),
        ),
    ...(usage.perDay.length === 0
      ? []
      : [
          "## Day by day",
          table(
            ["Day", "Calls", "Cost"],
            usage.perDay.map(({ day, calls, usd }) => [day, String(calls), plain(dollars(usd))]),
          ),
        ]),
    "",
  ].join("\n\n");
}

const FATES: Readonly<Record<string, string>> = {
  accepted: "taken whole",
  accepted_in_part: "taken in part",
  typed: "typed by hand to their end",
  rejected: "rejected",
  shown: "of unknown end",
};

function completions(known: Usage["completions"]): string {
  if (known === null) {
    return "Nothing is recorded.";
  }
  const rows: [string, string][] = [
    ["Requests, the last ones", String(known.requests)],
    ["Ended in a suggestion", String(known.suggestions)],
    ["Median time of those", known.medianMs === null ? "" : milliseconds(known.medianMs)],
    ["Tokens written", known.outputTokens.toLocaleString("en-US")],
    ...Object.entries(known.fates).map(([fate, count]): [string, string] => [
      `Suggestions ${FATES[fate] ?? fate}`,
      String(count),
    ]),
  ];
  return table(["", ""], rows);
}

function switches(status: Status): string {
  const { enabled, language, languageEnabled, snoozedSeconds } = status.completion;
  if (!enabled) {
    return "off";
  }
  if (snoozedSeconds !== null) {
    return "snoozed";
  }
  return languageEnabled === false ? `on, but off for ${code(language ?? "")}` : "on";
}

function offers(all: readonly Offer[], none: string): string {
  if (all.length === 0) {
    return none;
  }
  return table(
    ["Server", "Model", "State", "Speed", "Why"],
    all.map((offer) => [
      code(offer.name),
      offer.model === "" ? "" : code(offer.model),
      `${offer.phase}, ${offer.local ? "here" : "elsewhere"}`,
      offer.speed === null ? "not measured" : speedOf(offer.speed),
      plain([offer.why, offer.remedy ?? ""].join(" ").trim()),
    ]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
