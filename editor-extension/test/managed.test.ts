import assert from "node:assert/strict";
import { test } from "node:test";
import { cleanVariables, isNewEnough, layout, meaning, pythons, steps } from "../src/managed";

const versions: [string, boolean][] = [
  ["3.11\n", true],
  ["3.14\n", true],
  ["3.10\n", false],
  ["2.7\n", false],
  ["4.0\n", false],
  ["Python was not found; run without arguments\n", false],
  ["", false],
];

for (const [printed, enough] of versions) {
  test(`a Python that prints ${JSON.stringify(printed)} is ${enough ? "taken" : "not taken"}`, () => {
    assert.equal(isNewEnough(printed), enough);
  });
}

test("the interpreter that the user selected is tried first", () => {
  assert.deepEqual(pythons("/venv/bin/python", false)[0], ["/venv/bin/python"]);
  assert.deepEqual(pythons(undefined, true)[0], ["py", "-3"]);
});

test("another wheel gets another environment", () => {
  const one = layout("/storage", "a".repeat(64), false);
  const other = layout("/storage", "b".repeat(64), false);
  assert.notEqual(one.folder, other.folder);
  assert.equal(one.program, `${one.folder}/bin/coai`);
  assert.match(layout("C:\\storage", "a".repeat(64), true).program, /Scripts\\coai\.exe$/);
});

const parts = { wheel: "/ext/server/coai.whl", lock: "/ext/server/requirements.lock" };

test("an index can have nothing installed that the lock does not name", () => {
  const where = layout("/storage", "a".repeat(64), false);
  const installs = steps(["python3"], parts, where)
    .map((step) => step.command.join(" "))
    .filter((command) => command.includes("pip install"));
  assert.equal(installs.length, 2);
  for (const command of installs) {
    assert.match(command, /--require-hashes --only-binary :all: -r \S+\.lock$|--no-deps --no-index \S+\.whl$/);
  }
});

test("every Python of the setup is isolated from the workspace and the user's variables", () => {
  const where = layout("/storage", "a".repeat(64), false);
  const made = steps(["python3"], parts, where);
  assert.equal(made.filter((step) => step.command.includes("-I")).length, 3);
  assert.deepEqual(made.at(-1)?.command, [where.program, "--version"]);
  const kept = cleanVariables({ PATH: "/bin", PYTHONPATH: "/ws", VIRTUAL_ENV: "/v", PIP_INDEX_URL: "x" });
  assert.deepEqual(kept, { PATH: "/bin", PIP_INDEX_URL: "x" });
});

const lines: [string, string | undefined][] = [
  ["Collecting pydantic>=2.12 (from coai==0.1.0)", "Fetching pydantic"],
  ["  Collecting tree-sitter-c", "Fetching tree-sitter-c"],
  ["Installing collected packages: attrs, pip", "Installing"],
  ["  Downloading x.whl (2 MB)", undefined],
];

for (const [line, told] of lines) {
  test(`pip's "${line}" is told as ${told ?? "nothing"}`, () => {
    assert.equal(meaning(line), told);
  });
}
