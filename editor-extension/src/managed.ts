// The environment that this extension makes for the server: what is run, and where it lies.
import * as path from "node:path";

/** The oldest Python that the server runs on. */
export const OLDEST_PYTHON = [3, 11] as const;

/** A program with its first arguments. */
export type Command = readonly [program: string, ...args: string[]];

/** Prints the version as `3.12`. */
export const PRINT_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])";

/** One step of making the environment. */
export interface Step {
  readonly title: string;
  readonly command: Command;
}

/** Where the parts of a managed environment are. */
export interface Layout {
  readonly folder: string;
  readonly python: string;
  readonly program: string;
  /** A file that is there once everything is installed. */
  readonly marker: string;
}

/** What the environment is made from, as files that the extension brings. */
export interface Parts {
  readonly wheel: string;
  /** The server's dependencies with the hash of each file that may be installed. */
  readonly lock: string;
}

/** Return the layout of the environment for parts whose digest is `digest`. */
export function layout(storage: string, digest: string, windows: boolean): Layout {
  const flavour = windows ? path.win32 : path.posix;
  const folder = flavour.join(storage, "server", digest.slice(0, 12));
  const bin = flavour.join(folder, windows ? "Scripts" : "bin");
  return {
    folder,
    python: flavour.join(bin, windows ? "python.exe" : "python"),
    program: flavour.join(bin, windows ? "coai.exe" : "coai"),
    marker: flavour.join(folder, "complete"),
  };
}

/** Return the Pythons to try, best first; `selected` is the interpreter that the user has chosen. */
export function pythons(selected: string | undefined, windows: boolean): Command[] {
  const usual: Command[] = windows
    ? [["py", "-3"], ["python"], ["python3"]]
    : [["python3.13"], ["python3.12"], ["python3.11"], ["python3"], ["python"]];
  return selected === undefined ? usual : [[selected], ...usual];
}

/** Say whether what a Python printed for `PRINT_VERSION` is new enough. */
export function isNewEnough(printed: string): boolean {
  const version = /^(\d+)\.(\d+)\s*$/.exec(printed);
  if (version === null) {
    return false;
  }
  const [major, minor] = [Number(version[1]), Number(version[2])];
  return major === OLDEST_PYTHON[0] && minor >= OLDEST_PYTHON[1];
}

/**
 * Return the steps that make the environment.
 *
 * `-I` keeps the user's PYTHONPATH and the current directory out of it; pip still reads the user's
 * configuration, so the packages come from the index that is set up there. Whatever that index
 * sends, only files with a hash of the lock are installed, and none that would have to be built,
 * because building runs code that the lock does not name.
 */
export function steps(python: Command, parts: Parts, where: Layout): Step[] {
  const install = [
    ...[where.python, "-I", "-m", "pip", "install", "--disable-pip-version-check"],
    ...["--no-input", "--progress-bar", "off"],
  ] as const;
  const locked = ["--require-hashes", "--only-binary", ":all:", "-r", parts.lock];
  return [
    {
      title: "Making an environment",
      command: [...python, "-I", "-m", "venv", "--clear", where.folder],
    },
    {
      title: "Installing what the server needs",
      command: [...install, ...locked] as unknown as Command,
    },
    {
      title: "Installing the server",
      command: [...install, "--no-deps", "--no-index", parts.wheel] as unknown as Command,
    },
    { title: "Trying the server", command: [where.program, "--version"] },
  ];
}

/** Return what a line of pip's output tells the user, if it tells anything. */
export function meaning(line: string): string | undefined {
  const collecting = /^\s*Collecting ([A-Za-z0-9._-]+)/.exec(line);
  if (collecting?.[1] !== undefined) {
    return `Fetching ${collecting[1]}`;
  }
  return /^\s*Installing collected packages/.test(line) ? "Installing" : undefined;
}

/** Return the environment's variables without what would lead a Python elsewhere. */
export function cleanVariables(variables: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const misleading = new Set(["PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"]);
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !misleading.has(name)));
}
