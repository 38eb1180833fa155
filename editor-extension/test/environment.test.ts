// The environment is made by real programs; only Python is stood in for, by a script of ours.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { ManagedEnvironment, SetupError, type Witness } from "../src/environment";
import { StoppedError, run } from "../src/programs";

const options = { skip: process.platform === "win32" ? "the stand-in is a shell script" : false };

let folder: string;
let log: string[];
let told: string[];
let stop: AbortController;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "coai-"));
  mkdirSync(path.join(folder, "ext", "server"), { recursive: true });
  mkdirSync(path.join(folder, "bin"));
  writeFileSync(path.join(folder, "ext", "server", "coai-0.1.0-py3-none-any.whl"), "wheel");
  writeFileSync(path.join(folder, "ext", "server", "requirements.lock"), "attrs==1 --hash=sha256:00");
  log = [];
  told = [];
  stop = new AbortController();
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Put a Python in place that says its version and, asked for venv, makes one that does `inside`. */
function standIn(version: string, inside: string): string {
  const python = path.join(folder, "bin", "python3");
  const script = `#!/bin/sh
case "$*" in
  *sys.version_info*) echo ${version} ;;
  *venv*) for last in "$@"; do :; done
    mkdir -p "$last/bin"
    printf '#!/bin/sh\\n${inside}\\n' > "$last/bin/python"
    printf '#!/bin/sh\\necho coai 0.1.0\\n' > "$last/bin/coai"
    chmod +x "$last/bin/python" "$last/bin/coai" ;;
esac
`;
  writeFileSync(python, script, { mode: 0o755 });
  return python;
}

function environment(): ManagedEnvironment {
  return new ManagedEnvironment({
    extension: path.join(folder, "ext"),
    storage: path.join(folder, "storage"),
    windows: false,
    variables: { PATH: "/usr/bin:/bin" },
  });
}

function witness(): Witness {
  return {
    progress: (message) => told.push(message),
    log: (line) => log.push(line),
    signal: stop.signal,
  };
}

test("an environment is made, found again, and removed", options, async () => {
  const python = standIn("3.12", "echo Collecting attrs");
  const managed = environment();
  assert.equal(await managed.program(), undefined);
  const program = await managed.make(python, witness());
  assert.equal(await managed.program(), program);
  assert.ok(told.includes("Fetching attrs"));
  assert.ok(log.some((line) => line.includes("coai 0.1.0")));
  assert.equal(await managed.remove(), true);
  assert.equal(await managed.program(), undefined);
  assert.equal(await managed.remove(), false);
});

test("a failed installation says why and leaves nothing behind", options, async () => {
  const python = standIn("3.12", "echo no such index; exit 3");
  await assert.rejects(environment().make(python, witness()), (error) => {
    assert.ok(error instanceof SetupError);
    assert.match(error.message, /code 3: no such index.*python3-venv/);
    return true;
  });
  assert.equal(existsSync(path.join(folder, "storage", "server")), false);
});

test("stopping it leaves nothing behind", options, async () => {
  const python = standIn("3.12", "exec sleep 60");
  const made = environment().make(python, {
    ...witness(),
    progress: (message) => {
      if (message === "Installing what the server needs") {
        setTimeout(() => {
          stop.abort();
        }, 50);
      }
    },
  });
  await assert.rejects(made, StoppedError);
  assert.equal(existsSync(path.join(folder, "storage", "server")), false);
});

test("Pythons that are too old are passed over, and the end says what is needed", options, async () => {
  const python = standIn("3.9", "true");
  const managed = new ManagedEnvironment({
    extension: path.join(folder, "ext"),
    storage: path.join(folder, "storage"),
    windows: false,
    variables: { PATH: path.join(folder, "bin") },
  });
  await assert.rejects(managed.make(python, witness()), /3\.11 or newer/);
  assert.ok(log.some((line) => line.includes("is Python 3.9")));
});

for (const missing of ["", "coai-0.1.0-py3-none-any.whl", "requirements.lock"]) {
  test(`a build without server/${missing} says so`, options, async () => {
    rmSync(path.join(folder, "ext", "server", missing), { recursive: true });
    const managed = environment();
    assert.equal(await managed.possible(), false);
    await assert.rejects(managed.make(undefined, witness()), /brings no server/);
  });
}

test("an environment of another lock is not taken", options, async () => {
  const managed = environment();
  await managed.make(standIn("3.12", "true"), witness());
  writeFileSync(path.join(folder, "ext", "server", "requirements.lock"), "attrs==2 --hash=sha256:00");
  assert.equal(await managed.program(), undefined);
});

test("an environment of another wheel is not taken", options, async () => {
  const managed = environment();
  await managed.make(standIn("3.12", "true"), witness());
  writeFileSync(path.join(folder, "ext", "server", "coai-0.1.0-py3-none-any.whl"), "newer");
  assert.equal(await managed.program(), undefined);
  await managed.make(standIn("3.12", "true"), witness());
  assert.equal(readdirSync(path.join(folder, "storage", "server")).length, 1);
  const [only] = readdirSync(path.join(folder, "storage", "server"));
  assert.match(readFileSync(path.join(folder, "storage", "server", only ?? "", "complete"), "utf8"), /whl/);
});

test("a program that takes too long is ended", options, async () => {
  const slow = run(["sleep", "60"], {
    cwd: folder,
    env: process.env,
    signal: stop.signal,
    timeoutMs: 20,
    onLine: () => undefined,
  });
  await assert.rejects(slow, /took longer/);
});

test("a wheel that cannot be read is no reason to fail", async () => {
  const wheel = path.join(folder, "ext", "server", "coai-0.1.0-py3-none-any.whl");
  rmSync(wheel);
  mkdirSync(wheel);
  assert.equal(await environment().program(), undefined);
});
