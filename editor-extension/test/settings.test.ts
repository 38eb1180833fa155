import assert from "node:assert/strict";
import { test } from "node:test";
import { userSettings } from "../src/settings";

const names = [
  "coai.completion.enabled",
  "coai.completion.maxTokens",
  "coai.endpoints.ollama.url",
  "coai.log.file",
  "coai.server.path",
  "coai.trace.server",
];

const cases: [string, Record<string, unknown>, unknown][] = [
  ["nothing is set: nothing is sent, so that files of the user's count", {}, {}],
  [
    "what is set is nested under its section",
    { "coai.completion.maxTokens": 64, "coai.endpoints.ollama.url": "http://localhost:1" },
    { completion: { maxTokens: 64 }, endpoints: { ollama: { url: "http://localhost:1" } } },
  ],
  [
    "false, zero, empty text and null are values",
    { "coai.completion.enabled": false, "coai.completion.maxTokens": 0, "coai.log.file": null },
    { completion: { enabled: false, maxTokens: 0 }, log: { file: null } },
  ],
  ["the extension's own are left out", { "coai.server.path": "/coai", "coai.trace.server": "off" }, {}],
];

for (const [behaviour, set, sent] of cases) {
  test(behaviour, () => {
    assert.deepEqual(
      userSettings(names, (name) => ({ globalValue: set[name] })),
      sent,
    );
  });
}

test("values of a workspace are not looked at", () => {
  const inspection = { globalValue: undefined, workspaceValue: true, workspaceFolderValue: true };
  assert.deepEqual(
    userSettings(names, () => inspection),
    {},
  );
});
