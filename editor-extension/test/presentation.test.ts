import assert from "node:assert/strict";
import { test } from "node:test";
import { type Situation, auditSentence, menu, modelChoice, statusLine, tooltip } from "../src/presentation";
import { inTheCloud, offer, spent, status, suggestion } from "./samples";

const running: Situation = { server: "running", why: "", status: status(), thinking: false };

const lines: [string, Situation, RegExp, "normal" | "warning" | "error"][] = [
  ["no server", { ...running, server: "missing", why: "Nowhere." }, /warning\) COAI$/, "warning"],
  ["a server that does not start", { ...running, server: "failed", why: "Because." }, /error\) COAI$/, "error"],
  ["a server that has crashed", { ...running, server: "crashed" }, /error\) COAI$/, "error"],
  ["a server that starts", { ...running, server: "starting" }, /loading~spin\) COAI$/, "normal"],
  ["a setup", { ...running, server: "settingUp" }, /loading~spin\) COAI$/, "normal"],
  ["a stopped server", { ...running, server: "stopped" }, /circle-slash\) COAI$/, "normal"],
  ["a status that is not known yet", { ...running, status: undefined }, /loading~spin/, "normal"],
  ["a local model", running, /^\$\(sparkle\) qwen2\.5-coder-0\.5b$/, "normal"],
  ["with the last latency", { ...running, status: status({ last: suggestion() }) }, /0\.5b 183 ms$/, "normal"],
  ["no latency of another model", { ...running, status: inTheCloud({ last: suggestion() }) }, /far-away-1$/, "normal"],
  ["what was spent", { ...running, status: status({ spending: spent(1.5) }) }, /0\.5b \$1\.50$/, "normal"],
  ["a spinner while it thinks", { ...running, thinking: true }, /^\$\(loading~spin\) qwen/, "normal"],
  ["a model elsewhere", { ...running, status: status({ local: false }) }, /^\$\(cloud\) qwen/, "normal"],
  ["a cloud model where none is here", { ...running, status: inTheCloud() }, /^\$\(cloud\) far-away-1$/, "normal"],
  ["the cloud also while it thinks", { ...running, thinking: true, status: inTheCloud() },
    /^\$\(loading~spin\) \$\(cloud\) far-away-1$/, "normal"],
  ["a budget that is used up", { ...running, status: inTheCloud({ spending: spent(2, { dailyBudgetUsd: 2 }) }) },
    /^\$\(cloud\) \$\(warning\) far-away-1 \$2\.00$/, "warning"],
  ["privacy mode", { ...running, status: status({ privacyMode: true }) }, /\$\(lock\) qwen/, "normal"],
  ["switched off", { ...running, status: status({}, { enabled: false }) }, /circle-slash\) COAI$/, "normal"],
  ["off for a language", { ...running, status: status({}, { languageEnabled: false }) }, /circle-slash/, "normal"],
  ["snoozed", { ...running, status: status({}, { snoozedSeconds: 301 }) }, /bell-slash\) COAI 6 minutes$/, "normal"],
  ["a missing model", { ...running, status: status({ missingModel: "m", backend: null, phase: "off" }) },
    /cloud-download/, "warning"],
  ["a model that is being loaded", { ...running, status: status({ phase: "starting", backend: null }) },
    /loading~spin/, "normal"],
  ["no model that can", { ...running, status: status({ phase: "failed", backend: null, remedy: "Do x." }) },
    /error\) COAI$/, "error"],
];

for (const [situation, given, text, severity] of lines) {
  test(`the status bar shows ${situation}`, () => {
    const line = statusLine(given);
    assert.match(line.text, text);
    assert.equal(line.severity, severity);
    assert.match(line.sentence, /\.$/);
  });
}

test("what to do is said where nothing completes", () => {
  const failed = status({ phase: "failed", backend: null, detail: "Broken.", remedy: "Do x." });
  assert.match(statusLine({ ...running, status: failed }).sentence, /Broken\. Do x\./);
});

test("the tooltip has the speed, the last request, privacy and problems", () => {
  const told = tooltip({
    ...running,
    status: status({ last: suggestion(), problems: ["[x](command:y)"], detail: "Ready." }),
  });
  assert.match(told, /reads 154, writes 50 tokens\/s/);
  assert.match(told, /183 ms/);
  assert.match(told, /Nothing leaves this machine unless/);
  assert.match(told, /\\\[x\\\]/);
  const locked = tooltip({ ...running, status: status({ privacyMode: true }) });
  assert.match(locked, /Privacy mode/);
});

function commands(situation: Situation): string[] {
  return menu(situation).map((entry) => entry.command.replace("coai.", ""));
}

test("without a server the menu offers to set it up first", () => {
  assert.equal(commands({ ...running, server: "missing" })[0], "setUpServer");
});

test("with a missing model the menu offers the download first", () => {
  assert.equal(commands({ ...running, status: status({ missingModel: "m" }) })[0], "downloadModel");
});

test("snoozed completions can be woken and not snoozed again", () => {
  const offered = commands({ ...running, status: status({}, { snoozedSeconds: 10 }) });
  assert.ok(offered.includes("wakeCompletions"));
  assert.ok(!offered.includes("snoozeCompletions"));
});

test("what is off can be turned on", () => {
  const labels = (changes: Parameters<typeof status>[1]): string =>
    menu({ ...running, status: status({}, changes) })
      .map((entry) => entry.label)
      .join();
  assert.match(labels({ enabled: false }), /Turn Completions On/);
  assert.match(labels({ languageEnabled: false }), /Turn Completions On for python/);
  assert.match(labels({}), /Turn Completions Off,.*Turn Completions Off for python/);
});

test("a server that does not run has a log and a restart, and nothing that needs it", () => {
  assert.deepEqual(commands({ ...running, server: "crashed" }), ["showLog", "restart", "openSettings"]);
});

const model = { name: "m", license: "MIT", sizeBytes: 5e8, present: false, inUse: false };

test("a model to choose has its size, and its speed where it was measured", () => {
  const absent = modelChoice({ ...model, speed: null });
  assert.match(absent.label, /cloud-download/);
  assert.equal(absent.description, "500 MB, to be downloaded");
  assert.match(absent.detail, /not measured/);
  const used = modelChoice({ ...model, present: true, inUse: true, speed: offer().speed });
  assert.match(used.label, /check/);
  assert.match(used.detail, /writes 50 tokens\/s/);
});

test("a file of the user's own is called by its name, and its place is told", () => {
  const own = modelChoice({ ...model, name: "/far/mine.gguf", license: null, present: true, speed: null });
  assert.equal(own.label, "$(database) mine");
  assert.equal(own.detail, "speed not measured yet; /far/mine.gguf");
});

const audits: [string, Parameters<typeof auditSentence>[0], RegExp][] = [
  ["nothing", { files: 2, findings: 0, bySeverity: {}, stopped: false }, /^Nothing was found in 2 files\.$/],
  [
    "findings",
    { files: 1, findings: 3, bySeverity: { error: 1, warning: 2, information: 4 }, stopped: false },
    /^Found in 1 file: 1 error, 2 warnings, 4 information\.$/,
  ],
  [
    "a stop",
    { files: 1200, findings: 0, bySeverity: {}, stopped: true },
    /in 1,200 files, before the audit was stopped\.$/,
  ],
];

for (const [end, answer, said] of audits) {
  test(`an audit that ended in ${end} is told in a sentence`, () => {
    assert.match(auditSentence(answer), said);
  });
}

test("money that cannot be read is not shown", () => {
  const told = tooltip({ ...running, status: status({ spending: null }) });
  assert.doesNotMatch(told, /Spent/);
  assert.match(tooltip(running), /Spent today: \\\$0\\\.00/);
});

test("the tooltip says what leaves, and why no model here completes instead", () => {
  const told = tooltip({ ...running, status: inTheCloud() });
  assert.match(told, /completions leave it, to far\\-away\\-1 in the cloud/);
  assert.match(told, /On this machine: It is not on this machine yet\\\. Fetch it/);
  assert.match(told, /Cloud: allowed, and far\\-away\\-1 completes/);
  assert.doesNotMatch(told, /Measured/);
});

test("in privacy mode the tooltip says so once", () => {
  assert.doesNotMatch(tooltip({ ...running, status: status({ privacyMode: true }) }), /Cloud/);
});

test("a warning of the tooltip has its sign", () => {
  const told = tooltip({ ...running, status: inTheCloud({ spending: spent(1.7, { dailyBudgetUsd: 2 }) }) });
  assert.match(told, /Spent: \\\$1\\\.70 of \\\$2\\\.00 today/);
  assert.match(told, /\$\(warning\) 85 % of the budget for today are used/);
});
