// Builds the VSIX with the server's wheel inside, and says how large it is.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { deflateRawSync } from "node:zlib";

const LARGEST_WITHOUT_SERVER = 300_000; // bytes

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const run = (program, ...args) => execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"] });
const python = process.platform === "win32" ? "python" : "python3";

rmSync("server", { recursive: true, force: true });
mkdirSync("server");
// `uv run` says where it is, and puts a Python first that has no module of that name.
const uv = process.env.UV ? [process.env.UV] : [python, "-m", "uv"];
run(...uv, "build", "--quiet", "--wheel", "--out-dir", "server", "..");
rmSync("server/.gitignore", { force: true });
const lock = execFileSync(python, ["scripts/runtime_lock.py"], { encoding: "utf-8" });
writeFileSync("server/requirements.lock", lock);
copyFileSync("../LICENSE", "LICENSE.txt");
run(process.execPath, "scripts/bundle.mjs");

const vsix = "coai.vsix";
run(
  process.execPath,
  "node_modules/@vscode/vsce/vsce",
  "package",
  "--no-dependencies",
  "--allow-missing-repository",
  "--no-rewrite-relative-links",
  "--out",
  vsix,
);
const wheel = readdirSync("server").find((name) => name.endsWith(".whl"));
const whole = statSync(vsix).size;
// A wheel is compressed already, so it takes in the VSIX what it takes here.
const rest = whole - statSync(`server/${wheel}`).size - deflateRawSync(lock).length;
const kilobytes = (bytes) => `${Math.round(bytes / 1000)} KB`;
process.stdout.write(`${vsix}: ${kilobytes(whole)}, ${kilobytes(rest)} without ${wheel} and its lock\n`);
if (rest > LARGEST_WITHOUT_SERVER) {
  process.stderr.write(`More than ${kilobytes(LARGEST_WITHOUT_SERVER)} without the server.\n`);
  process.exitCode = 1;
}
