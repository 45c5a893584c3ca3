/** `node bench/program.ts <members>`: our program alone, against Pulumi's mocks; prints what it took as JSON. */
import process from "node:process";

const began = performance.now();
const [, , members = "10"] = process.argv;
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
  false,
);
const { siteOf } = await import("../components/core/site.ts");
const { Arkindex } = await import("../components/systems/arkindex.ts");
const { DockerHost } = await import("../components/topologies/docker/index.ts");
const loaded = performance.now();
const images = Object.fromEntries(["toolbox", "rehearsal"].map((key) => [key, `${key}:1`]));
const site = siteOf({ name: "bench", hostname: "bench.example.com", rehearsal: true, images, protect: false });
const on = new DockerHost("docker", {
  site,
  host: "unix:///var/run/docker.sock",
  address: "127.0.0.1",
  tls: { mode: "local" },
});
const half = Number(members) / 2;
// Replicas are containers with names of their own: the members of a platform that grows.
new Arkindex("arkindex", { on, backends: Math.ceil(half), workers: Math.floor(half) });
for (let last = -1; last !== resources.length;) {
  last = resources.length;
  await new Promise((resolve) => setTimeout(resolve, 20));
}
process.stdout.write(
  JSON.stringify({
    members: Number(members),
    resources: resources.length,
    loadMs: Math.round(loaded - began),
    runMs: Math.round(performance.now() - loaded - 20), // the last look
    maxRssMib: Math.round(process.resourceUsage().maxRSS / 1024),
  }),
);
