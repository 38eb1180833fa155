// Making the server's environment before the user's eyes, and taking it away again.
import * as vscode from "vscode";
import { type ManagedEnvironment, SetupError } from "./environment";
import { selectedInterpreter } from "./interpreter";
import { StoppedError } from "./programs";
import type { Server } from "./server";

const SET_UP = "Set Up";
const CHOOSE = "I Have It Already";
const SHOW_LOG = "Show Log";

/** Where the extension notes that the user was asked, so that each version asks once. */
const ASKED = "askedToSetUp";

/** Sets the server up and removes it. */
export class Setup {
  readonly #server: Server;
  readonly #managed: ManagedEnvironment;
  readonly #log: vscode.LogOutputChannel;
  readonly #context: vscode.ExtensionContext;
  #making: Promise<void> | undefined;

  constructor(
    server: Server,
    managed: ManagedEnvironment,
    log: vscode.LogOutputChannel,
    context: vscode.ExtensionContext,
  ) {
    this.#server = server;
    this.#managed = managed;
    this.#log = log;
    this.#context = context;
  }

  /** Ask whether to set the server up, once for each version of the extension. */
  async offer(): Promise<void> {
    const version = (this.#context.extension.packageJSON as { version: string }).version;
    if (this.#context.globalState.get(ASKED) === version || !(await this.#managed.possible())) {
      return;
    }
    await this.#context.globalState.update(ASKED, version);
    const answer = await vscode.window.showInformationMessage(
      "COAI needs its server, a Python program. Set it up now? It goes into an environment of " +
        "its own, with packages from your package index, and can be removed again.",
      SET_UP,
      CHOOSE,
    );
    if (answer === SET_UP) {
      await this.make();
    } else if (answer === CHOOSE) {
      await vscode.commands.executeCommand("workbench.action.openSettings", "coai.server.path");
    }
  }

  /** Make the environment with progress and a way to stop, then start the server in it. */
  make(): Promise<void> {
    // Whoever asks a second time waits for the first: both would write to the same place.
    this.#making ??= this.#makeAndStart().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  async #makeAndStart(): Promise<void> {
    try {
      await this.#server.whileSettingUp(() => this.#make());
    } catch (error) {
      if (error instanceof StoppedError) {
        this.#log.info("The setup was stopped, and what it had made is removed.");
      } else {
        const why = error instanceof Error ? error.message : String(error);
        this.#log.error(`The setup failed: ${why}`);
        void this.#complain(error instanceof SetupError ? why : `The setup failed: ${why}`);
      }
    }
    await this.#server.restart();
  }

  /** Remove the environment, after asking. */
  async remove(): Promise<void> {
    const answer = await vscode.window.showWarningMessage(
      "Remove the environment that this extension has made for COAI's server? " +
        "Models and settings stay.",
      { modal: true },
      "Remove",
    );
    if (answer !== "Remove") {
      return;
    }
    const there = await this.#server.whileSettingUp(() => this.#managed.remove());
    void vscode.window.showInformationMessage(
      there ? "COAI's environment is removed." : "There was no environment to remove.",
    );
    await this.#server.restart();
  }

  async #make(): Promise<void> {
    const selected = await selectedInterpreter();
    const options = {
      location: vscode.ProgressLocation.Notification,
      title: "Setting up COAI's server",
      cancellable: true,
    };
    await vscode.window.withProgress(options, async (bar, token) => {
      const stop = new AbortController();
      token.onCancellationRequested(() => {
        stop.abort();
      });
      await this.#managed.make(selected, {
        progress: (message) => {
          bar.report({ message });
        },
        log: (line) => {
          this.#log.info(line);
        },
        signal: stop.signal,
      });
    });
  }

  async #complain(why: string): Promise<void> {
    if ((await vscode.window.showErrorMessage(why, SHOW_LOG)) === SHOW_LOG) {
      this.#log.show();
    }
  }
}
