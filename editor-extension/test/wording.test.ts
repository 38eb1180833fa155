import assert from "node:assert/strict";
import { test } from "node:test";
import { code, fileName, megabytes, milliseconds, minutes, modelName, plain } from "../src/wording";

const cases: [string, string, string][] = [
  ["bytes are said in megabytes", megabytes(491_400_064), "491 MB"],
  ["large ones with commas", megabytes(1_117_320_768), "1,117 MB"],
  ["short times in milliseconds", milliseconds(183.4), "183 ms"],
  ["long ones in seconds", milliseconds(1234), "1.2 s"],
  ["a begun minute counts", minutes(61), "2 minutes"],
  ["the last seconds are a minute", minutes(0.1), "1 minute"],
  ["a file's name stands for its path", modelName("C:\\models\\Qwen-0.5B.gguf"), "Qwen-0.5B"],
  ["a name stays", modelName("qwen2.5-coder-0.5b"), "qwen2.5-coder-0.5b"],
  ["a path that looks like Markdown is shown as it is", plain("a_b*[x](y)"), "a\\_b\\*\\[x\\]\\(y\\)"],
  ["a command link cannot be smuggled in", plain("[x](command:y)"), "\\[x\\]\\(command:y\\)"],
  ["an address does not become a link", plain("https://x @y"), "https\\://x \\@y"],
  ["marks of direction are seen", plain("a\u202eb\u{e0041}"), "a⟨U\\+202E⟩b⟨U\\+E0041⟩"],
  ["also in code", code("a\u200bb\x1b"), "`a⟨U+200B⟩b⟨U+001B⟩`"],
  ["line ends do not break a table", plain("one\ntwo"), "one two"],
  ["backticks inside code get a longer fence", code("a`b"), "``a`b``"],
  ["at the ends they get a blank", code("`a`"), "`` `a` ``"],
  ["an address's file is named as its user does", fileName("file:///project/a%20b.py"), "a b.py"],
  ["an address that is wrong is shown as it is", fileName("file:///project/100%.py"), "100%.py"],
  ["bars do not break a table", code("a|b"), "`a\\|b`"],
];

for (const [behaviour, said, wanted] of cases) {
  test(behaviour, () => {
    assert.equal(said, wanted);
  });
}
