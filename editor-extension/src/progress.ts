// Progress of the server's that the user can stop, as a notification with a button.
//
// The language client shows all progress as a line of the status bar, which has no button.
import * as vscode from "vscode";
import {
  type ProgressToken,
  type WorkDoneProgressBegin,
  type WorkDoneProgressEnd,
  type WorkDoneProgressReport,
} from "vscode-languageclient/node";

interface Bar {
  readonly report: (progress: WorkDoneProgressReport) => void;
  readonly end: () => void;
}

/** The notifications of what can be stopped, by the server's tokens. */
export class ProgressBars {
  readonly #bars = new Map<ProgressToken, Bar>();

  /** Show a step of some work, unless it cannot be stopped; `stop` tells the server to. */
  handle(
    token: ProgressToken,
    step: WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd,
    next: () => void,
    stop: () => void,
  ): void {
    if (step.kind === "begin" && step.cancellable === true) {
      this.#bars.set(token, open(step, stop));
      return;
    }
    const bar = this.#bars.get(token);
    if (bar === undefined) {
      next();
    } else if (step.kind === "report") {
      bar.report(step);
    } else {
      bar.end();
      this.#bars.delete(token);
    }
  }

  /** Take all of them away, as when the server has ended. */
  clear(): void {
    for (const bar of this.#bars.values()) {
      bar.end();
    }
    this.#bars.clear();
  }
}

function open(begin: WorkDoneProgressBegin, stop: () => void): Bar {
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let show: (progress: WorkDoneProgressReport) => void = () => undefined;
  let done = 0;
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: begin.title,
    cancellable: true,
  };
  void vscode.window.withProgress(options, (bar, token) => {
    token.onCancellationRequested(stop);
    show = ({ message, percentage }) => {
      const increment = Math.max(0, (percentage ?? done) - done);
      done += increment;
      bar.report({ increment, ...(message === undefined ? {} : { message }) });
    };
    return ended;
  });
  return {
    report: (progress) => {
      show(progress);
    },
    end,
  };
}
