// When a document that is being typed in is looked at: in a lull, so that completions go first.
import * as vscode from "vscode";

/** What completions are being worked at. */
export interface Activities {
  /** How many there are now. */
  readonly pending: () => number;
  readonly onChange: vscode.Event<{ readonly pending: number }>;
}

/** The user has paused when nothing was typed for so long. */
const LULL_MS = 700;

/** Findings do not wait longer than this for completions. */
const LONGEST_MS = 5_000;

/**
 * Return when the user has paused and no completion is being worked at, or at once if the document
 * is saved. Each keystroke cancels the token, and asks anew.
 */
export async function lull(
  document: vscode.TextDocument | vscode.Uri,
  token: vscode.CancellationToken,
  activity: Activities,
): Promise<void> {
  if (document instanceof vscode.Uri || !document.isDirty) {
    return;
  }
  await waitFor(LULL_MS, token);
  if (activity.pending() > 0) {
    await waitFor(LONGEST_MS, token, (stop) =>
      activity.onChange(({ pending }) => {
        if (pending === 0) {
          stop();
        }
      }),
    );
  }
  if (token.isCancellationRequested) {
    throw new vscode.CancellationError();
  }
}

/** Wait so long, or until the token is cancelled or what was subscribed to calls `stop`. */
async function waitFor(
  milliseconds: number,
  token: vscode.CancellationToken,
  subscribe?: (stop: () => void) => vscode.Disposable,
): Promise<void> {
  const subscriptions: vscode.Disposable[] = [];
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    const stop = (): void => {
      clearTimeout(timer);
      resolve();
    };
    if (token.isCancellationRequested) {
      stop();
      return;
    }
    subscriptions.push(token.onCancellationRequested(stop));
    if (subscribe !== undefined) {
      subscriptions.push(subscribe(stop));
    }
  });
  vscode.Disposable.from(...subscriptions).dispose();
}
