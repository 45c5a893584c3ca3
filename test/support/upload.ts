/** Uploads of bodies that are too big for the memory. */
import { createHash, randomBytes } from "node:crypto";
import { request } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

export interface Uploaded {
  readonly status: number;
  readonly body: string;
  /** `<bytes> <sha256>` of what was sent. */
  readonly sent: string;
}

/** Sends so many MiB, each with other content, as they are made. Throws if no answer comes. */
export async function upload(address: string, ca: string, url: string, mebibytes: number): Promise<Uploaded> {
  const { hostname, pathname, search } = new URL(url);
  const hash = createHash("sha256");
  const size = mebibytes * 1024 * 1024;
  const sending = request({
    ...{ host: address, servername: hostname, ca, method: "POST", path: pathname + search, agent: false },
    headers: { host: hostname, "content-length": String(size) },
  });
  const answered = new Promise<Pick<Uploaded, "status" | "body">>((resolve, reject) => {
    sending.on("error", reject);
    sending.on("response", (answer) => {
      let body = "";
      answer.on("data", (part: Buffer) => (body += part.toString()));
      answer.on("end", () => {
        resolve({ status: answer.statusCode ?? 0, body });
      });
    });
  });
  const piece = randomBytes(1024 * 1024);
  function* pieces(): Generator<Buffer> {
    for (let number = 0; number < mebibytes; number++) {
      const next = Buffer.from(piece);
      next.writeUInt32BE(number);
      hash.update(next);
      yield next;
    }
  }
  // A refused client gets its answer before all is sent, and cannot send the rest.
  await pipeline(Readable.from(pieces()), sending).catch(() => undefined);
  return { ...(await answered), sent: `${String(size)} ${hash.digest("hex")}` };
}
