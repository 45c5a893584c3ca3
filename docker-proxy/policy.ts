import { z } from "zod";

/** What the one client of this proxy may do. Written by components/services/containers.ts, read at start. */
export const policySchema = z.discriminatedUnion("may", [
  /** The client may see everything but environment values and join tokens, and changes nothing. */
  z.strictObject({ may: z.literal("read") }),
  /** The client runs users' apps, and sees nothing else. */
  z.strictObject({
    may: z.literal("run-apps"),
    engine: z.enum(["docker", "swarm"]),
    /** The stack's name. Apps carry it as a label; the client can see, change or remove only what carries it. */
    stack: z.string().min(1),
    /** The only network of an app. */
    network: z.string().min(1),
    /** References of the images that may run. */
    images: z.array(z.string().min(1)),
    /** A swarm's placement constraints, whatever the client asks for. */
    constraints: z.array(z.string()),
    /** The most memory of one app, and what an app gets if the client asks for nothing. */
    memoryMib: z.int().min(16),
    cpu: z.number().min(0.01),
    /** Shared memory (/dev/shm) by the image's reference, whatever the client asks for. Unset: Docker's 64. */
    shmMib: z.record(z.string(), z.int().min(1)),
    /** Names of volumes that an app may mount. */
    volumes: z.array(z.string()),
  }),
]);
export type Policy = z.infer<typeof policySchema>;
export type AppsPolicy = Extract<Policy, { may: "run-apps" }>;

/** The label of everything that was started through this proxy; its value is the stack's name. */
export const appLabel = "platform-topologies.app";
