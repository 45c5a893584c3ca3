/** The official Pulumi release, with its language hosts, checked against the published sums. */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

import { execa } from "execa";

import { Problem } from "./problem.ts";

import type { Recipe, Say } from "./cache.ts";

const server = "https://get.pulumi.com/releases/sdk";

/** The recipe for a folder `pulumi/` with the release's executables. `from`: the download server. */
export function pulumiRelease(version: string, from = server): Recipe {
  const arch = process.arch === "x64" ? "x64" : "arm64";
  const file = `pulumi-v${version}-${process.platform}-${arch}.tar.gz`;
  return {
    name: "pulumi-official",
    version,
    inputs: [],
    options: [from],
    make: async (into, say) => {
      const sums = await (await get(`${from}/pulumi-${version}-checksums.txt`)).text();
      const line = sums.split("\n").find((each) => each.trim().endsWith(file));
      if (line === undefined) throw new Problem(`there is no official Pulumi ${version} for this machine (${file})`);
      const archive = join(into, file);
      await save(`${from}/${file}`, archive, say);
      const sum = createHash("sha256")
        .update(await readFile(archive))
        .digest("hex");
      if (sum !== line.split(/\s+/)[0])
        throw new Problem(`the download of ${file} is damaged: run the same command again`);
      await execa("tar", ["-xzf", archive, "-C", into]);
      await rm(archive);
    },
  };
}

/** Whether the download server answers within seconds. */
export async function isReachable(version: string, from = server): Promise<boolean> {
  try {
    const url = `${from}/pulumi-${version}-checksums.txt`;
    return (await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(4_000) })).ok;
  } catch {
    return false;
  }
}

async function get(url: string): Promise<Response> {
  const answer = await fetch(url).catch((error: unknown) => {
    throw new Problem(`${url} did not answer: check the network and run the same command again`, undefined, {
      cause: error,
    });
  });
  if (!answer.ok) throw new Problem(`${url} answered ${String(answer.status)}: try again later`);
  return answer;
}

async function save(url: string, path: string, say: Say): Promise<void> {
  const answer = await get(url);
  const all = Number(answer.headers.get("content-length") ?? 0);
  if (answer.body === null) throw new Problem(`${url} answered nothing: try again later`);
  let got = 0;
  const count = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      got += chunk.length;
      say(`${(got / 1e6).toFixed(0)} of ${(all / 1e6).toFixed(0)} MB of the Pulumi CLI`);
      done(null, chunk);
    },
  });
  await pipeline(Readable.fromWeb(answer.body), count, createWriteStream(path));
}
