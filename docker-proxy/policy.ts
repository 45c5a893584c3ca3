import { z } from "zod";

/** What the one client of this proxy may do. Written by components/services/containers.ts, read at start. */
export const policySchema = z.discriminatedUnion("may", [
  /** Looks, at everything but environment values and join tokens, and changes nothing. */
  z.strictObject({ may: z.literal("read") }),
  /** Runs users' apps, and sees nothing else. */
  z.strictObject({
    may: z.literal("run-apps"),
    engine: z.enum(["docker", "swarm"]),
    /** The stack's name: apps carry it as a label, and only what carries it can be seen, changed or removed. */
    stack: z.string().min(1),
    /** The only network of an app. */
    network: z.string().min(1),
    /** References of the images that may run. */
    images: z.array(z.string().min(1)),
    /** A swarm's placement constraints, whatever is asked. */
    constraints: z.array(z.string()),
    /** The most that one app may have; also what it gets when nothing is asked. */
    memoryMib: z.int().min(16),
    cpu: z.number().min(0.01),
    /** Shared memory (/dev/shm) by the image's reference, whatever is asked. Unset: Docker's 64. */
    shmMib: z.record(z.string(), z.int().min(1)),
    /** Names of volumes that an app may mount. */
    volumes: z.array(z.string()),
  }),
]);
export type Policy = z.infer<typeof policySchema>;
export type AppsPolicy = Extract<Policy, { may: "run-apps" }>;

/** The label of everything that was started through this proxy; its value is the stack's name. */
export const appLabel = "platform-topologies.app";
