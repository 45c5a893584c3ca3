import { Refusal } from "./errors.ts";

export const pyrusApps = [
  "web-api",
  "files",
  "bind",
  "identity-server",
  "mail-sender",
  "mail-reader",
  "notification-service",
  "async-worker",
  "preview-generator",
  "scheduler",
] as const;
export type PyrusApp = (typeof pyrusApps)[number];

/** Stand-ins with an image of their own, whose program names them. */
const standIns = ["shinyproxy", "grafana"] as const;
const roles = [
  "arkindex-backend",
  "arkindex-worker",
  "cantaloupe",
  "ponos-agent",
  "media-service",
  "openid",
  ...standIns,
  ...pyrusApps.map((app) => `pyrus-${app}` as const),
] as const;
const arkindexJobs = ["migrate", "update_system_workers", "check"] as const;
/** Roles whose program ends. */
const jobRoles = ["media-schema", "pyrus-setup", "pyrus-elastic-console"] as const;
export type RoleName = (typeof roles)[number];
export type JobName = (typeof arkindexJobs | typeof jobRoles)[number];
export type Command =
  | { readonly kind: "job"; readonly job: JobName; readonly args: readonly string[] }
  | { readonly kind: "serve"; readonly role: RoleName; readonly args: readonly string[] };

const programs: readonly string[] = ["arkindex", "ponos-agent", "dotnet", "rehearse", ...standIns];

/**
 * What `<program> <args>` means. The programs are those of the real images (`arkindex`, `ponos-agent`, `dotnet`), so
 * that the same command line runs in both, and `rehearse`, which takes its role from `REHEARSAL_ROLE`. `rehearse` is
 * the image's entrypoint, so another program may follow it: `docker run <image> arkindex check`.
 */
export function commandOf(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Command {
  const [given, next] = argv;
  if (given === "rehearse" && next !== undefined && programs.includes(next)) return commandOf(argv.slice(1), env);
  const known = given !== undefined && programs.includes(given);
  const program = known ? given : "rehearse";
  const args = known ? argv.slice(1) : argv;
  const standIn = standIns.find((name) => name === program);
  if (standIn !== undefined) return { kind: "serve", role: standIn, args };
  const [first, ...rest] = args;
  if (program === "ponos-agent") return { kind: "serve", role: "ponos-agent", args };
  if (program === "dotnet") return { kind: "job", job: "pyrus-setup", args: dotnetArgs(args) };
  const jobRole = jobRoles.find((name) => name === env.REHEARSAL_ROLE);
  if (program === "rehearse" && jobRole !== undefined) return { kind: "job", job: jobRole, args };
  if (program === "rehearse") return { kind: "serve", role: roleFrom(env.REHEARSAL_ROLE), args };
  if (first === undefined) return { kind: "serve", role: "arkindex-backend", args };
  if (first === "rqworker") return { kind: "serve", role: "arkindex-worker", args: rest };
  const job = arkindexJobs.find((name) => name === first);
  if (job !== undefined) return { kind: "job", job, args: rest };
  throw new Refusal(`the rehearsal has no "arkindex ${first}"; it knows ${[...arkindexJobs, "rqworker"].join(", ")}`);
}

/** The arguments of Pyrus' setup, which is one library. */
function dotnetArgs([library, ...args]: readonly string[]): readonly string[] {
  if (library === "Pyrus.DataMigrations.dll") return args;
  throw new Refusal(`the rehearsal has no "dotnet ${library ?? ""}"; it knows Pyrus.DataMigrations.dll`);
}

function roleFrom(name: string | undefined): RoleName {
  const role = roles.find((r) => r === name);
  if (role !== undefined) return role;
  const given = name === undefined || name === "" ? "is not set" : `is "${name}"`;
  throw new Refusal(`REHEARSAL_ROLE ${given}; it must be one of ${roles.join(", ")}`);
}
