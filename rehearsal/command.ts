import { Refusal } from "./errors.ts";

export type RoleName =
  | "arkindex-backend"
  | "arkindex-worker"
  | "cantaloupe"
  | "media-service"
  | "ponos-agent"
  | "openid"
  | "shinyproxy"
  | "grafana";
export type JobName = "migrate" | "update_system_workers" | "check" | "media-schema";
export type Command =
  | { readonly kind: "job"; readonly job: JobName; readonly args: readonly string[] }
  | { readonly kind: "serve"; readonly role: RoleName; readonly args: readonly string[] };

const roles: readonly RoleName[] = [
  "arkindex-backend",
  "arkindex-worker",
  "cantaloupe",
  "media-service",
  "ponos-agent",
  "openid",
  "shinyproxy",
  "grafana",
];
const jobs: readonly JobName[] = ["migrate", "update_system_workers", "check"];

/** Stand-ins with an image of their own; it names them. */
const programs: readonly RoleName[] = ["shinyproxy", "grafana"];

/**
 * What `<program> <args>` means. The programs are those of the real images (`arkindex`, `ponos-agent`), so that the same
 * command line runs in both, and `rehearse`, which takes its role from `REHEARSAL_ROLE`.
 */
export function commandOf(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Command {
  const known = argv[0] === "arkindex" || argv[0] === "ponos-agent" || argv[0] === "rehearse";
  const program = known ? argv[0] : "rehearse";
  const args = known ? argv.slice(1) : argv;
  const own = programs.find((name) => name === argv[0]);
  if (own !== undefined) return { kind: "serve", role: own, args: argv.slice(1) };
  const [first, ...rest] = args;
  if (program === "ponos-agent") return { kind: "serve", role: "ponos-agent", args };
  // An image of its own, whose default command is the job.
  if (program === "rehearse" && env.REHEARSAL_ROLE === "media-schema")
    return { kind: "job", job: "media-schema", args };
  if (program === "rehearse") return { kind: "serve", role: roleFrom(env.REHEARSAL_ROLE), args };
  if (first === undefined) return { kind: "serve", role: "arkindex-backend", args };
  if (first === "rqworker") return { kind: "serve", role: "arkindex-worker", args: rest };
  const job = jobs.find((name) => name === first);
  if (job !== undefined) return { kind: "job", job, args: rest };
  throw new Refusal(`the rehearsal has no "arkindex ${first}"; it knows ${[...jobs, "rqworker"].join(", ")}`);
}

function roleFrom(name: string | undefined): RoleName {
  const role = roles.find((r) => r === name);
  if (role !== undefined) return role;
  const given = name === undefined || name === "" ? "is not set" : `is "${name}"`;
  throw new Refusal(`REHEARSAL_ROLE ${given}; it must be one of ${roles.join(", ")}`);
}
