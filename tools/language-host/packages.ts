/** What `pulumi package add` asks a language host for: an SDK, its entry in the program's package.json, and an install. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as grpc from "@grpc/grpc-js";
import language from "@pulumi/pulumi/proto/language_pb.js";

import { generateSdk } from "../setup/languages.ts";

import type {
  GeneratePackageRequest,
  InstallDependenciesRequest,
  InstallDependenciesResponse,
  LinkRequest,
} from "@pulumi/pulumi/proto/language_pb.js";

/** By the CLI's own generators, which this host does not have itself. */
export async function generatePackage(request: GeneratePackageRequest) {
  const folder = await mkdtemp(join(tmpdir(), "sdk-"));
  try {
    const schema = join(folder, "schema.json");
    await writeFile(schema, request.getSchema());
    await generateSdk({ language: "nodejs", schema, folder: request.getDirectory(), local: request.getLocal() });
    return new language.GeneratePackageResponse();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Names the SDKs in the program's package.json, by their folders. */
export async function link(request: LinkRequest) {
  const root = request.getInfo()?.getRootDirectory() ?? ".";
  const file = join(root, "package.json");
  const manifest = JSON.parse(await readFile(file, "utf8")) as { dependencies?: Record<string, string> };
  const names: string[] = [];
  for (const each of request.getPackagesList()) {
    const { name } = JSON.parse(await readFile(join(root, each.getPath(), "package.json"), "utf8")) as { name: string };
    manifest.dependencies = { ...manifest.dependencies, [name]: `file:${each.getPath()}` };
    names.push(name);
  }
  await writeFile(file, `${JSON.stringify(manifest, undefined, 2)}\n`);
  const answer = new language.LinkResponse();
  answer.setImportInstructions(names.map((name) => `import * as platforms from "${name}";`).join("\n"));
  return answer;
}

/** `npm install`, whose output the CLI shows. */
export function installDependencies(
  call: grpc.ServerWritableStream<InstallDependenciesRequest, InstallDependenciesResponse>,
): void {
  const info = call.request.getInfo();
  const cwd = [info?.getRootDirectory(), call.request.getDirectory()].find((each) => each !== undefined && each !== "");
  const child = spawn("npm", ["install", "--no-audit", "--no-fund"], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  for (const [stream, put] of [
    [child.stdout, "setStdout"],
    [child.stderr, "setStderr"],
  ] as const)
    stream.on("data", (text: Buffer) => {
      const answer = new language.InstallDependenciesResponse();
      answer[put](text);
      call.write(answer);
    });
  const failed = (message: string): void => {
    call.destroy(Object.assign(new Error(message), { code: grpc.status.INTERNAL }));
  };
  child.on("error", (error) => {
    failed(`npm could not be started: ${error.message}`);
  });
  child.on("close", (code) => {
    if (code === 0) call.end();
    else failed(`npm install ended with ${String(code)}`);
  });
}
