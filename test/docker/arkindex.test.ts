/** Arkindex on one Docker host, on the real engine with real servers: up, used by real clients, changed, taken away. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import {
  arkindexConfig,
  arkindexStack,
  call,
  containerIds,
  engine,
  eventually,
  inContainer,
  localImage,
  removeVolume,
  untilHealthy,
} from "../support/arkindex.ts";
import { Eyes, type Look } from "../support/eyes.ts";
import { runLabels } from "../support/run.ts";
import { succeeded, type TestStack } from "../support/stack.ts";

const name = "ark-whole";
const https = 18443;
let stack: TestStack;
let outputs: { url: string; ca: string; rehearsing: string[]; passwords: Record<string, string> };

beforeAll(async () => {
  stack = await arkindexStack({ name, https });
  succeeded(await stack.up());
  outputs = (await stack.outputs()) as typeof outputs;
}, 300_000);

afterAll(async () => {
  await stack.dispose();
  await removeVolume(`${name}-backup`);
}, 300_000);

test("every part is there and healthy", async () => {
  const ids = await containerIds(name);
  expect(Object.keys(ids).sort()).toEqual([
    "backend-1",
    "backup-1",
    "cantaloupe-1",
    "db-1",
    "db-1-drill-1",
    "edge",
    "objects-1",
    "redis-1",
    "solr-1",
    "worker-1",
  ]);
  await untilHealthy(Object.values(ids));
}, 90_000);

test("a second preview and a refresh find nothing", async () => {
  succeeded(await stack.preview(["--expect-no-changes"]));
  const refresh = await stack.run(["refresh", "--preview-only", "--expect-no-changes"]);
  succeeded(refresh);
}, 300_000);

test("the page through the edge, over TLS that the stack's own authority signed", async () => {
  const page = await call(`${outputs.url}/`, outputs.ca);
  expect(page.status).toBe(200);
  expect(page.body).toContain("rehearsal");
  // The stand-in asks every store again every few seconds: on a busy machine one may just have been late.
  await eventually(async () => (await call(`${outputs.url}/health`, outputs.ca)).status === 200 || undefined, 30);
  expect(await call(`${outputs.url}/iiif/2/uploads%2Fnone/info.json`, outputs.ca)).toMatchObject({ status: 404 });
  expect(outputs.rehearsing).toEqual(["arkindex/backend", "arkindex/cantaloupe"]);
}, 300_000);

test("docs/screenshots/rehearsal.png: the page in a browser that trusts the stack's own authority, and no other", async () => {
  const stranger = await Eyes.open();
  const refused = stranger.look({ url: outputs.url }).finally(() => stranger.close());
  await expect(refused).rejects.toThrow("ERR_CERT_AUTHORITY_INVALID");
  const eyes = await Eyes.open(outputs.ca);
  try {
    for (const look of [{ width: 360 }, { dark: true }, { width: 1000, height: 610, shot: "rehearsal.png" }]) {
      const before: Look["before"] = (page) => page.getByText(/^All \d+ dependencies answer/).waitFor();
      const { text, troubles } = await eyes.look({ url: outputs.url, before, ...look });
      expect({ look, troubles }).toEqual({ look, troubles: [] });
      for (const store of ["postgres", "redis", "solr"]) expect(text).toContain(store);
    }
  } finally {
    await eyes.close();
  }
}, 600_000);

test("psql, with the stack's output, from the data network", async () => {
  const script = `PGPASSWORD='${outputs.passwords.db ?? ""}' psql -At -h db-1 -U app arkindex -c 'select postgis_version()'`;
  const { status, body } = await inContainer({ image: localImage("toolbox"), network: `${name}-data` }, script);
  expect(body).toMatch(/^3\.\d/);
  expect(status).toBe(0);
}, 30_000);

test("psql with a wrong password is refused", async () => {
  const script = "PGPASSWORD=wrong psql -At -h db-1 -U app arkindex -c 'select 1'";
  const { status, body } = await inContainer({ image: localImage("toolbox"), network: `${name}-data` }, script);
  expect(body).toContain("password authentication failed");
  expect(status).not.toBe(0);
}, 30_000);

test("redis-cli from the data network", async () => {
  const { body } = await inContainer(
    { image: localImage("redis"), network: `${name}-data` },
    "redis-cli -h redis-1 set probe 1 && redis-cli -h redis-1 get probe",
  );
  expect(body).toMatch(/OK\s+1/);
}, 30_000);

test("an object written under the public name is served by Cantaloupe and read inside", async () => {
  const script = `export RCLONE_CONFIG_S_TYPE=s3 RCLONE_CONFIG_S_PROVIDER=Minio RCLONE_CONFIG_S_ACCESS_KEY_ID=app RCLONE_CONFIG_S_SECRET_ACCESS_KEY='${outputs.passwords.objects ?? ""}'
export RCLONE_CONFIG_S_ENDPOINT=https://objects.${name}.localhost:${String(https)} HOME=/tmp
echo image | rclone --no-check-certificate --config /tmp/none rcat s:uploads/page.png && rclone --no-check-certificate --config /tmp/none lsf s:uploads && rclone --config /tmp/none --no-check-certificate lsd s:`;
  const { body } = await inContainer({ image: localImage("toolbox"), network: `${name}-edge` }, script);
  expect(body).toContain("page.png");
  for (const bucket of ["staging", "export", "thumbnails", "training", "ponos-artifacts", "ponos-logs"])
    expect(body).toContain(bucket);
  expect(await call(`${outputs.url}/iiif/2/uploads%2Fpage.png/info.json`, outputs.ca)).toMatchObject({ status: 200 });
}, 30_000);

test("a browser of this instance may upload to staging, one of another may not", async () => {
  const allowed = async (origin: string) => {
    const { headers } = await call(`https://objects.${name}.localhost:${String(https)}/staging/x`, outputs.ca, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "PUT", "access-control-request-headers": "content-type" },
    });
    return headers?.["access-control-allow-origin"];
  };
  expect(await allowed(outputs.url)).toBe(outputs.url);
  expect(await allowed("https://elsewhere.example.com")).toBeUndefined();
});

test("an upgrade replaces backend and worker, runs the migrations again, and leaves the stores alone", async () => {
  const before = await containerIds(name);
  await stack.configure(arkindexConfig({ name, https, config: { arkindex: { version: "1.8.0" } } }));
  const output = succeeded(await stack.up());
  const after = await containerIds(name);
  const changed = Object.keys(after).filter((key) => after[key] !== before[key]);
  expect(changed.sort()).toEqual(["backend-1", "worker-1"]);
  expect(output).toContain("arkindex-migrate");
  expect(await call(`${outputs.url}/api/v1/`, outputs.ca)).toMatchObject({ status: 200 });
  expect((await call(`${outputs.url}/api/v1/`, outputs.ca)).body).toContain("1.8.0");
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 300_000);

test("another image for one store replaces that store alone", async () => {
  const before = await containerIds(name);
  const [repository = "", tag = ""] = localImage("redis").split(":");
  await engine.getImage(`${repository}:${tag}`).tag({ repo: repository, tag: "test-other" });
  const other = `${repository}:test-other`;
  // Another tag of the same image would be no change: a layer more makes it another image.
  const made = await engine.createContainer({ Image: other, Labels: runLabels });
  await made.commit({ repo: repository, tag: "test-other" });
  await made.remove({ force: true });
  try {
    await stack.configure(
      arkindexConfig({ name, https, config: { arkindex: { version: "1.8.0" }, images: { redis: other } } }),
    );
    succeeded(await stack.up());
    const after = await containerIds(name);
    expect(Object.keys(after).filter((key) => after[key] !== before[key])).toEqual(["redis-1"]);
    succeeded(await stack.preview(["--expect-no-changes"]));
  } finally {
    await stack.configure(arkindexConfig({ name, https, config: { arkindex: { version: "1.8.0" } } }));
    await stack.up();
    await engine.getImage(other).remove();
  }
}, 300_000);

test("destroy leaves no container, network or volume but the backup's", async () => {
  succeeded(await stack.destroy());
  expect(await containerIds(name)).toEqual({});
  const filters = { label: [`platform-topologies.name=${name}`] };
  expect(await engine.listNetworks({ filters })).toEqual([]);
  const { Volumes } = await engine.listVolumes();
  expect(Volumes.map(({ Name }) => Name).filter((each) => each.startsWith(`${name}-`))).toEqual([`${name}-backup`]);
}, 300_000);
