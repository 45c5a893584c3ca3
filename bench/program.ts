/**
 * `node bench/program.ts docker|aws <members>`: our program alone, against Pulumi's mocks; prints what it took as JSON.
 * Times are the processor's, of all threads: they are the same on a busy machine.
 */
import { readFileSync } from "node:fs";
import process from "node:process";

const processorMs = (): number => {
  const { user, system } = process.cpuUsage();
  return Math.round((user + system) / 1000);
};
const began = processorMs();
const [, , topology = "docker", members = "10"] = process.argv;
const pulumi = await import("@pulumi/pulumi");
const resources: string[] = [];
await pulumi.runtime.setMocks(
  {
    newResource: ({ name, inputs }: { name: string; inputs: object }) => {
      resources.push(name);
      return {
        id: `${name}-id`,
        state: { ...inputs, result: "x", imageId: "sha256:x", caCert: "", cert: "", key: "" },
      };
    },
    call: () => ({}),
  },
  "platform-topologies",
  "bench",
  topology === "aws", // a preview asks nobody whose credentials these are
);
const run = topology === "aws" ? await arangodbOnAws(Number(members)) : await arkindexOnDocker(Number(members));
const loaded = processorMs();
await run();
for (let last = -1; last !== resources.length;) {
  last = resources.length;
  await new Promise((resolve) => setTimeout(resolve, 20));
}
process.stdout.write(
  JSON.stringify({
    members: Number(members),
    resources: resources.length,
    loadMs: loaded - began,
    runMs: processorMs() - loaded,
    maxRssMib: Math.round(process.resourceUsage().maxRSS / 1024),
  }),
);

/** Replicas are containers with names of their own: the members of a platform that grows. No engine is asked. */
async function arkindexOnDocker(count: number): Promise<() => Promise<unknown>> {
  const { siteOf } = await import("../components/core/site.ts");
  const { Arkindex } = await import("../components/systems/arkindex.ts");
  const { DockerHost } = await import("../components/topologies/docker/index.ts");
  return () => {
    const images = Object.fromEntries(["toolbox", "rehearsal"].map((key) => [key, `${key}:1`]));
    const site = siteOf({ name: "bench", hostname: "bench.example.com", rehearsal: true, images, protect: false });
    const on = new DockerHost("docker", {
      site,
      host: "unix:///var/run/docker.sock",
      address: "127.0.0.1",
      tls: { mode: "local" },
    });
    new Arkindex("arkindex", { on, backends: Math.ceil(count / 2), workers: Math.floor(count / 2) });
    return Promise.resolve();
  };
}

/** The whole program with the ready stack's config: each member is a machine with its disk. */
async function arangodbOnAws(count: number): Promise<() => Promise<unknown>> {
  const { parse } = await import("yaml");
  const { deploy } = await import("../components/deploy.ts");
  const file = readFileSync(new URL("../stacks/arangodb-aws.yaml", import.meta.url), "utf8");
  const { config } = parse(file) as { config: Record<string, unknown> };
  const key = "platform-topologies:arangodb";
  const arangodb = config[key] as { dbservers: object };
  // The rest are three agents and two coordinators.
  config[key] = { ...arangodb, dbservers: { ...arangodb.dbservers, count: count - 5 } };
  for (const [name, value] of Object.entries(config))
    pulumi.runtime.setConfig(name, typeof value === "string" ? value : JSON.stringify(value));
  return deploy;
}
