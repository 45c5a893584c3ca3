import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";

import { named, typed } from "./urn.ts";

/** What the engine is told of a resource beside its inputs. Other resources are named as `Type name`. */
export interface Options {
  readonly protect: boolean;
  readonly dependsOn: readonly string[];
  readonly deletedWith: string;
  /** Undefined where the program does not say. */
  readonly deleteBeforeReplace: boolean | undefined;
  readonly ignoreChanges: readonly string[];
  readonly replaceOnChanges: readonly string[];
  readonly replacementTrigger: unknown;
}

/** A resource as the program registered it; secrets are unwrapped. */
export interface Registered {
  readonly type: string;
  readonly name: string;
  readonly custom: boolean;
  /** Its parent's name; empty where it has none. */
  readonly parent: string;
  readonly provider: string;
  /** The names, or URNs, that it had. */
  readonly aliases: readonly string[];
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly options: Options;
  /** By input: the resources that its value came from, as `type::name`. */
  readonly from: Readonly<Record<string, readonly string[]>>;
}

interface Request {
  getParent(): string;
  getProtect(): boolean | undefined;
  getDependenciesList(): string[];
  getDeletedwith(): string;
  getDeletebeforereplacedefined(): boolean;
  getDeletebeforereplace(): boolean;
  getIgnorechangesList(): string[];
  getReplaceonchangesList(): string[];
  getPropertydependenciesMap(): { entries(): Iterable<[string, { getUrnsList(): string[] }]> };
  getReplacementTrigger(): { toJavaScript(): unknown } | undefined;
  getAliasesList(): { getUrn(): string; getSpec(): { getName(): string } | undefined }[];
}
/** The mocks are not told all of a request: the rest is taken from it here, as it calls them before it returns. */
let told: Pick<Registered, "parent" | "options" | "from" | "aliases">;
const { prototype } = MockMonitor as unknown as { prototype: { registerResource: (...args: unknown[]) => unknown } };
const original = prototype.registerResource;
prototype.registerResource = function (this: unknown, ...args: unknown[]) {
  const [request] = args as [Request];
  told = {
    parent: request.getParent().split("::").at(-1) ?? "",
    aliases: request.getAliasesList().map((alias) => alias.getSpec()?.getName() ?? alias.getUrn()),
    options: {
      protect: request.getProtect() ?? false,
      dependsOn: request.getDependenciesList().map(named),
      deletedWith: named(request.getDeletedwith()),
      deleteBeforeReplace: request.getDeletebeforereplacedefined() ? request.getDeletebeforereplace() : undefined,
      ignoreChanges: request.getIgnorechangesList(),
      replaceOnChanges: request.getReplaceonchangesList(),
      replacementTrigger: request.getReplacementTrigger()?.toJavaScript(),
    },
    from: Object.fromEntries(
      [...request.getPropertydependenciesMap().entries()].map(([key, value]) => [key, value.getUrnsList().map(typed)]),
    ),
  };
  return original.apply(this, args);
};

const secretSignature = "4dabf18193072939515e22adb298388d";

/**
 * Runs a program against Pulumi's mocks and returns all that it registered. It waits until the number of resources has
 * stopped changing, as one await would miss children behind chained outputs.
 */
export async function record(
  program: () => void | Promise<void>,
  password = (name: string): string => `password-of-${name}`,
): Promise<Registered[]> {
  const seen: Registered[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, custom = true, provider = "" }: pulumi.runtime.MockResourceArgs) => {
        const plain = unwrap(inputs) as Record<string, unknown>;
        seen.push({ type, name, custom, provider, inputs: plain, ...told });
        return { id: `${name}-id`, state: { ...plain, ...made(type, name, password) } };
      },
      call: () => ({}),
    },
    "platform-topologies",
    "test",
    false,
  );
  // The SDK takes the stack of every promise, which costs a third of the time.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    await program();
  } finally {
    await settled(seen);
    Error.stackTraceLimit = stackTraceLimit;
  }
  return seen;
}

/** Waits for three looks alike: a topology's first resources wait for its survey, which with mocks is soon over. */
async function settled(seen: readonly Registered[]): Promise<void> {
  for (let alike = 0; alike < 3;) {
    const last = seen.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    alike = last === seen.length ? alike + 1 : 0;
  }
}

/** What a provider would compute. */
function made(type: string, name: string, password: (of: string) => string): Record<string, unknown> {
  if (type.endsWith(":RandomPassword")) return { result: password(name) };
  if (type.endsWith(":RandomId")) return { hex: `hex-of-${name}` };
  if (type === "docker:index/remoteImage:RemoteImage") return { imageId: `sha256:${name}` };
  if (type === "platform-topologies:index:Certificate")
    return { caCert: "CA", cert: "CERT", key: "KEY", caKey: "CAKEY" };
  if (type.startsWith("aws:")) return madeByAws(type, name);
  if (type === "platform-topologies:index:VolumeNode") return { node: `host-of-${name}` };
  return {};
}

/** What AWS tells of a thing once it is there, as far as others are told. */
function madeByAws(type: string, name: string): Record<string, unknown> {
  return {
    arn: `arn:${type}:${name}`,
    ...(type === "aws:rds/instance:Instance" ? { address: `${name}.rds.invalid`, identifier: name } : {}),
    ...(type.startsWith("aws:elasticache/replicationGroup") ? { primaryEndpointAddress: `${name}.cache.invalid` } : {}),
    ...(type === "aws:opensearch/domain:Domain" ? { endpoint: `${name}.es.invalid` } : {}),
    ...(/:(SubnetGroup|InstanceProfile)$/.test(type) ? { name } : {}),
    ...(type === "aws:iam/accessKey:AccessKey" ? { secret: `key-of-${name}` } : {}),
    ...(type === "aws:acm/certificate:Certificate" ? { domainValidationOptions: [] } : {}),
    ...(type === "aws:ec2/launchTemplate:LaunchTemplate" ? { latestVersion: 1 } : {}),
    ...(type === "aws:secretsmanager/secretVersion:SecretVersion" ? { versionId: `version-of-${name}` } : {}),
  };
}

function unwrap(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrap);
  if (typeof value !== "object" || value === null) return value;
  if (secretSignature in value) return unwrap((value as { value?: unknown }).value);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, unwrap(inner)]));
}

/** How many resources of each type there are: a reader compares this inventory with the picture in the docs. */
export function inventory(resources: readonly Registered[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type } of resources) counts[short(type)] = (counts[short(type)] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => a.localeCompare(b)));
}

function short(type: string): string {
  return type.replace(/^(\w[\w-]*):[\w/]+:(\w+)$/, "$1:$2");
}
