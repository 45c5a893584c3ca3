/** A refusal or a failure with a message made for the operator: one line, no stack. */
export class Refusal extends Error {
  override readonly name = "Refusal";
}

/** The meaning of error codes of Node, PostgreSQL and S3, in words for an operator. */
const meanings: Readonly<Record<string, string>> = {
  ENOTFOUND: "does not resolve (is the name on this network?)",
  EAI_AGAIN: "does not resolve (is the name on this network?)",
  ECONNREFUSED: "refuses the connection (is it running?)",
  ECONNRESET: "broke the connection off",
  EHOSTUNREACH: "cannot be reached from this network",
  ENETUNREACH: "cannot be reached from this network",
  ETIMEDOUT: "did not answer in time",
  EACCES: "may not be used by this user",
  ENOENT: "does not exist",
  SELF_SIGNED_CERT_IN_CHAIN: "has a certificate of an unknown authority (mount it, set NODE_EXTRA_CA_CERTS)",
  DEPTH_ZERO_SELF_SIGNED_CERT: "has a certificate of an unknown authority (mount it, set NODE_EXTRA_CA_CERTS)",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "has a certificate of an unknown authority (mount it, set NODE_EXTRA_CA_CERTS)",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "has a certificate of an unknown authority (mount it, set NODE_EXTRA_CA_CERTS)",
  ERR_TLS_CERT_ALTNAME_INVALID: "has a certificate for another name",
  CERT_HAS_EXPIRED: "has an expired certificate",
  "28P01": "does not accept this user and password",
  "3D000": "has no such database",
  "42501": "does not allow this to the user",
  "57P03": "is starting or stopping",
  NoSuchBucket: "has no such bucket",
  InvalidAccessKeyId: "does not know this access key",
  SignatureDoesNotMatch: "does not accept this secret key",
  AccessDenied: "does not allow this to the access key",
};

/** One line about a failure of `target`, whatever was thrown. */
export function explain(target: string, error: unknown): string {
  if (error instanceof Refusal) return error.message;
  // Node tries several addresses and then throws an AggregateError with an empty message.
  if (isError(error) && "errors" in error && Array.isArray(error.errors) && error.errors.length > 0)
    return explain(target, error.errors[0]);
  if (!isError(error)) return `${target}: ${String(error)}`;
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const meaning = meanings[code ?? ""] ?? meanings[error.name];
  if (meaning !== undefined) return `${target} ${meaning}`;
  const name = error.name === "Error" ? "" : `${error.name}: `;
  return `${target}: ${name}${oneLine(error.message || (code ?? "failed"))}`;
}

/** Tells an error by its shape: `instanceof` fails for one of another realm, such as a test runner's sandbox. */
function isError(value: unknown): value is Error {
  if (typeof value !== "object" || value === null || !("name" in value) || !("message" in value)) return false;
  return typeof value.name === "string" && typeof value.message === "string";
}

export const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim().slice(0, 300);
