// What is shown, kept up to date: asked for when something has happened, never by the clock.
import * as vscode from "vscode";
import type { Situation } from "./presentation";
import type { Status } from "./protocol";
import type { Server } from "./server";

/** Several events within this time ask once. */
const GATHER_MS = 150;

/** A completion shorter than this shows no spinner, so that typing does not make it flicker. */
const SPINNER_MS = 250;

/** Follows the server and the editor, and tells what to show. */
export class StatusFeed implements vscode.Disposable {
  readonly #server: Server;
  readonly #changed = new vscode.EventEmitter<Situation>();
  readonly #subscriptions: vscode.Disposable[];
  #status: Status | undefined;
  /** Counts questions and changes of the server: only the answer to the last one is shown. */
  #turn = 0;
  #thinking = false;
  #asking: NodeJS.Timeout | undefined;
  #spinner: NodeJS.Timeout | undefined;
  #waking: NodeJS.Timeout | undefined;

  /** Fires with what to show now. */
  readonly onChange = this.#changed.event;

  constructor(server: Server) {
    this.#server = server;
    this.#subscriptions = [
      server.onState((state) => {
        if (state.kind !== "running") {
          this.#turn += 1;
          this.#status = undefined;
        }
        this.#tell();
        this.refresh();
      }),
      server.onActivity(({ pending }) => {
        this.#follow(pending > 0);
      }),
      server.onStatus(() => {
        this.refresh();
      }),
      vscode.window.onDidChangeActiveTextEditor(() => {
        this.refresh();
      }),
    ];
  }

  /** What to show now. */
  get situation(): Situation {
    const { state } = this.#server;
    return {
      server: state.kind,
      why: "why" in state ? state.why : "",
      status: this.#status,
      thinking: this.#thinking,
    };
  }

  /** Ask the server soon. */
  refresh(): void {
    this.#asking ??= setTimeout(() => {
      this.#asking = undefined;
      void this.ask();
    }, GATHER_MS);
  }

  /** Ask the server now and return its status, if it runs. */
  async ask(): Promise<Status | undefined> {
    this.#turn += 1;
    const turn = this.#turn;
    let status: Status | undefined;
    try {
      status = await this.#server.status(vscode.window.activeTextEditor?.document.uri);
    } catch {
      // The server is going; its end is told by its state.
    }
    if (turn !== this.#turn) {
      // Asked again meanwhile, of another document perhaps, or the server has ended.
      return status;
    }
    this.#status = status;
    this.#wakeLater(this.#status?.completion.snoozedSeconds ?? null);
    this.#tell();
    return status;
  }

  /** Stop following. */
  dispose(): void {
    this.#turn += 1;
    for (const timer of [this.#asking, this.#spinner, this.#waking]) {
      clearTimeout(timer);
    }
    this.#changed.dispose();
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  /** While completions are snoozed, the minutes that are left are shown. */
  #wakeLater(seconds: number | null): void {
    clearTimeout(this.#waking);
    if (seconds !== null) {
      const untilNextMinute = (seconds % 60) + 0.5;
      this.#waking = setTimeout(() => {
        this.refresh();
      }, untilNextMinute * 1000);
    }
  }

  #follow(pending: boolean): void {
    if (pending) {
      this.#spinner ??= setTimeout(() => {
        this.#thinking = true;
        this.#tell();
      }, SPINNER_MS);
      return;
    }
    clearTimeout(this.#spinner);
    this.#spinner = undefined;
    this.#thinking = false;
    this.refresh();
  }

  #tell(): void {
    this.#changed.fire(this.situation);
  }
}
