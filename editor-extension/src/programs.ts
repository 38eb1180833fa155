// Runs programs for the setup of the server, with a deadline and a way to stop them.
import { spawn } from "node:child_process";
import type { Command } from "./managed";

/** What a program is run with. */
export interface Run {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Told each line of both streams. */
  readonly onLine: (line: string) => void;
}

/** A program could not be started, ended with an error, or took too long. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
}

/** The run was stopped by its signal. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
}

/** Run a program without a shell and return what it wrote; raises `ProgramError`, `StoppedError`. */
export function run(command: Command, options: Run): Promise<string> {
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    if (options.signal.aborted) {
      reject(new StoppedError(`${program} was not started.`));
      return;
    }
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
    });
    let written = "";
    let slow = false;
    const stop = (): void => {
      child.kill();
    };
    const deadline = setTimeout(() => {
      slow = true;
      stop();
    }, options.timeoutMs);
    options.signal.addEventListener("abort", stop);
    const done = (): void => {
      clearTimeout(deadline);
      options.signal.removeEventListener("abort", stop);
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8");
      let rest = "";
      stream.on("data", (chunk: string) => {
        written += chunk;
        const lines = (rest + chunk).split(/\r?\n/);
        rest = lines.pop() ?? "";
        lines.forEach(options.onLine);
      });
      stream.on("end", () => {
        if (rest !== "") {
          options.onLine(rest);
        }
      });
    }
    child.on("error", (error) => {
      done();
      reject(new ProgramError(`${program} could not be started: ${error.message}`));
    });
    child.on("close", (code, signal) => {
      done();
      if (options.signal.aborted) {
        reject(new StoppedError(`${program} was stopped.`));
      } else if (slow) {
        reject(new ProgramError(`${program} took longer than ${options.timeoutMs / 1000} s.`));
      } else if (code !== 0) {
        const how = code === null ? `by ${signal ?? "a signal"}` : `with code ${code}`;
        reject(new ProgramError(`${program} ended ${how}: ${lastLine(written)}`));
      } else {
        resolve(written);
      }
    });
  });
}

function lastLine(written: string): string {
  return written.trimEnd().split(/\r?\n/).at(-1) ?? "";
}
