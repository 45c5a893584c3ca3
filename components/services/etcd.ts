/** etcd, which says who leads: three members, each on the machine of one of the servers that it tells. */
import type { Certificate, Dict, File, List, Platform, Ready, StoreOptions } from "../core/contracts.ts";
import { numbered } from "../core/platform.ts";
import { quickNames } from "../core/recipe.ts";

const data = "/var/lib/etcd";
const folder = "/run/etcd";
const client = 2379;
const peer = 2380;
const own = 2381;

/** Who is asked, and by what. */
export interface Etcd extends Ready {
  /** Where the members answer, by TLS alone, as `db-etcd-1:2379`. */
  readonly hosts: List<string>;
  /** The authority, a certificate and its key: nobody without them is answered. */
  readonly files: { readonly ca: File; readonly cert: File; readonly key: File };
  /** The environment of `etcdctl`: paths of those files. */
  readonly env: Dict<string>;
}

/**
 * Three members, `<name>-1` to `-3`. A member works while it can read its own disk, also before there are enough for a
 * vote: a swarm finds only those that work, and they have to find each other. Clients and members show one certificate.
 */
export function etcd(
  p: Platform,
  name: string,
  besides: List<string>,
  { nodeLabels }: Pick<StoreOptions, "nodeLabels">,
): Etcd {
  const members = numbered(name, { count: besides.length }, p.address.bind(p));
  const hosts = members.map(({ host }) => host);
  const files = filesOf(p.certificate(`${name}-certificate`, hosts));
  const env = environment(hosts);
  const made = p.slots(name, { count: besides.length }, ({ host, number }) => {
    const colocate = besides[number - 1];
    const peers = members.map((member) => `${member.name}=${peerUrl(member.host)}`);
    const others = hosts.filter((other) => other !== host);
    const self = `${name}-${String(number)}`;
    return {
      image: "postgres-ha",
      start: "parallel",
      tier: "data",
      cpu: 1,
      memoryMib: 256,
      user: "999:999",
      ...(nodeLabels === undefined ? {} : { nodes: nodeLabels }),
      ...(colocate === undefined ? {} : { colocate }),
      files: Object.values(files),
      env,
      prepare: prepare(self, host, others),
      command: ["etcd", ...options(p, name, self, host, peers)],
      ports: {
        client: { number: client, protocol: "tcp" },
        peer: { number: peer, protocol: "tcp" },
        own: { number: own, protocol: "http" },
      },
      health: { ready: { http: "own", path: "/livez" }, startSeconds: 300, stopSeconds: 15 },
      disk: {
        path: data,
        gib: 1,
        backup: { rebuilt: "the servers write again who leads; a member on a new disk copies the others" },
      },
    };
  });
  return { hosts: hosts.map((host) => `${host}:${String(client)}`), files, env, ready: made.flatMap((m) => m.ready) };
}

function filesOf({ ca, cert, key }: Certificate): Etcd["files"] {
  return {
    ca: { path: `${folder}/ca.pem`, content: ca },
    cert: { path: `${folder}/cert.pem`, content: cert },
    key: { path: `${folder}/key.pem`, content: key, secret: true },
  };
}

function environment(hosts: List<string>): Dict<string> {
  return {
    ...quickNames,
    ETCDCTL_ENDPOINTS: hosts.map(clientUrl).join(","),
    ETCDCTL_CACERT: `${folder}/ca.pem`,
    ETCDCTL_CERT: `${folder}/cert.pem`,
    ETCDCTL_KEY: `${folder}/key.pem`,
  };
}

const clientUrl = (host: string): string => `https://${host}:${String(client)}`;
const peerUrl = (host: string): string => `https://${host}:${String(peer)}`;

function options(p: Platform, name: string, self: string, host: string, peers: List<string>): string[] {
  const all = {
    name: self,
    "data-dir": `${data}/etcd`,
    "listen-client-urls": clientUrl("0.0.0.0"),
    "advertise-client-urls": clientUrl(host),
    "listen-peer-urls": peerUrl("0.0.0.0"),
    "initial-advertise-peer-urls": peerUrl(host),
    "initial-cluster": peers.join(","),
    "initial-cluster-token": `${p.name}-${name}`,
    // For its own health check: it answers there before the members have voted.
    "listen-metrics-urls": `http://127.0.0.1:${String(own)}`,
    "cert-file": `${folder}/cert.pem`,
    "key-file": `${folder}/key.pem`,
    "trusted-ca-file": `${folder}/ca.pem`,
    "client-cert-auth": "true",
    "peer-cert-file": `${folder}/cert.pem`,
    "peer-key-file": `${folder}/key.pem`,
    "peer-trusted-ca-file": `${folder}/ca.pem`,
    "peer-client-cert-auth": "true",
    // It would look a caller's address up among the certificate's names, and a swarm does not know a name in time.
    "peer-skip-client-san-verification": "true",
    "auto-compaction-retention": "1", // hours
    "log-level": "warn",
  };
  return Object.entries(all).map(([key, value]) => `--${key}=${value}`);
}

/**
 * A member on a new disk under a name that the others know from before is struck off and joins anew: with its old number
 * it could vote a second time. Who is in the first list and has never run has told no address for clients.
 */
function prepare(self: string, host: string, others: List<string>): string {
  return `set -eu
others() { ETCDCTL_ENDPOINTS=${others.map(clientUrl).join(",")} etcdctl "$@"; }
state=new
if [ ! -d ${data}/etcd/member ] && list="$(others --command-timeout=2s member list 2>/dev/null)"; then
  line="$(printf '%s\\n' "$list" | grep -F ', ${peerUrl(host)},' || :)"
  case $line in
    *', ${clientUrl(host)},'*) others member remove "\${line%%,*}"; line= ;;
  esac
  case $line in
    '') others member add ${self} --peer-urls=${peerUrl(host)}; state=existing ;;
    *', unstarted,'*) state=existing ;;
  esac
fi
set -- "$@" --initial-cluster-state="$state"`;
}
