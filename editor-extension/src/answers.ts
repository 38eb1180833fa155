// Explain, document and ask: the editor's place goes to the server, its answer into a preview.
import * as vscode from "vscode";
import { SERVER_COMMANDS } from "./protocol";
import {
  type Answer,
  type Question,
  type Selected,
  problemOf,
  questionAbout,
  reviewOf,
  toShow,
} from "./questions";
import type { ReportDocuments } from "./report_documents";
import type { Server } from "./server";

const REPORT = "COAI Answer";

/** What the commands need of the extension. */
interface Parts {
  readonly server: Server;
  readonly reports: ReportDocuments;
}

/** Explain what is selected, or the function at the cursor. */
export function explainCode(parts: Parts): Promise<void> {
  return ask(parts, SERVER_COMMANDS.explain);
}

/** Document the function at the cursor. */
export function documentFunction(parts: Parts): Promise<void> {
  return ask(parts, SERVER_COMMANDS.document);
}

/** Review the function at the cursor. */
export function reviewFunction(parts: Parts): Promise<void> {
  return show(parts, SERVER_COMMANDS.review, reviewOf(selected(), "function"));
}

/** Review what changed in the file since the last commit. */
export function reviewFile(parts: Parts): Promise<void> {
  return show(parts, SERVER_COMMANDS.review, reviewOf(selected(), "file"));
}

/** Answer a question about what is selected, or about the function at the cursor. */
export async function askAboutCode(parts: Parts): Promise<void> {
  const where = selected();
  const question = await vscode.window.showInputBox({
    title: "COAI",
    prompt: "What do you want to know about this code?",
    validateInput: problemOf,
    ignoreFocusOut: true,
  });
  if (question !== undefined) {
    await ask(parts, SERVER_COMMANDS.ask, question, where);
  }
}

function ask(
  parts: Parts,
  command: string,
  question?: string,
  where: Selected = selected(),
): Promise<void> {
  return show(parts, command, questionAbout(where, question));
}

async function show({ server, reports }: Parts, command: string, asked: Question): Promise<void> {
  // The server shows the progress and the way to stop.
  const answer = await server.execute<Answer>(command, asked);
  const text = toShow(answer);
  if (text !== undefined) {
    reports.add(REPORT, () => Promise.resolve(text));
    await reports.show(REPORT);
  }
}

function selected(): Selected {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    throw new Error("Open a file, and put the cursor where the code is that you mean.");
  }
  const { start, end } = editor.selection;
  return {
    uri: editor.document.uri.toString(),
    start: { line: start.line, character: start.character },
    end: { line: end.line, character: end.character },
  };
}
