/** One dependency of an application, tried the way the application would use it. */
export interface Check {
  /** Short and unique: `postgres`, `s3:staging`. Health answers and logs name it. */
  readonly name: string;
  /** Where it is, for a reader: host and port, a URL, a path. Never a credential. */
  readonly target: string;
  /** Not required: shown, but the application starts without it. */
  readonly required: boolean;
  /** Does the work; resolves to what was found in a few words, throws otherwise. */
  run(signal: AbortSignal): Promise<string>;
}
