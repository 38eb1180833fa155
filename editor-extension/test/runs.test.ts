import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Applied,
  type Run,
  type RunDetails,
  type RunState,
  type Step,
  appliedSentence,
  can,
  editsRow,
  inputOf,
  runRow,
  stepRow,
  usageRow,
} from "../src/runs";

const run: Run = {
  run: "a1b2c3",
  name: "code review",
  state: "running",
  created: "2026-11-30T10:00:00+00:00",
  changed: "2026-11-30T10:00:00+00:00",
  parent: null,
  folder: "/work/shop",
};
const details: RunDetails = {
  ...run,
  error: "",
  usage: { calls: 0, tokens: 0, usd: 0 },
  steps: [],
  questions: [],
  edits: [],
  left: [],
};
const step: Step = {
  step: "security",
  kind: "agent",
  state: "done",
  model: "tiny",
  local: true,
  tokens: 1,
  usd: 0,
  ms: 1500,
  error: "",
};

for (const [state, icon, said] of [
  ["running", "loading~spin", "running"],
  ["waiting", "question", "waits for an answer"],
  ["interrupted", "debug-disconnect", "its process is gone; it can go on"],
  ["done", "pass", "done"],
] as const) {
  test(`a run that is ${state} says so, and the menus know`, () => {
    const row = runRow({ ...run, state });
    assert.equal(row.icon, icon);
    assert.ok(row.description.startsWith(said));
    assert.equal(row.context, `run.${state}`);
  });
}

test("a name of somebody else's is text and no icon", () => {
  assert.equal(runRow({ ...run, name: "a $(trash)\n b" }).label, "a $ (trash) b");
  assert.equal(stepRow({ ...step, step: "$(x)" }).label, "$ (x)");
});

test("a time that is none is left out", () => {
  assert.equal(runRow({ ...run, created: "" }).description, "running \u00b7 ");
});

for (const [changed, said] of [
  [{}, "done \u00b7 tiny \u00b7 1 token \u00b7 1.5 s"],
  [{ local: false, usd: 0.5, tokens: 2000 }, "done \u00b7 tiny (elsewhere) \u00b7 2,000 tokens \u00b7 $0.50 \u00b7 1.5 s"],
  [{ state: "pending", model: "", tokens: 0, ms: 0 }, "not begun"],
  [{ state: "new to us", model: "", tokens: 0, ms: 0 }, "new to us"],
] as const) {
  test(`a step says ${said}`, () => {
    assert.equal(stepRow({ ...step, ...changed }).description, said);
  });
}

test("a step that asks says what, and one that failed why", () => {
  const asking = stepRow({ ...step, state: "waiting" }, { step: "ok", question: "Go on?", choices: [] });
  assert.deepEqual([asking.description, asking.context], ["Go on?", "question"]);
  assert.match(stepRow({ ...step, state: "failed", error: "no model" }).tooltip, /no model$/);
});

test("changes are named, and can be applied once the run is done", () => {
  const edits = [
    { path: "src/a.py", isNew: false },
    { path: "b.py", isNew: true },
  ];
  assert.equal(editsRow(details), undefined);
  const row = editsRow({ ...details, edits, state: "done" });
  assert.equal(row?.label, "2 files would change");
  assert.equal(row.description, "src/a.py, b.py (new)");
  assert.equal(row.context, "edits");
  assert.equal(editsRow({ ...details, edits })?.context, "edits.early");
});

test("what was spent and what left the machine is said", () => {
  assert.equal(usageRow(details), undefined);
  const usage = { calls: 2, tokens: 30, usd: 0 };
  assert.equal(
    usageRow({ ...details, usage })?.description,
    "2 calls \u00b7 30 tokens \u00b7 $0.00 \u00b7 nothing left this machine",
  );
  assert.match(usageRow({ ...details, usage, left: ["a", "b"] })?.description ?? "", /by a, b$/);
  assert.equal(usageRow({ ...details, error: "It failed." })?.label, "It failed.");
});

const STATES: readonly RunState[] = [
  ...(["running", "paused", "waiting", "interrupted"] as const),
  ...(["done", "failed", "cancelled"] as const),
];

for (const [action, states] of [
  ["answer", ["waiting"]],
  ["apply", ["done"]],
  ["cancel", ["running", "paused", "waiting", "interrupted"]],
  ["pause", ["running", "waiting"]],
  ["resume", ["paused", "interrupted"]],
] as const) {
  test(`${action} is for a run that is ${states.join(" or ")}`, () => {
    assert.deepEqual(
      STATES.filter((state) => can(action, state)),
      states,
    );
  });
}

test("an input is text, or JSON where the ensemble wants that", () => {
  assert.equal(inputOf("a.py", "text"), "a.py");
  assert.deepEqual(inputOf('{"wish": "x"}', "{wish: text}"), { wish: "x" });
  assert.throws(() => inputOf("a.py", "{wish: text}"), /JSON/);
});

const applied: Applied = { applied: true, files: ["a"], tested: null, said: "", output: "" };
for (const [answer, said] of [
  [applied, "1 file changed."],
  [{ ...applied, tested: true, said: "The tests pass." }, "The tests pass, and 1 file changed."],
  [{ ...applied, applied: false }, "Nothing was changed."],
  [{ ...applied, applied: false, said: "It was not allowed." }, "It was not allowed."],
  [{ ...applied, applied: false, tested: false, said: "The tests fail." }, "The tests fail."],
] as const) {
  test(`what became of changes: ${said}`, () => {
    assert.equal(appliedSentence(answer), said);
  });
}
