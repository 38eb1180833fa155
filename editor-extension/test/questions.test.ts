import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isAnswer, problemOf, questionAbout, reviewOf, toShow } from "../src/questions";

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
  const answer = { markdown: "# A", document: null, stopped: false };
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
    ],
  );
});
