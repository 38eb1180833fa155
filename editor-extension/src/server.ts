// The server's life: found, started, watched, started again when it has ended by itself.
import { homedir } from "node:os";
import { createInterface } from "node:readline";
import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  type ExecuteCommandParams,
  ExecuteCommandRequest,
  LanguageClient,
  type LanguageClientOptions,
  type StaticFeature,
  WorkDoneProgressCancelNotification,
} from "vscode-languageclient/node";
import { type ManagedEnvironment, isFile } from "./environment";
import { selectedInterpreter } from "./interpreter";
import { type Location, locate } from "./location";
import { type Level, logLine } from "./log_lines";
import { lull } from "./lull";
import { ProgressBars } from "./progress";
import { answerIn } from "./questions";
import {
  RUNS_CHANGED,
  STATUS,
  STATUS_CHANGED,
  type Status,
  WORKSPACE_TRUSTED,
} from "./protocol";
import { showAnswer } from "./report_documents";
import { CrashHistory } from "./restarts";
import { SECTION, type Settings, userSettings } from "./settings";

const ASK_MS = 10_000;

/** A server that has not answered by then hangs; a cold start on a busy machine takes some seconds. */
const START_MS = 60_000;

/** What the server is doing. */
export type ServerState =
  | { readonly kind: "stopped" }
  | { readonly kind: "missing"; readonly why: string }
  | { readonly kind: "settingUp" }
  | { readonly kind: "starting" }
  | { readonly kind: "running" }
  /** It has ended by itself, and is started again in a moment unless this was `final`. */
  | { readonly kind: "crashed"; readonly final: boolean }
  | { readonly kind: "failed"; readonly why: string };

/** What the user is doing with completions right now. */
export interface Activity {
  /** Requests that are being answered. */
  readonly pending: number;
}

/** Runs the server and speaks to it. */
export class Server implements vscode.Disposable {
  readonly #log: vscode.LogOutputChannel;
  readonly #managed: ManagedEnvironment;
  readonly #settingNames: readonly string[];
  readonly #history = new CrashHistory();
  readonly #bars = new ProgressBars();
  readonly #stateChanged = new vscode.EventEmitter<ServerState>();
  readonly #activityChanged = new vscode.EventEmitter<Activity>();
  readonly #statusChanged = new vscode.EventEmitter<void>();
  readonly #answered = new vscode.EventEmitter<string>();
  readonly #runsChanged = new vscode.EventEmitter<void>();
  #state: ServerState = { kind: "stopped" };
  #client: LanguageClient | undefined;
  #retry: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #pending = 0;
  #command = "";

  /** Fires when the server does something else. */
  readonly onState = this.#stateChanged.event;
  /** Fires when a completion request begins or ends. */
  readonly onActivity = this.#activityChanged.event;
  /** Fires when a specialist has given an answer that can be judged. */
  readonly onAnswer = this.#answered.event;
  /** Fires when something has happened in runs that are watched. */
  readonly onRuns = this.#runsChanged.event;
  /** Fires when the server says that its status is another. */
  readonly onStatus = this.#statusChanged.event;

  constructor(
    log: vscode.LogOutputChannel,
    managed: ManagedEnvironment,
    settingNames: readonly string[],
  ) {
    this.#log = log;
    this.#managed = managed;
    this.#settingNames = settingNames;
  }

  /** What it is doing. */
  get state(): ServerState {
    return this.#state;
  }

  /** The server's program and version. */
  get name(): string {
    return this.#client === undefined ? this.#command : `${version(this.#client)}, ${this.#command}`;
  }

  /** Find the server and start it, unless it runs. */
  start(): Promise<void> {
    return this.#next(() => this.#start());
  }

  /** Stop the server and start it again, as the user's own wish. */
  restart(): Promise<void> {
    return this.#next(async () => {
      this.#history.forget();
      await this.#stop();
      await this.#start();
    });
  }

  /** Restart the server if another program would be started now. */
  async relocate(): Promise<void> {
    const location = await this.locate();
    if (location.found && location.command !== this.#command) {
      await this.restart();
    }
  }

  /** Tell the server that the user trusts the workspace now, whose own rules count then. */
  async trust(): Promise<void> {
    try {
      await this.#running()?.sendNotification(WORKSPACE_TRUSTED, { trusted: true });
    } catch (error) {
      // The server is going; the next one is told when it starts.
      this.#log.debug(`The server was not told of the trust: ${String(error)}`);
    }
    await this.relocate();
  }

  /** Stop the server; nothing starts it again but `start` and `restart`. */
  stop(): Promise<void> {
    return this.#next(() => this.#stop());
  }

  /** Stop the server, and show that it is being set up until `work` is done. */
  whileSettingUp<T>(work: () => Promise<T>): Promise<T> {
    return this.#next(async () => {
      await this.#stop();
      this.#become({ kind: "settingUp" });
      try {
        return await work();
      } finally {
        this.#become({ kind: "stopped" });
      }
    });
  }

  /** Look for the server's program. */
  async locate(): Promise<Location> {
    return locate(
      {
        setting: vscode.workspace.getConfiguration(SECTION).get<string>("server.path", "").trim(),
        interpreter: await selectedInterpreter(),
        searchPath: process.env["PATH"],
        managed: await this.#managed.program(),
        home: homedir(),
        windows: process.platform === "win32",
      },
      isFile,
    );
  }

  /** Return the server's status for a document, or nothing if it does not run. */
  async status(document: vscode.Uri | undefined): Promise<Status | undefined> {
    const client = this.#running();
    return client?.sendRequest<Status>(STATUS, { uri: document?.toString() ?? null });
  }

  /** Have the server run one of its commands; raises the server's error. */
  async execute<T>(command: string, ...args: unknown[]): Promise<T> {
    const client = this.#running();
    if (client === undefined) {
      throw new Error("COAI's server does not run. “COAI: Show Menu” tells why.");
    }
    const params: ExecuteCommandParams = { command, arguments: args };
    const returned: unknown = await client.sendRequest(ExecuteCommandRequest.type, params);
    this.#hear(returned);
    return returned as T;
  }

  /** Stop the server and let go of everything. */
  dispose(): void {
    void this.stop();
    this.#stateChanged.dispose();
    this.#activityChanged.dispose();
    this.#statusChanged.dispose();
    this.#answered.dispose();
    this.#runsChanged.dispose();
  }

  /** Take note of an answer that the user may want to judge. */
  #hear(returned: unknown): void {
    const answer = answerIn(returned);
    if (answer !== undefined) {
      this.#answered.fire(answer);
    }
  }

  /** Do one thing after the other: a start and a stop must not overlap. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    // What goes wrong is told to who asked, and is no reason for the next one not to have its turn.
    this.#turn = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  async #start(): Promise<void> {
    clearTimeout(this.#retry);
    if (this.#client !== undefined) {
      return;
    }
    this.#become({ kind: "starting" });
    const location = await this.locate();
    if (!location.found) {
      this.#log.warn(location.why);
      this.#become({ kind: "missing", why: location.why });
      return;
    }
    this.#command = location.command;
    this.#log.info(`Starting ${location.command} (found by ${location.origin}).`);
    const client = this.#newClient(location.command);
    this.#client = client;
    try {
      await answered(client);
    } catch (error) {
      // If the process has ended, `#ended` was told and has the say already.
      if (this.#client === client) {
        this.#client = undefined;
        const why = error instanceof Error ? error.message : String(error);
        this.#become({ kind: "failed", why });
        await dispose(client, this.#log);
      }
      return;
    }
    if (this.#client === client) {
      this.#log.info(`The server is ${version(client)}.`);
      this.#become({ kind: "running" });
    }
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#retry);
    const client = this.#client;
    this.#client = undefined;
    this.#become({ kind: "stopped" });
    if (client !== undefined) {
      await dispose(client, this.#log);
    }
  }

  #ended(client: LanguageClient): void {
    if (this.#client !== client) {
      return;
    }
    this.#client = undefined;
    const verdict = this.#history.ended(Date.now());
    this.#become({ kind: "crashed", final: !verdict.restart });
    if (verdict.restart) {
      this.#log.warn(`The server has ended by itself; it is started in ${verdict.delayMs} ms.`);
      this.#retry = setTimeout(() => void this.start(), verdict.delayMs);
    } else {
      this.#log.error(`The server has ended by itself ${verdict.crashes} times; it is left alone.`);
    }
  }

  #newClient(command: string): LanguageClient {
    const options: LanguageClientOptions = {
      documentSelector: [
        { scheme: "file" },
        { scheme: "untitled" },
        { scheme: "vscode-notebook-cell" },
      ],
      outputChannel: this.#log,
      // What is pushed is of files that are not open; the others are asked for, under our own name.
      diagnosticCollectionName: "coai-audit",
      stdioOptions: { stdout: follow, stderr: follow },
      diagnosticPullOptions: { onChange: true, onSave: true },
      initializationOptions: () => this.#userSettings(),
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          this.#ended(client);
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
      middleware: {
        window: {
          showDocument: async (params, token, next) =>
            (await showAnswer(params.uri)) ? { success: true } : next(params, token),
        },
        workspace: {
          configuration: (params) =>
            params.items.map((item) => (item.section === SECTION ? this.#userSettings() : null)),
        },
        // What a code action or a lens leads to is asked by the client itself.
        executeCommand: async (command, args, next) => {
          const returned: unknown = await next(command, args);
          this.#hear(returned);
          return returned;
        },
        handleWorkDoneProgress: (token, step, next) => {
          this.#bars.handle(token, step, next as () => void, () => {
            void client.sendNotification(WorkDoneProgressCancelNotification.type, { token });
          });
        },
        provideDiagnostics: async (document, previousResultId, token, next) => {
          const activity = { pending: () => this.#pending, onChange: this.onActivity };
          await lull(document, token, activity);
          return next(document, previousResultId, token);
        },
        provideInlineCompletionItems: async (document, position, context, token, next) => {
          this.#think(1);
          try {
            return await next(document, position, context, token);
          } finally {
            this.#think(-1);
          }
        },
      },
    };
    // A server of a user's own environment must not import what lies in the workspace.
    const run = { command, args: ["serve"], options: { cwd: homedir() } };
    const client = new LanguageClient(SECTION, "COAI", run, options);
    client.registerFeature(statusFeature);
    client.onNotification(STATUS_CHANGED, () => {
      this.#statusChanged.fire();
    });
    client.onNotification(RUNS_CHANGED, () => {
      this.#runsChanged.fire();
    });
    return client;
  }

  #userSettings(): Settings {
    const all = vscode.workspace.getConfiguration();
    return userSettings(this.#settingNames, (name) => all.inspect(name));
  }

  #think(change: number): void {
    this.#pending += change;
    this.#activityChanged.fire({ pending: this.#pending });
  }

  #running(): LanguageClient | undefined {
    return this.#state.kind === "running" ? this.#client : undefined;
  }

  #become(state: ServerState): void {
    if (state.kind !== "running") {
      this.#bars.clear();
    }
    this.#state = state;
    this.#stateChanged.fire(state);
  }
}

/** Tells the server that this client wants to hear of a changed status, and whom its user trusts. */
const statusFeature: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    const others = capabilities.experimental as object | undefined;
    capabilities.experimental = {
      ...others,
      coaiStatus: true,
      coaiWorkspaceTrusted: vscode.workspace.isTrusted,
    };
  },
  initialize: () => undefined,
  getState: () => ({ kind: "static" }),
  clear: () => undefined,
};

/** Write what the server says on its standard error stream to the log. */
function follow(stream: NodeJS.ReadableStream, log: vscode.LogOutputChannel): void {
  let level: Level = "info";
  createInterface({ input: stream, crlfDelay: Infinity }).on("line", (line) => {
    const said = logLine(line, level);
    level = said.level;
    log[level](said.text);
  });
}

/** Start a client; raises what keeps it from starting, and an error if it takes too long. */
async function answered(client: LanguageClient): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`It has not answered within ${START_MS / 1000} seconds.`));
      // Whoever waits for an answer cannot be asked to end.
      client.serverProcess?.kill();
    }, START_MS);
  });
  try {
    await Promise.race([client.start(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function version(client: LanguageClient): string {
  const server = client.initializeResult?.serverInfo;
  return `${server?.name ?? "unnamed"} ${server?.version ?? "of an unknown version"}`;
}

async function dispose(client: LanguageClient, log: vscode.LogOutputChannel): Promise<void> {
  try {
    await client.dispose(ASK_MS);
  } catch (error) {
    // A client that failed or crashed cannot be stopped in order; its process is gone.
    log.debug(`The client did not stop in order: ${String(error)}`);
  }
}
