import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  answerIn,
  isAnswer,
  problemOf,
  questionAbout,
  ratedSentence,
  reviewOf,
  toShow,
} from "../src/questions";

const where = {
  uri: "file:///a.py",
  start: { line: 1, character: 2 },
  end: { line: 3, character: 0 },
};

test("a place is asked about with its range, and a question without blanks around it", () => {
  const range = { start: where.start, end: where.end };
  assert.deepEqual(questionAbout(where), { uri: where.uri, range });
  assert.deepEqual(questionAbout(where, " Why? "), { uri: where.uri, range, question: "Why?" });
});

test("a function is reviewed at its place, a file as a whole", () => {
  assert.deepEqual(reviewOf(where, "function"), questionAbout(where));
  assert.deepEqual(reviewOf(where, "file"), { uri: where.uri });
});

test("a question without words is not asked", () => {
  assert.equal(problemOf(" "), "Write a question.");
  assert.equal(problemOf("Why?"), undefined);
});

test("only what is not shown yet has to be shown", () => {
  const answer = { markdown: "# A", document: null, stopped: false, answer: "a1" };
  assert.equal(toShow(answer), "# A");
  assert.equal(toShow({ ...answer, document: "coai-answer:/1/a.md" }), undefined);
});

for (const [uri, ours] of [
  ["coai-answer:/1/a.md", true],
  ["file:///coai-answer:/a.md", false],
  ["https://example.org/", false],
] as const) {
  test(`${uri} is ${ours ? "" : "not "}an answer of ours`, () => {
    assert.equal(isAnswer(uri), ours);
  });
}

for (const [returned, name] of [
  [{ markdown: "# A", document: null, stopped: false, answer: "a1" }, "a1"],
  [{ markdown: "# A", document: null, stopped: true, answer: "" }, undefined],
  [{ answer: "a1" }, undefined],
  [null, undefined],
  ["text", undefined],
] as const) {
  test(`${JSON.stringify(returned)} ${name === undefined ? "cannot" : "can"} be judged`, () => {
    assert.equal(answerIn(returned), name);
  });
}

test("a judgement says whom it is about", () => {
  const rated = { answer: "a1", agents: ["security", "answer"], model: "small" };
  assert.equal(ratedSentence(rated, true), "Noted as helpful: security, answer, small.");
  assert.equal(ratedSentence({ ...rated, model: "" }, false), "Noted as not helpful: security, answer.");
});

interface Manifest {
  readonly contributes: {
    readonly commands: { readonly command: string; readonly title: string }[];
    readonly menus: Record<string, { readonly command?: string; readonly submenu?: string }[]>;
    readonly submenus: { readonly id: string }[];
  };
}

test("what is done with code is in the palette and in the editor's menu", () => {
  const { contributes } = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
  const titles = new Map(contributes.commands.map(({ command, title }) => [command, title]));
  const [submenu] = contributes.submenus;
  assert.ok(contributes.menus["editor/context"]?.some((entry) => entry.submenu === submenu?.id));
  const entries = contributes.menus[submenu?.id ?? ""] ?? [];
  assert.deepEqual(
    entries.map(({ command }) => titles.get(command ?? "")),
    [
      "Explain This Code",
      "Document This Function",
      "Ask About This Code",
      "Refactor This Code",
      "Review This Function",
      "Review the Changes of This File",
      "Show What a Profile Says",
      "Show and Forget What Is Remembered",
    ],
  );
});

test("an answer is judged by one click above its preview", () => {
  const { contributes } = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
  const titles = new Map(contributes.commands.map(({ command, title }) => [command, title]));
  assert.deepEqual(
    contributes.menus["editor/title"]?.map(({ command }) => titles.get(command ?? "")),
    ["This Answer Was Helpful", "This Answer Was Not Helpful"],
  );
});
