// Reports as virtual documents, shown in the Markdown preview.
import * as vscode from "vscode";
import { isAnswer } from "./questions";

/** The scheme of their addresses. */
export const SCHEME = "coai-report";

/** Writes reports when they are asked for, and anew each time they are shown. */
export class ReportDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #writers = new Map<string, () => Promise<string>>();
  readonly #registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);

  #shown = 0;

  /** Have the report of this title written by `writer`. */
  add(title: string, writer: () => Promise<string>): void {
    this.#writers.set(title, writer);
  }

  /** Show the report of this title. */
  async show(title: string): Promise<void> {
    // VS Code keeps a document for minutes after it was closed, and its preview does not always
    // follow when that is written anew. So each time is a document of its own, in the same preview.
    this.#shown += 1;
    const uri = vscode.Uri.from({
      scheme: SCHEME,
      path: `/${title}.md`,
      query: String(this.#shown),
    });
    await vscode.commands.executeCommand("markdown.showPreview", uri);
  }

  /** See `TextDocumentContentProvider`. */
  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const title = uri.path.slice(1).replace(/\.md$/, "");
    const writer = this.#writers.get(title);
    if (writer === undefined) {
      return `There is no report called ${title}.`;
    }
    try {
      return await writer();
    } catch (error) {
      return `# COAI\n\n${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** Let go of the scheme. */
  dispose(): void {
    this.#registration.dispose();
  }
}

/** Show a document that the server wants shown: its answers are read, never edited. */
export async function showAnswer(uri: string): Promise<boolean> {
  if (!isAnswer(uri)) {
    return false;
  }
  await vscode.commands.executeCommand("markdown.showPreviewToSide", vscode.Uri.parse(uri));
  return true;
}
