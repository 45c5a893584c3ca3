/** Every system, as an operator of a sample company would configure it, in a dry run. */
import { Output, secret } from "@pulumi/pulumi";
import type { z } from "zod";

import { check } from "../../components/core/check.ts";
import type { Peer, System } from "../../components/core/contracts.ts";
import { sentence } from "../../components/core/errors.ts";
import { imageLock } from "../../components/core/image-lock.ts";
import { resolveImage } from "../../components/core/images.ts";
import { containers, type Plan } from "../../components/core/plan.ts";
import { planOf } from "../../components/core/recorder.ts";
import type { Services, Site, TopologyName } from "../../components/core/topology.ts";
import { containerServices } from "../../components/services/index.ts";
import { arangodb, arangodbConfig } from "../../components/systems/arangodb/arangodb.ts";
import { arkindex, arkindexConfig } from "../../components/systems/arkindex.ts";
import { media, mediaConfig } from "../../components/systems/media.ts";
import { pyrus, pyrusConfig } from "../../components/systems/pyrus/pyrus.ts";
import { shinyproxy, shinyproxyConfig } from "../../components/systems/shinyproxy/shinyproxy.ts";
import { capabilities } from "../../components/topologies/capabilities.ts";

/** Twenty lines of an operator's, with names for the two images of our own. */
export const samples = {
  arkindex: {},
  arangodb: {},
  pyrus: { adminEmail: "admin@example.com" },
  media: {
    services: { assets: { path: "/API/assets/", bodyMib: 64 }, frontend: { path: "/" }, indexer: { replicas: 2 } },
  },
  shinyproxy: { apps: { demo: { title: "Demo", image: "example/demo:1", groups: ["analysts"] } } },
};
export type Name = keyof typeof samples;
export const names = ["arkindex", "arangodb", "pyrus", "media", "shinyproxy"] as const satisfies readonly Name[];

export const peer: Peer = {
  region: "us",
  home: false,
  reach: "published-tls",
  address: (slot) => `${slot}.us.example.com`,
  publicUrl: (name) => `https://${name}.us.media.example.com`,
};

/** The images that set-up would have built. */
export const builtImages = Object.fromEntries(
  Object.entries(imageLock).flatMap(([key, { built }]) => (built ? [[key, `${key}:1`] as const] : [])),
);

export function site(over: Partial<Site> = {}): Site {
  return {
    name: "sample",
    disks: {},
    rotate: {},
    data: {},
    hostname: "media.example.com",
    ports: { http: 80, https: 443 },
    publicPort: 443,
    region: "eu",
    peers: [],
    protect: true,
    image: (key) => resolveImage(key, { overrides: {}, local: builtImages, rehearsal: true }),
    existing: {},
    secrets: {
      pyrusLicence: secret("licence"),
      pyrusAdminPassword: secret("password"),
      rabbitFederation: secret("federation"),
    },
    ...over,
  };
}

/** The plan of a system with an operator's config: parsed first, as index.ts does. */
export function plan(
  name: Name,
  over: object = {},
  services: Services = containerServices,
  at = site(),
  on: TopologyName = "docker",
): Plan {
  return withSystem(name, over, (system, config) =>
    planOf(system, config, { site: at, services, capabilities: capabilities[on] }),
  );
}

/** Calls `run` with a system's function and the config that this function reads. */
export function withSystem<T>(name: Name, over: object, run: <C>(system: System<C>, config: C) => T): T {
  const parsed = <C>(system: System<C>, schema: z.ZodType<C>): T =>
    run(system, schema.parse({ ...samples[name], ...over }));
  switch (name) {
    case "arkindex":
      return parsed(arkindex, arkindexConfig);
    case "arangodb":
      return parsed(arangodb, arangodbConfig);
    case "pyrus":
      return parsed(pyrus, pyrusConfig);
    case "media":
      return parsed(media, mediaConfig);
    case "shinyproxy":
      return parsed(shinyproxy, shinyproxyConfig);
  }
}

/** The problems of a plan, each in a sentence. */
export function problems(planned: Plan, on: TopologyName, at = site()): string[] {
  return check(planned, { site: at, capabilities: capabilities[on] }).map(sentence);
}

/** The plain values of a plan. Outputs are leaves, and `after` is left out, as order is no property of a thing. */
export function plain(value: unknown): unknown {
  if (Output.isInstance(value)) return "an output";
  if (value instanceof Map || value instanceof Set) return plain([...value]);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "after")
      .map(([key, entry]) => [key, plain(entry)]),
  );
}

/** What a second plan adds (+), changes (~) and takes away (-). */
export function changes(before: Plan, after: Plan): string[] {
  const [old, now] = [new Map(containers(before)), new Map(containers(after))];
  const same = (one: unknown, other: unknown) => JSON.stringify(plain(one)) === JSON.stringify(plain(other));
  return [
    ...[...old.keys()].filter((name) => !now.has(name)).map((name) => `- ${name}`),
    ...[...now].flatMap(([name, spec]) =>
      !old.has(name) ? [`+ ${name}`] : same(old.get(name), spec) ? [] : [`~ ${name}`],
    ),
  ];
}
