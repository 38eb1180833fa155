// Makes, finds and removes the environment that the server runs in where the user has none.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import * as path from "node:path";
import {
  type Command,
  type Layout,
  type Parts,
  OLDEST_PYTHON,
  PRINT_VERSION,
  cleanVariables,
  isNewEnough,
  layout,
  meaning,
  pythons,
  steps,
} from "./managed";
import { ProgramError, StoppedError, run } from "./programs";

const PROBE_MS = 15_000;
const STEP_MS = 20 * 60_000;

/** What the environment is made of and where. */
export interface Ground {
  /** The extension's folder, whose `server/` holds the wheel and the lock. */
  readonly extension: string;
  /** The extension's storage, which VS Code keeps for it. */
  readonly storage: string;
  readonly windows: boolean;
  readonly variables: NodeJS.ProcessEnv;
}

/** Who is told how far it is. */
export interface Witness {
  /** A few words for the progress bar. */
  readonly progress: (message: string) => void;
  /** A line for the log. */
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** The environment cannot be made; the message says what to do. */
export class SetupError extends Error {
  override readonly name = "SetupError";
}

const LOCK = "requirements.lock";

/** The environment for the wheel that this extension brings. */
export class ManagedEnvironment {
  readonly #ground: Ground;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** Return the server's program, if the environment is there and whole. */
  async program(): Promise<string | undefined> {
    let where: Layout | undefined;
    try {
      where = await this.#layout();
    } catch {
      // Parts that cannot be read, as while the extension is being updated, name no environment.
      return undefined;
    }
    return where !== undefined && (await isFile(where.marker)) ? where.program : undefined;
  }

  /** Say whether this extension brings a server to make an environment from. */
  async possible(): Promise<boolean> {
    return (await this.#parts()) !== undefined;
  }

  /** Make the environment and return the server's program; nothing is left behind on failure. */
  async make(selected: string | undefined, witness: Witness): Promise<string> {
    const parts = await this.#parts();
    const where = await this.#layout();
    if (parts === undefined || where === undefined) {
      throw new SetupError(
        "This build of the extension brings no server. Install it with your package manager, and " +
          "name it in the setting coai.server.path.",
      );
    }
    await this.remove();
    await mkdir(path.dirname(where.folder), { recursive: true });
    try {
      const python = await this.#python(selected, witness);
      for (const step of steps(python, parts, where)) {
        witness.progress(step.title);
        witness.log(`$ ${step.command.join(" ")}`);
        await run(step.command, {
          cwd: path.dirname(where.folder),
          env: cleanVariables(this.#ground.variables),
          signal: witness.signal,
          timeoutMs: STEP_MS,
          onLine: (line) => {
            witness.log(line);
            const told = meaning(line);
            if (told !== undefined) {
              witness.progress(told);
            }
          },
        });
      }
      await writeFile(where.marker, `${path.basename(parts.wheel)}\n`);
    } catch (error) {
      await this.remove();
      if (error instanceof ProgramError) {
        throw new SetupError(
          `${error.message} The log has all of it. On Debian and Ubuntu, python3-venv may be ` +
            "missing; behind a firewall, pip may need your package index in its configuration.",
        );
      }
      throw error;
    }
    return where.program;
  }

  /** Delete every environment that was made; return whether there was one. */
  async remove(): Promise<boolean> {
    const folder = path.join(this.#ground.storage, "server");
    const there = (await entries(folder)).length > 0;
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    return there;
  }

  async #python(selected: string | undefined, witness: Witness): Promise<Command> {
    for (const candidate of pythons(selected, this.#ground.windows)) {
      try {
        const printed = await run([...candidate, "-I", "-c", PRINT_VERSION], {
          cwd: this.#ground.extension,
          env: cleanVariables(this.#ground.variables),
          signal: witness.signal,
          timeoutMs: PROBE_MS,
          onLine: () => undefined,
        });
        witness.log(`${candidate.join(" ")} is Python ${printed.trim()}.`);
        if (isNewEnough(printed)) {
          return candidate;
        }
      } catch (error) {
        if (error instanceof StoppedError) {
          throw error;
        }
        witness.log(error instanceof Error ? error.message : String(error));
      }
    }
    throw new SetupError(
      `COAI's server needs Python ${OLDEST_PYTHON.join(".")} or newer, and none was found. ` +
        "Install one, or select one with the Python extension, and try again.",
    );
  }

  /** Return what the extension brings, if it is all of it: without a lock nothing is installed. */
  async #parts(): Promise<Parts | undefined> {
    const folder = path.join(this.#ground.extension, "server");
    const names = await entries(folder);
    const name = names.find((entry) => entry.endsWith(".whl"));
    if (name === undefined || !names.includes(LOCK)) {
      return undefined;
    }
    return { wheel: path.join(folder, name), lock: path.join(folder, LOCK) };
  }

  async #layout(): Promise<Layout | undefined> {
    const parts = await this.#parts();
    if (parts === undefined) {
      return undefined;
    }
    const digest = createHash("sha256");
    for (const part of [parts.wheel, parts.lock]) {
      digest.update(await readFile(part));
    }
    return layout(this.#ground.storage, digest.digest("hex"), this.#ground.windows);
  }
}

/** Say whether a path is a file. */
export async function isFile(candidate: string): Promise<boolean> {
  try {
    return (await stat(candidate)).isFile();
  } catch {
    // Whatever keeps it from being looked at keeps it from being run.
    return false;
  }
}

async function entries(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    // A folder that is not there has no entries.
    return [];
  }
}
