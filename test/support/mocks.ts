import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";

/** A resource as the program registered it; secrets are unwrapped, and their paths are in `secrets`. */
export interface Registered {
  readonly type: string;
  readonly name: string;
  readonly custom: boolean;
  /** Its parent's name; empty where it has none. */
  readonly parent: string;
  readonly provider: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** The mocks are not told the parent: it is taken from the request, which calls them before it returns. */
let parent = "";
const { prototype } = MockMonitor as unknown as { prototype: { registerResource: (...args: unknown[]) => unknown } };
const original = prototype.registerResource;
prototype.registerResource = function (this: unknown, ...args: unknown[]) {
  const [request] = args as [{ getParent(): string }];
  parent = request.getParent().split("::").at(-1) ?? "";
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
        seen.push({ type, name, custom, parent, provider, inputs: plain });
        return { id: `${name}-id`, state: { ...plain, ...made(type, name, password) } };
      },
      call: () => ({}),
    },
    "platform-topologies",
    "test",
    false,
  );
  try {
    await program();
  } finally {
    await settled(seen);
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
  if (type === "docker:index/remoteImage:RemoteImage") return { imageId: `sha256:${name}` };
  if (type === "platform-topologies:index:Certificate")
    return { caCert: "CA", cert: "CERT", key: "KEY", caKey: "CAKEY" };
  return {};
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
