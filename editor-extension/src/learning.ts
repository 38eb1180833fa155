// What the user says of answers, and what COAI remembers and shows of a profile.
import * as vscode from "vscode";
import { type Memory, forgetQuestion, rows } from "./memories";
import { SERVER_COMMANDS } from "./protocol";
import { type Rated, ratedSentence } from "./questions";
import type { Server } from "./server";

/** Whether there is an answer to judge; package.json shows the buttons by it. */
const HAS_ANSWER = "coai.answer";
const SHOWN_MS = 5_000;

/** What the commands need of the extension. */
interface Parts {
  readonly server: Server;
}

/** Have the last answer judged that was given. */
export function followAnswers(server: Server): vscode.Disposable {
  return server.onAnswer((answer) => {
    last = answer;
    void vscode.commands.executeCommand("setContext", HAS_ANSWER, true);
  });
}

let last: string | undefined;

/** Say whether the last answer was of help. */
export async function rate({ server }: Parts, helpful: boolean): Promise<void> {
  const rated = await server.execute<Rated>(SERVER_COMMANDS.rate, { answer: last, helpful });
  vscode.window.setStatusBarMessage(`COAI: ${ratedSentence(rated, helpful)}`, SHOWN_MS);
}

/** Ask for a profile, and show above functions what it says. */
export async function showHotSpots({ server }: Parts): Promise<void> {
  const chosen = await vscode.window.showOpenDialog({
    title: "COAI: a profile (pstats, pyinstrument, speedscope, .cpuprofile, pprof)",
    openLabel: "Show",
  });
  const path = chosen?.[0]?.fsPath;
  if (path !== undefined) {
    await server.execute(SERVER_COMMANDS.loadProfile, { path });
  }
}

/** Show nothing of a profile any more. */
export function hideHotSpots({ server }: Parts): Promise<unknown> {
  return server.execute(SERVER_COMMANDS.loadProfile, {});
}

/** List what is remembered where the user is; what is chosen is forgotten after a yes. */
export async function showMemory({ server }: Parts): Promise<void> {
  const uri = vscode.window.activeTextEditor?.document.uri.toString();
  const memories = await server.execute<Memory[]>(SERVER_COMMANDS.memory, { uri });
  if (memories.length === 0) {
    void vscode.window.showInformationMessage("COAI: Nothing of this folder is remembered.");
    return;
  }
  const chosen = await vscode.window.showQuickPick(rows(memories), {
    title: "COAI: what is remembered",
    placeHolder: "Choose what is to be forgotten",
    canPickMany: true,
  });
  if (chosen === undefined || chosen.length === 0) {
    return;
  }
  const question = forgetQuestion(chosen.length);
  if ((await vscode.window.showWarningMessage(question, { modal: true }, "Forget")) === "Forget") {
    await server.execute(SERVER_COMMANDS.forget, { ids: chosen.map(({ id }) => id) });
  }
}
