/**
 * Docker over ssh the way Docker's own client does it: every connection is an `ssh host docker system dial-stdio`, so
 * that the user's ~/.ssh/config, agent and known hosts count.
 */
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { Agent } from "node:http";
import { Socket } from "node:net";
import { Duplex } from "node:stream";

/** Few at once: sshd drops bursts (MaxStartups). Kept and reused: a handshake for every poll would be slow. */
export function sshAgent(url: URL): Agent {
  return new SshAgent(url);
}

class SshAgent extends Agent {
  private readonly url: URL;

  constructor(url: URL) {
    super({ keepAlive: true, maxSockets: 3 });
    this.url = url;
  }

  override createConnection(): Duplex {
    return new SshConnection(this.url);
  }
}

class SshConnection extends Duplex {
  private readonly child: ChildProcessWithoutNullStreams;

  constructor(url: URL) {
    super();
    const { hostname, username, port } = url;
    this.child = spawn("ssh", [
      // BatchMode: ssh must not ask, as there is no terminal and it would hang.
      ...["-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-T"],
      ...(username === "" ? [] : ["-l", decodeURIComponent(username)]),
      ...(port === "" ? [] : ["-p", port]),
      ...["--", hostname, "docker", "system", "dial-stdio"],
    ]);
    let said = "";
    this.child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    this.child.stdout.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) this.child.stdout.pause();
    });
    // The error of a write to an ssh that has ended: ssh's exit code says more.
    this.child.stdin.on("error", () => undefined);
    this.child.on("error", (error) => this.destroy(new Error(`ssh could not be started: ${error.message}`)));
    this.child.on("close", (code) => {
      if (code === 0 || this.destroyed) this.push(null);
      else this.destroy(new Error(`Docker at ${url.href} ${reason(said, url)}`));
    });
  }

  override _read(): void {
    this.child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.child.stdin.write(chunk, () => {
      done();
    });
  }

  override _final(done: () => void): void {
    this.child.stdin.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.child.kill();
    done(error);
  }

  // http.Agent calls these on the sockets that it keeps. An idle socket must not keep the process alive.
  ref(): this {
    for (const part of this.parts()) part.ref();
    return this;
  }

  unref(): this {
    for (const part of this.parts()) part.unref();
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  private parts(): { ref(): void; unref(): void }[] {
    const { stdin, stdout, stderr } = this.child;
    return [this.child, ...[stdin, stdout, stderr].filter((pipe) => pipe instanceof Socket)];
  }
}

const reasons: readonly (readonly [RegExp, (host: string, user: string) => string])[] = [
  [/could not resolve hostname/i, (host) => `cannot be found: ${host} has no address; check its spelling or your DNS`],
  [
    /host key verification failed/i,
    (host, user) => `is not known to this machine's ssh: connect once with \`ssh ${user}${host}\` and confirm its key`,
  ],
  [
    /permission denied \(|too many authentication failures/i,
    (host, user) =>
      `refuses the login: \`ssh ${user}${host}\` must work without a password; add your key to its authorized_keys`,
  ],
  [
    /permission denied.*docker|docker\.sock.*permission denied/i,
    () => "refuses the Docker socket: add the user to that machine's docker group",
  ],
  [
    /not found|no such file/i,
    () => "has no `docker` command on its PATH: install Docker's engine and client on that machine",
  ],
  [/cannot connect to the docker daemon/i, () => "has no running Docker engine: start it on that machine"],
  [
    /connection refused|timed out|no route to host|network is unreachable|connection closed/i,
    (host) => `cannot be reached by ssh: check that ${host} is up and that its ssh port is open to you`,
  ],
];

function reason(said: string, url: URL): string {
  const found = reasons.find(([pattern]) => pattern.test(said));
  const user = url.username === "" ? "" : `${url.username}@`;
  const port = url.port === "" ? "" : `-p ${url.port} `;
  if (found) return found[1](url.hostname, port + user);
  const last = said.trim().split("\n").at(-1) ?? "";
  return `closed the ssh connection${last === "" ? "" : ` (${last})`}: try \`ssh ${port}${user}${url.hostname} docker info\``;
}
