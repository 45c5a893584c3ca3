import type { Dict, List } from "../../core/contracts.ts";
import { agent, node, slot } from "./agent.cjs";

/** What the agent of a slot's machine has to know to find its spec. Plain text: anybody who sees the machine sees it. */
export interface MachineArgs {
  readonly region: string;
  /** The secret that holds the spec. */
  readonly secretArn: string;
  /** The volume to attach; unset: the machine has no disk of its own. */
  readonly volumeId?: string;
  /** Its image is the one with drivers for GPUs. Default: the plain one. */
  readonly gpu?: boolean;
  readonly logGroup: string;
}

/**
 * The user data of a slot's machine: docker, the agent and its units. Any other text makes another version of the
 * launch template, which replaces the machine; so it has nothing that changes with a release but the agent itself, and
 * nothing compressed, as zlib's output differs from one machine to another. EC2 takes 16 KiB.
 */
export function userData({ region, secretArn, volumeId, logGroup, gpu = false }: MachineArgs): string {
  const known = { region, secret: secretArn, ...(volumeId === undefined ? {} : { volume: volumeId }), logGroup };
  const engine = gpu ? ecsAway : installed;
  return script({ known, name: "slot", program: slot, units, engine, start: ["slot.service", "slot-watch.timer"] });
}

const installed = "for try in 1 2 3 4 5; do dnf -y -q install docker && break; sleep 10; done";

/** This image has docker. ECS' own agent would look for a cluster, and start docker with the machine, before our agent. */
const ecsAway = `systemctl disable --now --no-block ecs amazon-ecs-volume-plugin
systemctl disable docker`;

/** What the agent of a swarm's node has to know. Plain text, and no token: those are in the two secrets. */
export interface NodeArgs {
  readonly region: string;
  /** The tag `swarm` of all machines. */
  readonly swarm: string;
  /** The addresses of the managers. */
  readonly managers: List<string>;
  /** The secrets that have the tokens. Without the manager's this is a worker. */
  readonly workerToken: string;
  readonly managerToken?: string;
  /** It begins the swarm. */
  readonly first?: true;
  /** Its address and its name; unset: AWS's own address, and `<group>-<instance>`. */
  readonly address?: string;
  readonly host?: string;
  /** Labels of the node, `group` among them. */
  readonly labels: Dict<string>;
  readonly logGroup: string;
  /** Public keys that may log in. */
  readonly keys: List<string>;
}

/**
 * The user data of a node. Docker is told to start with the machine, but at first the agent starts it: its labels are
 * not there before. sshd drops bursts of connections, and a deployment makes many.
 */
export function nodeUserData({ keys, ...known }: NodeArgs): string {
  const text = script({
    known,
    name: "node",
    program: node,
    units: nodeUnits,
    engine: installed,
    start: ["node.service", "node-watch.timer"],
  });
  const home = "/home/ec2-user/.ssh";
  return `${text}usermod -aG docker ec2-user
mkdir -p ${home}
cat >>${home}/authorized_keys <<'END'
${keys.join("\n")}
END
chown -R ec2-user: ${home}
chmod -R go= ${home}
echo "MaxStartups 100:30:200" >/etc/ssh/sshd_config.d/60-bursts.conf
systemctl reload sshd
`;
}

interface Script {
  readonly known: object;
  readonly name: string;
  readonly program: string;
  readonly units: Dict<string>;
  /** Commands after which docker is there, and nothing starts it but the agent. */
  readonly engine: string;
  readonly start: List<string>;
}

function script({ known, name, program, units, engine, start }: Script): string {
  const files = Object.entries({
    "/etc/machine.json": JSON.stringify(known),
    "/usr/local/bin/agent.py": withoutComments(agent),
    [`/usr/local/bin/${name}`]: withoutComments(program),
    ...Object.fromEntries(Object.entries(units).map(([unit, text]) => [`/etc/systemd/system/${unit}`, text])),
  }).map(([path, text]) => `cat >${path} <<'END'\n${text.trim()}\nEND\n`);
  return `#!/bin/sh
${files.join("")}chmod 755 /usr/local/bin/${name}
${engine}
systemctl daemon-reload
systemctl enable ${start.join(" ")}
systemctl start --no-block ${start.join(" ")}
`;
}

/** Blank lines, comments, docstrings and three of four spaces stay in the source: Python reads the same. */
function withoutComments(text: string): string {
  return text
    .replace(/^ *"""[^"]*"""\n/gm, "")
    .replace(/^ *(?:# .*)?\n/gm, "")
    .replace(/^(?: {4})+/gm, (spaces) => " ".repeat(spaces.length / 4));
}

const eachMinute = `[Unit]
Description=Each minute
[Timer]
OnCalendar=minutely
[Install]
WantedBy=timers.target`;

/**
 * The console keeps the reason why a machine was replaced: EC2 shows it for about an hour after the end. A GPU's image
 * loads the driver in a service of its own.
 */
const units = {
  "slots.slice": "[Unit]\nDescription=Containers, which the agent keeps from the metadata service",
  "slot.service": `[Unit]
Description=The container of this machine
Wants=network-online.target
After=network-online.target nvidia-kmod-load.service
[Service]
Type=oneshot
ExecStart=/usr/local/bin/slot boot
StandardError=journal+console
[Install]
WantedBy=multi-user.target`,
  "slot-watch.service": `[Unit]
Description=Reports this machine when its container stays ill
[Service]
Type=oneshot
ExecStart=/usr/local/bin/slot watch`,
  "slot-watch.timer": eachMinute,
};

const nodeUnits = {
  "node.service": `[Unit]
Description=A node of the swarm
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0
[Service]
Type=oneshot
ExecStart=/usr/local/bin/node join
Restart=on-failure
RestartSec=10
StandardError=journal+console
[Install]
WantedBy=multi-user.target`,
  "node-watch.service": `[Unit]
Description=Keeps the swarm's list of nodes true
[Service]
Type=oneshot
ExecStart=/usr/local/bin/node watch`,
  "node-watch.timer": eachMinute,
};
