/** What a person needs to know when a step cannot be done: one sentence with the remedy, and where the details are. */
export class Problem extends Error {
  /** A file with everything that the failed step printed. */
  readonly log: string | undefined;

  constructor(sentence: string, log?: string, options?: ErrorOptions) {
    super(sentence, options);
    this.name = "Problem";
    this.log = log;
  }
}

/** The error's code (`ENOENT`, `ENOSPC`, …), if it has one. Without instanceof, as jest's sandbox has its own Error. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Any error as text to show: never a stack trace. */
export function describe(error: unknown): string {
  if (error instanceof Problem)
    return error.log === undefined ? error.message : `${error.message}\n  log: ${error.log}`;
  const code = codeOf(error);
  if (code === "ENOSPC")
    return "the disk is full: make room and run the same command again, it goes on where it stopped";
  if (code === "EACCES" || code === "EROFS") return `${String(error)}: give this user the right to write there`;
  return error instanceof Error ? error.message : String(error);
}
