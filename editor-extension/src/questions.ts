// What the server is asked about code, and what is done with its answer: decided here.

/** The scheme of answers that grow while they are shown; the server serves their text. */
export const ANSWERS = "coai-answer";

/** A place in a document, as the protocol counts it: from 0, in UTF-16. */
export interface Place {
  readonly line: number;
  readonly character: number;
}

/** Where the user is: a document, and what is selected in it. */
export interface Selected {
  readonly uri: string;
  readonly start: Place;
  readonly end: Place;
}

/** What a command of the server is asked. */
export interface Question {
  readonly uri: string;
  readonly range?: { readonly start: Place; readonly end: Place };
  readonly question?: string;
}

/** What it answers. */
export interface Answer {
  readonly markdown: string;
  /** The document in which it is shown already; null where the client has to show it. */
  readonly document: string | null;
  readonly stopped: boolean;
  /** What `coai.rate` takes to judge it; empty where nothing is recorded. */
  readonly answer: string;
}

/** Return what is asked about a place; `question` for a free question. */
export function questionAbout(where: Selected, question?: string): Question {
  const { uri, start, end } = where;
  const range = { start, end };
  return question === undefined ? { uri, range } : { uri, range, question: question.trim() };
}

/** Return what is reviewed: the function at the cursor, or what changed in the whole file. */
export function reviewOf(where: Selected, what: "function" | "file"): Question {
  return what === "file" ? { uri: where.uri } : questionAbout(where);
}

/** Return what is wrong with a question before it is asked, or nothing. */
export function problemOf(question: string): string | undefined {
  return question.trim() === "" ? "Write a question." : undefined;
}

/** Whether a document is an answer of ours, which is shown read and not as its source. */
export function isAnswer(uri: string): boolean {
  return uri.startsWith(`${ANSWERS}:`);
}

/** Return the text that the extension has to show itself; nothing if it is shown already. */
export function toShow(answer: Answer): string | undefined {
  return answer.document === null ? answer.markdown : undefined;
}

/** Return what an answer is called, if what a command returned is one that can be judged. */
export function answerIn(returned: unknown): string | undefined {
  const { markdown, answer } = (returned ?? {}) as Partial<Answer>;
  return typeof markdown === "string" && typeof answer === "string" && answer !== ""
    ? answer
    : undefined;
}

/** What `coai.rate` returns. */
export interface Rated {
  readonly answer: string;
  readonly agents: readonly string[];
  readonly model: string;
}

/** Return the sentence that thanks for a judgement: whom it is about. */
export function ratedSentence({ agents, model }: Rated, helpful: boolean): string {
  const who = [...agents, ...(model === "" ? [] : [model])].join(", ");
  return `Noted as ${helpful ? "helpful" : "not helpful"}: ${who}.`;
}
