/** Each store's server in a version before ours, as an image: what is older is laid over our own. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";

import { contextOf } from "../../tools/images/build.ts";
import { elasticsearch, etcd, garageOf, packageMaven, patroniOf, solr } from "../../tools/images/parts.ts";
import type { Recipe } from "../../tools/setup/cache.ts";
import { buildGo } from "../../tools/setup/go.ts";
import { laidOver } from "./laid-over.ts";
import { repo } from "./stack.ts";

const parts: Readonly<Record<string, readonly Recipe[]>> = {
  "postgres-ha": [patroniOf("4.1.4", "test/support/older/patroni.txt"), olderEtcd("3.6.8")],
  redis: [],
  solr: [olderJava(solr, "9.9.0")],
  elasticsearch: [olderJava(elasticsearch, "2.14.0")],
  garage: [garageOf("2.4.1", "b475d860741ceb6f3d33390040f03daa2d93ce13063e10aa387954ea1a03aa65")],
};

/** These images, and in the place of those of which there is an older one that. The first time takes a quarter of an hour, for Garage. */
export async function olderOf(images: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const entries: [string, string][] = [];
  for (const [key, ref] of Object.entries(images)) {
    const folder = key.replace(/^elasticsearch7$/, "elasticsearch");
    const own = parts[folder];
    entries.push([key, own === undefined ? ref : await build(ref, images.haproxy ?? "", folder, own)]);
  }
  return Object.fromEntries(entries);
}

/** `debian`: an image of ours that has little beside it. */
async function build(ref: string, debian: string, folder: string, own: readonly Recipe[]): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), "platform-topologies-older-"));
  try {
    const context = await contextOf(`test/support/older/${folder}`, own, scratch, () => undefined);
    return await laidOver(ref, "older", context, { IMAGE: ref, DEBIAN: debian });
  } finally {
    await rm(scratch, { recursive: true });
  }
}

/** Libraries of another version, and our own classes compiled against them. */
function olderJava(ours: Recipe, version: string): Recipe {
  const { name } = ours;
  const folder = `tools/images/${name}`;
  return {
    ...{ name, version, inputs: [folder] },
    async make(into, say) {
      const module = join(into, "module");
      await cp(join(repo, folder), module, { recursive: true });
      const pom = join(module, "pom.xml");
      await writeFile(pom, (await readFile(pom, "utf8")).replaceAll(`>${ours.version}<`, `>${version}<`));
      await packageMaven(name, pom, into, say);
    },
  };
}

/** etcd and its client, by our own module's two programs: upstream's cannot be installed from outside their repository. */
function olderEtcd(version: string): Recipe {
  return {
    ...{ name: "etcd", version, inputs: etcd.inputs },
    async make(into, say) {
      const module = join(into, "module");
      await mkdir(module);
      for (const each of ["etcd", "etcdctl"])
        await cp(join(repo, "tools/go/etcd", each), join(module, each), { recursive: true });
      const go = (...args: string[]) => execa("go", args, { cwd: module, env: { GOFLAGS: "-mod=mod", GOWORK: "off" } });
      await go("mod", "init", "platform-topologies/older");
      await go("get", ...["server", "etcdctl"].map((each) => `go.etcd.io/etcd/${each}/v3@v${version}`));
      for (const name of ["etcd", "etcdctl"]) await buildGo({ name, module, package: `./${name}`, version }, into, say);
      await rm(module, { recursive: true });
    },
  };
}
