import { agent } from "./agent.cjs";

/** What the agent of a slot's machine has to know to find its spec. Plain text: anybody who sees the machine sees it. */
export interface MachineArgs {
  readonly region: string;
  /** The secret that holds the spec. */
  readonly secretArn: string;
  /** The volume to attach; unset: the machine has no disk of its own. */
  readonly volumeId?: string;
  readonly logGroup: string;
}

/**
 * The user data of a slot's machine: docker, the agent and its units. Any other text makes another version of the
 * launch template, which replaces the machine; so it has nothing that changes with a release but the agent itself, and
 * nothing compressed, as zlib's output differs from one machine to another. EC2 takes 16 KiB.
 */
export function userData({ region, secretArn, volumeId, logGroup }: MachineArgs): string {
  const slot = { region, secret: secretArn, ...(volumeId === undefined ? {} : { volume: volumeId }), logGroup };
  const files = Object.entries({
    "/etc/slot.json": JSON.stringify(slot),
    "/usr/local/bin/slot": withoutComments(agent),
    ...units,
  }).map(([path, text]) => `cat >${path} <<'END'\n${text.trim()}\nEND\n`);
  return `#!/bin/sh
${files.join("")}chmod 755 /usr/local/bin/slot
for try in 1 2 3 4 5; do dnf -y -q install docker && break; sleep 10; done
systemctl daemon-reload
systemctl enable slot.service slot-watch.timer
systemctl start --no-block slot.service slot-watch.timer
`;
}

/** Blank lines, comments and docstrings of one line stay in the source. */
function withoutComments(text: string): string {
  return text.replace(/^ *(?:# .*|""".*""")?\n/gm, "");
}

/** The console keeps the reason why a machine was replaced: EC2 shows it for about an hour after the end. */
const units = {
  "/etc/systemd/system/slots.slice": "[Unit]\nDescription=Containers, which the agent keeps from the metadata service",
  "/etc/systemd/system/slot.service": `[Unit]
Description=The container of this machine
Wants=network-online.target
After=network-online.target
[Service]
Type=oneshot
ExecStart=/usr/local/bin/slot boot
StandardError=journal+console
[Install]
WantedBy=multi-user.target`,
  "/etc/systemd/system/slot-watch.service": `[Unit]
Description=Reports this machine when its container stays ill
[Service]
Type=oneshot
ExecStart=/usr/local/bin/slot watch`,
  "/etc/systemd/system/slot-watch.timer": `[Unit]
Description=Each minute
[Timer]
OnCalendar=minutely
[Install]
WantedBy=timers.target`,
};
