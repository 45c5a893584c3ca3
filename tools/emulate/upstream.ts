/**
 * The AWS provider's own source, as its Go module has it, with 21 of its 265 services: the compiler needs minutes for them,
 * and half an hour for all.
 */
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The services of the resources in `tools/go/aws/resources.go`, and those that their code calls. */
const services = new Set(
  (
    "acm appautoscaling autoscaling cloudwatch cognitoidp ec2 ecs elasticache elbv2 iam logs meta organizations rds route53 " +
    "s3 s3control secretsmanager servicediscovery sns sts"
  ).split(" "),
);

/** Copies the module `from` into `to`, without the services that are not in use. Every other file is upstream's own. */
export async function copyUpstream(from: string, to: string): Promise<void> {
  await mkdir(join(to, "internal/service"), { recursive: true });
  for (const part of ["go.mod", "go.sum", "LICENSE", "names", "version"]) await copy(join(from, part), join(to, part));
  for (const part of await readdir(join(from, "internal")))
    if (part !== "service") await copy(join(from, "internal", part), join(to, "internal", part));
  for (const part of await readdir(join(from, "internal/service")))
    if (services.has(part) || part.includes("."))
      await copy(join(from, "internal/service", part), join(to, "internal/service", part));
  await rewrite(join(to, "internal/provider/sdkv2/service_packages_gen.go"), withoutPackages);
  const used = await clientsOf(join(to, "internal"));
  await rewrite(join(to, "internal/conns/awsclient_gen.go"), (text) => withoutClients(text, used));
}

/** The module cache is read-only; the copy is not. Go's tests and their data are left out. */
async function copy(from: string, to: string): Promise<void> {
  if (from.endsWith("_test.go") || from.endsWith("/testdata")) return;
  if (!(await stat(from)).isDirectory()) {
    await writeFile(to, await readFile(from));
    return;
  }
  await mkdir(to, { recursive: true });
  for (const part of await readdir(from)) await copy(join(from, part), join(to, part));
}

async function rewrite(file: string, change: (text: string) => string): Promise<void> {
  const text = change(await readFile(file, "utf8"));
  await writeFile(file, text);
}

function withoutPackages(text: string): string {
  const other = (name: string): boolean => !services.has(name);
  return text
    .replaceAll(/^\t"[^"]+\/internal\/service\/(\w+)"\n/gm, (line, name: string) => (other(name) ? "" : line))
    .replaceAll(/^\t\t(\w+)\.ServicePackage\(ctx\),\n/gm, (line, name: string) => (other(name) ? "" : line));
}

/** The clients of AWS' services that the copied code asks for, as `ACM` of `ACMClient(ctx)`. */
async function clientsOf(folder: string): Promise<Set<string>> {
  const used = new Set<string>();
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const file of files) {
    if (!file.isFile() || !file.name.endsWith(".go") || file.name === "awsclient_gen.go") continue;
    const text = await readFile(join(file.parentPath, file.name), "utf8");
    for (const [, name = ""] of text.matchAll(/\.(\w+)Client\(ctx/g)) used.add(name);
  }
  return used;
}

function withoutClients(text: string, used: ReadonlySet<string>): string {
  const kept = text.replaceAll(/^func \(c \*AWSClient\) (\w+)Client\(ctx[^]*?^}\n\n?/gm, (code, name: string) =>
    used.has(name) ? code : "",
  );
  const imports = /^\t(?:(\w+) )?"[^"]+\/aws-sdk-go-v2\/service\/(\w+)"\n/gm;
  return kept.replaceAll(imports, (line: string, alias: string | undefined, name: string) =>
    new RegExp(`\\b${alias ?? name}\\.`).test(kept.slice(kept.indexOf(")\n"))) ? line : "",
  );
}
