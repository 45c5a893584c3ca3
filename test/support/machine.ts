/** Another host, as a stack sees one: a network namespace behind a cable to this machine. Needs root. */
import { once } from "node:events";

import { execa } from "execa";

/** Longest name of a network interface, less the letter that each end of the cable adds. */
const longest = 14;

export class Machine {
  readonly name: string;
  /** The host's own address; this machine's is at the other end of the cable. */
  readonly address: string;
  readonly gateway: string;

  private constructor(name: string, network: string) {
    this.name = name;
    this.gateway = `${network}.1`;
    this.address = `${network}.2`;
  }

  /** `network`: the first three numbers of addresses that nothing else here uses. */
  static async create(name: string, network: string): Promise<Machine> {
    if (name.length > longest) throw new Error(`${name}: at most ${String(longest)} letters`);
    const machine = new Machine(name, network);
    await machine.remove(); // of a run that was killed
    await execa("ip", ["netns", "add", name]);
    await execa("ip", ["link", "add", `h${name}`, "type", "veth", "peer", "name", "eth0", "netns", name]);
    await execa("ip", ["address", "add", `${machine.gateway}/24`, "dev", `h${name}`]);
    await execa("ip", ["link", "set", `h${name}`, "up"]);
    for (const device of ["lo", "eth0"]) await machine.run("ip", "link", "set", device, "up");
    await machine.run("ip", "address", "add", `${machine.address}/24`, "dev", "eth0");
    await machine.run("ip", "route", "add", "default", "via", machine.gateway);
    return machine;
  }

  /** Runs a command there by nsenter, as `ip netns exec` would hide cgroups. */
  async run(...command: string[]): Promise<string> {
    return (await execa("nsenter", [`--net=/run/netns/${this.name}`, ...command])).stdout;
  }

  /** Starts a web server on port 80 that says the machine's name. It ends with the machine. */
  async serve(): Promise<void> {
    const source = `require("http").createServer((_, a) => a.end("${this.name}")).listen(80, () => console.log("up"))`;
    const server = execa("nsenter", [`--net=/run/netns/${this.name}`, process.execPath, "-e", source], {
      reject: false,
    });
    this.#ends.push(() => server.kill());
    await once(server.stdout, "data");
  }

  /** What else ends with the machine. */
  readonly #ends: (() => unknown)[] = [];
  atEnd(end: () => unknown): void {
    this.#ends.unshift(end);
  }

  async remove(): Promise<void> {
    for (const end of this.#ends.splice(0)) await end();
    await execa("ip", ["netns", "delete", this.name], { reject: false });
    await execa("ip", ["link", "delete", `h${this.name}`], { reject: false }); // a namespace in use outlives its name
  }
}
