/** A refusal in Docker's own form: a status and one sentence. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;

  constructor(message: string, status = 403) {
    super(message);
    this.status = status;
  }
}
