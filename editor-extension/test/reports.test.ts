import assert from "node:assert/strict";
import { test } from "node:test";
import { privacyReport, statusReport, whyReport } from "../src/reports";
import { offer, status, suggestion } from "./samples";

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

const settings = (allow: string): Parameters<typeof privacyReport>[1] => [
  { key: "privacy.mode", value: "false", origin: "default", description: "Privacy mode." },
  { key: "completion.allow_cloud", value: allow, origin: "editor", description: "May leave." },
  { key: "completion.max_tokens", value: "64", origin: "default", description: "Length." },
];

test("the privacy report says whether anything may leave, and which settings decide", () => {
  const closed = privacyReport(status(), settings("false"));
  assert.match(closed, /ask only models on this machine/);
  assert.match(closed, /None is known/);
  assert.doesNotMatch(closed, /max_tokens/);
  const open = privacyReport(status({ rejected: [offer({ name: "far", local: false })] }), settings("true"));
  assert.match(open, /may ask a model on another machine/);
  assert.match(open, /`far`/);
  assert.match(privacyReport(status({ privacyMode: true }), settings("true")), /Privacy mode is on/);
});
