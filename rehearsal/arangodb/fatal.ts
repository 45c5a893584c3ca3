/** The server cannot go on: it logs one line and ends with exit code 1. */
export class Fatal extends Error {}

/** An answer other than success, as ArangoDB's: an HTTP status and an error number. */
export class Refused extends Error {
  readonly status: number;
  readonly errorNum: number;

  constructor(status: number, errorNum: number, message: string) {
    super(message);
    this.status = status;
    this.errorNum = errorNum;
  }
}
