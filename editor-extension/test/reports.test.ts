import assert from "node:assert/strict";
import { test } from "node:test";
import { privacyReport, statusReport, usageReport, whyReport } from "../src/reports";
import { inTheCloud, offer, spent, status, suggestion } from "./samples";

test("the status report names the model, the order of servers, and why others are not used", () => {
  const report = statusReport(
    status({
      last: suggestion(),
      rejected: [offer({ name: "ollama", why: "It has no model.", remedy: "Pull one.", speed: null })],
      problems: ["completion.max_tokens: expected a number"],
    }),
    "coai 0.1.0",
  );
  assert.match(report, /\| Model \| `qwen2\.5-coder-0\.5b` \|/);
  assert.match(report, /\| `embedded` \|.*reads 154/);
  assert.match(report, /\| `ollama` \|.*not measured.*It has no model\\\. Pull one/);
  assert.match(report, /- completion\\.max\\_tokens/);
});

const switches: [string, Parameters<typeof status>[1], RegExp][] = [
  ["on", {}, /Completions \| on \|/],
  ["off", { enabled: false }, /Completions \| off \|/],
  ["snoozed", { snoozedSeconds: 1 }, /Completions \| snoozed \|/],
  ["off for a language", { languageEnabled: false }, /off for `python`/],
];

for (const [state, completion, shown] of switches) {
  test(`the status report says that completions are ${state}`, () => {
    assert.match(statusReport(status({ remedy: "Do x." }, completion), "coai"), shown);
  });
}

test("a server without models and problems has a report too", () => {
  const report = statusReport(status({ candidates: [], backend: null }), "coai");
  assert.match(report, /None can at the moment/);
  assert.match(report, /Served by \| nothing/);
});

test("the requests tell where, how and why", () => {
  const report = whyReport([
    { ...suggestion(), kind: "none", reason: "in_comment", sentence: "The cursor is in a comment." },
    suggestion(),
  ]);
  assert.match(report, /a b\\\.py, line 7 \| typing \| `in_comment` \| The cursor/);
  assert.match(report, /suggestion \| A suggestion after 183 ms/);
  assert.match(whyReport([]), /Nothing was asked yet/);
});

const departure = {
  at: "2026-11-20T10:00:00.000+00:00",
  host: "api.example.org",
  endpoint: "openai",
  model: "m",
  capability: "performance",
  bytes: 1234,
  why: "allowed",
};

const settings = (allow: string): Parameters<typeof privacyReport>[1] => [
  { key: "privacy.mode", value: "false", origin: "default", description: "Privacy mode." },
  { key: "completion.allow_cloud", value: allow, origin: "editor", description: "May leave." },
  { key: "completion.max_tokens", value: "64", origin: "default", description: "Length." },
];

test("the privacy report says whether anything may leave, and which settings decide", () => {
  const closed = privacyReport(status(), settings("false"), []);
  assert.match(closed, /ask only models on this machine/);
  assert.match(closed, /None is known/);
  assert.match(closed, /Nothing has\./);
  assert.doesNotMatch(closed, /max_tokens/);
  const open = privacyReport(
    status({ rejected: [offer({ name: "far", local: false })] }),
    settings("true"),
    [departure],
  );
  assert.match(open, /may ask a model server on another machine.*no vendor's cloud/);
  assert.match(open, /`far`/);
  assert.match(open, /`api\.example\.org` \| `m` \| performance \| 1,234 \| allowed/);
  assert.match(privacyReport(status({ privacyMode: true }), settings("true"), []), /Privacy mode is on/);
});

const allowed = { allowed: true, ready: true, model: "far-away-1", detail: "", remedy: "" };

const verdicts: [string, Parameters<typeof privacyReport>[0], RegExp][] = [
  ["that completions leave it", inTheCloud(), /\*\*No model on this machine.*leave it, to far\\-away/],
  ["that they may", status({ cloud: allowed }), /may leave this machine when.*far\\-away\\-1 is asked/],
  [
    "why they do not though they may",
    status({ cloud: { ...allowed, ready: false, detail: "There is no key.", remedy: "Sign in." } }),
    /may leave this machine when.*not used now\\\. There is no key\\\. Sign in/,
  ],
];

for (const [what, given, said] of verdicts) {
  test(`the privacy report says ${what}`, () => {
    assert.match(privacyReport(given, settings("true"), []), said);
  });
}

test("what is more than a completion may leave where only that is allowed", () => {
  const routing = { key: "routing.allow_cloud", value: "true", origin: "editor", description: "May." };
  assert.match(privacyReport(status(), [...settings("false"), routing], []), /more than a completion may/);
});

test("the status report says where completions go and what that costs", () => {
  const told = statusReport(inTheCloud({ spending: spent(0.4, { dailyBudgetUsd: 2 }) }), "coai");
  assert.match(told, /\| Where \| No model on this machine.*to far\\-away\\-1 in the cloud/);
  assert.match(told, /\| Cloud \| allowed, and far/);
  assert.match(told, /\| Money \| Spent: \\\$0\\\.40 of \\\$2\\\.00 today/);
  const here = statusReport(status({ spending: null }), "coai");
  assert.match(here, /\| Cloud \| not allowed for completions\\\. Completions may not leave/);
  assert.match(here, /\| Money \| what was spent cannot be read/);
});

const unused: Parameters<typeof usageReport>[0] = {
  days: 30,
  spending: spent(0),
  perDay: [],
  models: [],
  completions: null,
};

test("where nothing was used the usage report says so", () => {
  const report = usageReport(unused);
  assert.match(report, /\| Today \| \\\$0\\\.00 \| no budget \|/);
  assert.match(report, /Nothing is recorded\./);
  assert.match(report, /None was\./);
  assert.doesNotMatch(report, /Day by day/);
});

test("the usage report has what was spent, the budgets, the models and the completions", () => {
  const report = usageReport({
    ...unused,
    spending: spent(0.0123, { monthUsd: 4, dailyBudgetUsd: 2 }),
    perDay: [{ day: "2026-11-20", calls: 3, usd: 4 }],
    models: [
      {
        alias: "cloud.fast",
        model: "m",
        calls: 4,
        answered: 3,
        promptTokens: 1234,
        cachedTokens: 5,
        outputTokens: 6,
        costUsd: 4,
        firstMs: null,
        totalMs: 1500,
      },
    ],
    completions: {
      requests: 9,
      suggestions: 7,
      medianMs: 210,
      outputTokens: 70,
      fates: { accepted: 3, unheard_of: 1 },
    },
  });
  assert.match(report, /Today \| \\\$0\\\.0123 \| \\\$2\\\.00/);
  assert.match(report, /`m` \| 4 \| 75 % \| 1,234 \| 5 \| 6 \| 1\.5 s \| \\\$4/);
  assert.match(report, /2026-11-20 \| 3 \|/);
  assert.match(report, /Suggestions taken whole \| 3/);
  assert.match(report, /Suggestions unheard_of \| 1/);
  assert.match(report, /210 ms/);
});
