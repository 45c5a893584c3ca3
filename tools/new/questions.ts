/**
 * What `npm run new` asks. An answer goes into the config at its key, and the key is the flag's name, too. What is right
 * is the program's to say: no rule is here.
 */
import { at } from "../../components/core/formats.ts";
import type { Capabilities } from "../../components/core/topology.ts";
import { capabilities } from "../../components/topologies/capabilities.ts";

export type Config = Readonly<Record<string, unknown>>;

export interface Choice {
  readonly value: unknown;
  readonly label: string;
}

export interface Question {
  /** The answer's path in the config, as `docker.tls.mode`. */
  readonly key: string;
  readonly message: string;
  /** Whether it is asked. Default: always. */
  readonly when?: (config: Config) => boolean;
  /** What is offered. Default: nothing. */
  readonly usual?: (config: Config) => string | boolean | undefined;
  /** What an answer looks like. */
  readonly example?: string;
  /** The answers that there are; undefined in `value` leaves the key out. */
  readonly choices?: (config: Config) => readonly Choice[];
  readonly yesOrNo?: true;
  /** An empty answer leaves the key out. */
  readonly optional?: true;
}

const has = (config: Config, key: string): boolean => at(config, key.split(".")) !== undefined;
const is =
  (key: string, ...values: readonly unknown[]) =>
  (config: Config): boolean =>
    values.includes(at(config, key.split(".")));
const same = (text: string | boolean) => (): string | boolean => text;
const any = (values: readonly string[]): readonly Choice[] => values.map((value) => ({ value, label: value }));

const isLocal = ({ hostname }: Config): boolean => typeof hostname === "string" && hostname.endsWith(".localhost");

const site: readonly Question[] = [
  {
    key: "hostname",
    message: "The public DNS name",
    example: "arkindex.example.com",
    usual: ({ system, topology }) => (topology === "docker" ? `${String(system)}.localhost` : undefined),
  },
  {
    key: "protect",
    message: "Protect data and passwords: `destroy` and replacement are refused?",
    yesOrNo: true,
    usual: (config) => !isLocal(config),
  },
  {
    key: "rehearsal",
    message: "Rehearse: a small image of ours in the place of private images that you have not (yet)?",
    yesOrNo: true,
    usual: ({ protect }) => protect === false,
    when: ({ system }) => !["arangodb", "machines"].includes(String(system)),
  },
];

/** Where a topology with a proxy of ours publishes it, and who signs. */
function edge(topology: "docker" | "swarm"): Question[] {
  const chosen = is("topology", topology);
  const mode = `${topology}.tls.mode`;
  const port = (scheme: "http" | "https", usual: string, onLaptop: string): Question => ({
    key: `${topology}.ports.${scheme}`,
    message: `The edge's port for ${scheme}`,
    when: chosen,
    usual: (config) => (isLocal(config) ? onLaptop : usual),
    example: usual,
  });
  return [
    port("http", "80", "8080"),
    port("https", "443", "8443"),
    {
      key: mode,
      message: "Who signs the edge's certificate",
      when: chosen,
      choices: () => [
        { value: "local", label: "an authority of the stack's own, which no browser knows" },
        { value: "acme", label: "Let's Encrypt, or another by ACME" },
        { value: "own", label: "a certificate of yours" },
        { value: "outside", label: "nobody: TLS ends in front of the edge" },
      ],
      usual: (config) => (isLocal(config) ? "local" : "acme"),
    },
    {
      key: `${topology}.tls.email`,
      message: "Your e-mail address, for ACME",
      when: is(mode, "acme"),
      example: "operator@example.com",
    },
    {
      key: `${topology}.tls.cert`,
      message: "The certificate chain: a PEM file as @/path/to/chain.pem",
      when: is(mode, "own"),
      example: "@chain.pem",
    },
    {
      key: `${topology}.tls.trustedProxies`,
      message: "The addresses of what ends TLS",
      when: is(mode, "outside"),
      example: "10.0.0.5, 10.0.0.6",
    },
  ];
}

const places: readonly Question[] = [
  {
    key: "docker.address",
    message: "The host's address for the edge; 0.0.0.0 is all of them",
    when: is("topology", "docker"),
    usual: (config) => (isLocal(config) ? "127.0.0.1" : "0.0.0.0"),
    example: "0.0.0.0",
  },
  {
    key: "swarm.machines",
    message: "The stack that has made the machines (system: machines), if there is one",
    when: is("topology", "swarm"),
    optional: true,
    example: "machines-prod",
  },
  {
    key: "swarm.managers",
    message: "The managers' engines, as Docker knows them",
    when: (config) => config.topology === "swarm" && !has(config, "swarm.machines"),
    example: "ssh://m1.example.com, ssh://m2.example.com, ssh://m3.example.com",
  },
  ...edge("docker"),
  ...edge("swarm"),
  { key: "aws.account", message: "The account's number", when: is("topology", "aws"), example: "123456789012" },
  { key: "aws.region", message: "The region", when: is("topology", "aws"), example: "eu-central-1" },
  {
    key: "aws.zones",
    message: "Two or three of its zones, for ever",
    when: is("topology", "aws"),
    usual: ({ aws }) => ["a", "b", "c"].map((zone) => String(at(aws, ["region"])) + zone).join(", "),
    example: "eu-central-1a, eu-central-1b, eu-central-1c",
  },
  {
    key: "aws.tls.mode",
    message: "Who signs the balancer's certificate",
    when: (config) => config.topology === "aws" && config.system !== "machines",
    choices: () => [
      { value: "acm", label: "AWS Certificate Manager" },
      { value: "own", label: "a certificate of yours" },
      { value: "local", label: "an authority of the stack's own, which no browser knows" },
    ],
    usual: same("acm"),
  },
  {
    key: "aws.zoneId",
    message: "The hosted zone of Route 53 that has the hostname",
    when: is("aws.tls.mode", "acm"),
    example: "Z0123456789ABCDEFGHIJ",
  },
  {
    key: "aws.tls.cert",
    message: "The certificate chain: a PEM file as @/path/to/chain.pem",
    when: is("aws.tls.mode", "own"),
    example: "@chain.pem",
  },
];

const images: readonly Question[] = [
  {
    key: "mirror",
    message: "A registry that has all images (`npm run images -- push` fills it), if there is one",
    when: ({ system }) => system !== "machines",
    optional: true,
    usual: ({ topology, aws }) =>
      topology === "aws"
        ? `${String(at(aws, ["account"]))}.dkr.ecr.${String(at(aws, ["region"]))}.amazonaws.com/platforms`
        : undefined,
    example: "registry.example.com/hub",
  },
  {
    key: "localImages",
    message: "Use the images that set-up builds on this machine (only where it is the Docker host)?",
    yesOrNo: true,
    when: (config) => config.topology === "docker" && !has(config, "mirror"),
    usual: isLocal,
  },
];

const backup: readonly Question[] = [
  {
    key: "backup.to",
    message: "Where backups go",
    when: ({ system }) => system !== "machines",
    choices: (config) => {
      const { backupPlaces }: Capabilities = capabilities[config.topology as Capabilities["name"]];
      const all = [
        ["volume", { volume: "backup" }, "a volume of the Docker host"],
        ["path", { path: "/var/backups/stack" }, "a folder of the machine"],
        ["s3", { s3: { endpoint: "https://s3.example.com", bucket: "backups" } }, "a bucket of an S3 store"],
      ] as const;
      return [
        { value: undefined, label: "nowhere yet" },
        ...all.filter(([kind]) => backupPlaces.has(kind)).map(([, value, label]) => ({ value, label })),
      ];
    },
  },
  {
    key: "backup.to.volume",
    message: "The volume's name",
    when: (config) => has(config, "backup.to.volume"),
    usual: same("backup"),
    example: "backup",
  },
  {
    key: "backup.to.path",
    message: "The folder",
    when: (config) => has(config, "backup.to.path"),
    usual: same("/var/backups/stack"),
    example: "/var/backups/stack",
  },
  {
    key: "backup.to.s3.endpoint",
    message: "The S3 server's address",
    when: (config) => has(config, "backup.to.s3"),
    example: "https://s3.example.com",
  },
  {
    key: "backup.to.s3.bucket",
    message: "The bucket",
    when: (config) => has(config, "backup.to.s3"),
    example: "backups",
  },
];

/** Of a system, the few values that nobody else can know. */
const own: readonly Question[] = [
  { key: "arkindex.version", message: "The release of Arkindex", example: "1.7.0", usual: same("1.7.0") },
  {
    key: "arkindex.backends",
    message: "Backends",
    example: "2",
    usual: ({ protect }) => (protect === false ? "1" : "2"),
  },
  {
    key: "arkindex.workers",
    message: "Local workers",
    example: "2",
    usual: ({ protect }) => (protect === false ? "1" : "2"),
  },
  {
    key: "arangodb.mode",
    message: "A cluster, or one server",
    choices: () => any(["cluster", "single"]),
    usual: same("cluster"),
  },
  {
    key: "arangodb.dbservers.count",
    message: "DB servers",
    when: is("arangodb.mode", "cluster"),
    example: "3",
    usual: same("3"),
  },
  { key: "pyrus.version", message: "The release of Pyrus", example: "1.22.1", usual: same("1.22.1") },
  { key: "pyrus.adminEmail", message: "The first administrator's e-mail address", example: "admin@example.com" },
  {
    key: "pyrus.ha",
    message: "High availability: the vendor's replicas, three NATS, three Elasticsearch?",
    yesOrNo: true,
    usual: ({ topology }) => topology !== "docker",
  },
  {
    key: "media.nodes",
    message: "Cassandra nodes: 1, or 3 and more",
    example: "3",
    usual: ({ topology }) => (topology === "docker" ? "1" : "3"),
  },
  {
    key: "media.searchNodes",
    message: "Search nodes: 1 or 3",
    example: "3",
    usual: ({ topology }) => (topology === "docker" ? "1" : "3"),
  },
  { key: "shinyproxy.apps.demo.title", message: "The first app's title", example: "Demo", usual: same("Demo") },
  {
    key: "shinyproxy.apps.demo.image",
    message: "The first app's image",
    example: "shiny-demo",
    usual: same("shiny-demo"),
  },
  {
    key: "machines.sshKeys",
    message: "The public keys of those who deploy; a file as @/home/you/.ssh/id_ed25519.pub",
    example: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUTYOUROWNKEYHERE0000000000000000000000000 you@example.com",
  },
  { key: "machines.managers.count", message: "Managers: 1, 3, 5 or 7", example: "3", usual: same("3") },
  { key: "machines.workers.apps.count", message: "Workers", example: "2", usual: same("2") },
];

/** In the order in which they are asked, after the system and the topology. */
export const questions: readonly Question[] = [
  ...site,
  ...own.map((question) => ({
    ...question,
    when: (config: Config) =>
      question.key.startsWith(`${String(config.system)}.`) && (question.when === undefined || question.when(config)),
  })),
  ...places,
  ...images,
  ...backup,
];
