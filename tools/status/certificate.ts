/** The certificate that the edge serves, and those that the state has. */
import { X509Certificate } from "node:crypto";
import { checkServerIdentity, connect, type PeerCertificate } from "node:tls";
import { z } from "zod";

import type { List } from "../../components/core/contracts.ts";
import { codeOf } from "../setup/problem.ts";
import type { Certificate, Finding } from "./model.ts";
import { dockerServices, ofType, outputsIn, type State } from "./state.ts";
import { thingsOf } from "./docker-judge.ts";

/** Seconds for a handshake. */
const patience = 5;

export interface Served {
  readonly host: string;
  /** `address:port` that answered. */
  readonly at: string;
  readonly begins: string;
  readonly ends: string;
  /** Why browsers refuse it for this name. */
  readonly wrong?: string | undefined;
}

export type EdgeSeen = { readonly served: Served } | { readonly host: string; readonly failed: string };

/** Asks the edge at its own address, and then by the public name. Undefined: the stack has no public name. */
export async function askEdge(state: State): Promise<EdgeSeen | undefined> {
  const { url } = outputsIn(state);
  if (url === undefined || !URL.canParse(url)) return undefined;
  const { hostname, port } = new URL(url);
  const number = port === "" ? 443 : Number(port);
  const own = edgeAddresses(state, number);
  const failures: string[] = [];
  for (const some of [own, [{ address: hostname, port: number }]]) {
    if (some.length === 0) continue;
    try {
      return { served: await Promise.any(some.map((at) => handshake(hostname, at.address, at.port))) };
    } catch (error) {
      const all = error instanceof AggregateError ? (error.errors as unknown[]) : [error];
      failures.push(...all.map((each) => (each instanceof Error ? each.message : String(each))));
    }
  }
  return { host: hostname, failed: [...new Set(failures)].join("; ") };
}

interface Address {
  readonly address: string;
  readonly port: number;
}

const published = z.array(z.object({ internal: z.number(), external: z.number(), ip: z.string().default("") }));
const specified = z.object({
  ports: z.array(z.object({ targetPort: z.number(), publishedPort: z.number().optional() })),
});
const nodes = z.record(z.string(), z.string());

/** Where the edge listens for https. `number`: the port that browsers see, which it has inside, too. */
export function edgeAddresses(state: State, number: number): List<Address> {
  const onHosts = thingsOf(state).flatMap(({ resource, kind, host }) => {
    if (kind !== "container") return [];
    const found = published
      .catch([])
      .parse(resource.outputs.ports)
      .find(({ internal }) => internal === number);
    return found === undefined ? [] : [{ address: reachable(found.ip, host), port: found.external }];
  });
  const { places } = outputsIn(state);
  const onSwarm = ofType(state, dockerServices).flatMap(({ outputs }) => {
    const found = specified.safeParse(outputs.endpointSpec).data?.ports.find(({ targetPort }) => targetPort === number);
    const port = found?.publishedPort;
    if (port === undefined) return [];
    return Object.values(nodes.catch({}).parse(places.nodes)).map((address) => ({ address, port }));
  });
  const { edge } = places;
  return [...onHosts, ...onSwarm, ...(typeof edge === "string" ? [{ address: edge, port: number }] : [])];
}

/** An address of all interfaces is the engine's own machine. */
function reachable(ip: string, host: string): string {
  if (!["", "0.0.0.0", "::"].includes(ip)) return ip;
  const url = URL.canParse(host) ? new URL(host) : undefined;
  return url === undefined || url.protocol === "unix:" ? "127.0.0.1" : url.hostname;
}

const failures: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refuses the connection",
  ECONNRESET: "drops the connection",
  EHOSTUNREACH: "cannot be reached",
  ENETUNREACH: "cannot be reached",
  ETIMEDOUT: "cannot be reached",
  ENOTFOUND: "has no address here",
  EAI_AGAIN: "has no address here",
};

function handshake(name: string, host: string, port: number): Promise<Served> {
  const at = `${host}:${String(port)}`;
  return new Promise((resolve, reject) => {
    // Whose it is does not matter here, but until when.
    const socket = connect({ host, port, servername: name, rejectUnauthorized: false }, () => {
      const found = socket.getPeerCertificate() as Partial<PeerCertificate>;
      socket.destroy();
      const { valid_from: begins = "", valid_to: ends = "" } = found;
      if (ends === "") reject(new Error(`${at} shows no certificate`));
      else
        resolve({
          ...{ host: name, at, begins: new Date(begins).toISOString(), ends: new Date(ends).toISOString() },
          wrong: checkServerIdentity(name, found as PeerCertificate)?.message,
        });
    });
    const refused = (why: string): void => {
      reject(new Error(`${at} ${why}`));
    };
    socket.setTimeout(patience * 1000, () => {
      refused(`did not answer within ${String(patience)} s`);
      socket.destroy();
    });
    socket.on("error", (error: Error) => {
      refused(failures[codeOf(error) ?? ""] ?? `fails: ${error.message}`);
    });
  });
}

/** Certificates of the state, but for those that are the edge's and are served. */
export function stateCertificates(state: State): Certificate[] {
  return ofType(state, "platform-topologies:index:Certificate").flatMap(({ outputs: { cert, hostnames } }) => {
    if (typeof cert !== "string") return [];
    const { validFromDate, validToDate } = new X509Certificate(cert);
    const [host = ""] = z.array(z.string()).catch([]).parse(hostnames);
    return [{ host, from: "state", begins: validFromDate.toISOString(), ends: validToDate.toISOString() } as const];
  });
}

const day = 24 * 3_600_000;
/** The edge's own health check warns from here on. */
const soon = 21;

/** All certificates, the first to end first, and what somebody has to know of them. */
export function judgeCertificates(
  state: State,
  seen: EdgeSeen | undefined,
  now: Date,
): { readonly certificates: Certificate[]; readonly findings: Finding[] } {
  const own = stateCertificates(state);
  const findings: Finding[] = [];
  const served: Certificate[] = [];
  if (seen !== undefined && "served" in seen) {
    const { wrong, ...it } = seen.served;
    served.push({ ...it, from: "served" });
    if (wrong !== undefined)
      findings.push({ condition: "unwell", what: `certificate of ${it.host}`, why: wrong, look: "docs/edge.md" });
  } else if (seen !== undefined) {
    const known = own.some(({ host }) => host === seen.host);
    const why = `nobody answers from here: ${seen.failed}`;
    // Without the state's copy nobody can tell when it ends.
    findings.push({ condition: known ? "care" : "unknown", what: `https://${seen.host}`, why, look: "docs/edge.md" });
  }
  const hosts = served.map(({ host }) => host);
  const certificates = [...served, ...own.filter(({ host }) => !hosts.includes(host))].sort((a, b) =>
    a.ends < b.ends ? -1 : 1,
  );
  for (const { host, ends } of certificates) {
    const days = Math.floor((Date.parse(ends) - now.getTime()) / day);
    if (days >= soon) continue;
    const look = "`npm run pulumi -- up` renews the stack's own; docs/edge.md has the others";
    const why = days < 0 ? "has ended" : `ends in ${String(days)} days`;
    const condition = days < 0 ? "unwell" : "care";
    findings.push({ condition, what: `certificate of ${host}`, why, ...(days < 0 ? { since: ends } : {}), look });
  }
  return { certificates, findings };
}
