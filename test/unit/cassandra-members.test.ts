/** What Cassandra's members are told when one joins, is lost or leaves: the scripts, with a nodetool that answers as told. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import { cassandra } from "../../components/services/cassandra.ts";
import { leaveScript, lostScript } from "../../components/services/cassandra-setup.ts";
import { slotsOf } from "../support/slot-server.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cassandra-"));
  for (const each of ["bin", "data", "conf"]) mkdirSync(join(folder, each));
  writeFileSync(join(folder, "conf", "admin-password"), "secret");
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** By the host: what it says of the ring, or nothing if it does not answer. Its address is 10.0.0.<its number>. */
type Rings = Readonly<Record<string, readonly string[]>>;
const id = (n: number) => `00000000-0000-4000-8000-00000000000${String(n)}`;
const row = (state: string, n: number, rack = n) =>
  `${state}  10.0.0.${String(n)}  1 KiB  16  100.0%  ${id(n)}  zone-${String(rack)}`;

function run(script: string, rings: Rings, fails: readonly string[] = []) {
  const hosts = Object.entries(rings);
  const program = (name: string, text: string): void => {
    writeFileSync(join(folder, "bin", name), `#!/bin/bash\n${text}\n`);
    chmodSync(join(folder, "bin", name), 0o755);
  };
  const known = hosts.map(([host]) => `${host}) echo "10.0.0.${host.slice(-1)} STREAM" ;;`);
  program("getent", `case $2 in ${known.join(" ")} *) exit 2 ;; esac`);
  const rows = hosts.map(([host, lines]) => `${host}) cat <<'RING'\n${lines.join("\n")}\nRING\n;;`);
  program(
    "nodetool",
    `host=$2; what="\${*:7}"; echo "$host $what" >>${folder}/calls
case " ${fails.join(" ")} " in *" $7 "*) exit 1 ;; esac
case $host in ${hosts.map(([host]) => host).join("|")}) ;; *) echo "$host is not there" >&2; exit 1 ;; esac
if [ "$7" = status ]; then case $host in ${rows.join(" ")} esac; fi`,
  );
  const own = script
    .replaceAll("/tmp/", `${folder}/`)
    .replaceAll("/var/lib/cassandra", join(folder, "data"))
    .replaceAll("/run/cassandra", join(folder, "conf"));
  writeFileSync(join(folder, "calls"), "");
  const { status, stderr } = spawnSync("bash", ["-euc", own], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"], // bash reads its rc file where the input is a socket
    env: { PATH: `${join(folder, "bin")}:${process.env.PATH ?? ""}` },
  });
  return { status, stderr, calls: readFileSync(join(folder, "calls"), "utf8").trim().split("\n") };
}

describe("a retired number is struck off", () => {
  const stay = ["cassandra-1", "cassandra-3"];
  const script = lostScript(2, stay, ["media"]);
  const ring = (...rows: string[]): Rings => ({ "cassandra-1": rows, "cassandra-3": rows });
  const changes = (calls: readonly string[]) => calls.filter((call) => !call.endsWith(" status"));

  test("when it alone is down: then what the others hold is repaired", () => {
    const { status, calls } = run(script, ring(row("UN", 1), row("DN", 2), row("UN", 3)));
    expect(status).toBe(0);
    expect(changes(calls)).toEqual([
      `cassandra-3 removenode ${id(2)}`,
      ...["system_auth", "media"].flatMap((keyspace) => stay.map((host) => `${host} repair --full -pr ${keyspace}`)),
    ]);
  });

  test("by force, where it cannot be removed", () => {
    const { status, calls } = run(script, ring(row("UN", 1), row("DN", 2), row("UN", 3)), ["removenode"]);
    expect([status, calls[2]]).toEqual([0, "cassandra-3 assassinate 10.0.0.2"]);
  });

  test("not when nobody is down, as it runs, or has left", () => {
    for (const rows of [
      [row("UN", 1), row("UN", 3)],
      [row("UN", 1), row("UN", 2), row("UN", 3)],
    ]) {
      const { status, calls } = run(script, ring(...rows));
      expect([status, changes(calls)]).toEqual([0, []]);
    }
  });

  test.each<[string, string[], string]>([
    ["one that stays is down", [row("UN", 1), row("DN", 3)], "cassandra-3 is not up either; bring it back first"],
    ["both are down", [row("UN", 1), row("DN", 2), row("DN", 3)], "cassandra-3 is not up either"],
    ["another is down, too", [row("UN", 1), row("DN", 2), row("UN", 3), row("DN", 5)], "more is wrong with the ring"],
    ["one is joining", [row("UN", 1), row("UJ", 5), row("UN", 3)], "more is wrong with the ring"],
  ])("not when %s", (_, rows, sentence) => {
    const { status, stderr, calls } = run(script, ring(...rows));
    expect([status, changes(calls)]).toEqual([1, []]);
    expect(stderr).toContain("number 2 is not struck off");
    expect(stderr).toContain(sentence);
  });

  test("not when nobody answers", () => {
    const { status, stderr } = run(script, {});
    expect([status, stderr]).toEqual([1, expect.stringContaining("none of cassandra-1, cassandra-3 tells")]);
  });
});

describe("a member's farewell", () => {
  const script = leaveScript("cassandra-2", ["cassandra-1", "cassandra-2", "cassandra-3"]);
  const others = (...rows: string[]): Rings => ({ "cassandra-3": rows });

  test("hands its rows over, while it runs", () => {
    const { status, calls } = run(script, { "cassandra-2": [], ...others() });
    expect([status, calls]).toEqual([0, ["cassandra-2 info", "cassandra-2 decommission"]]);
  });
  test("is over, once it is in nobody's ring", () => {
    expect(run(script, others(row("UN", 1), row("UN", 3)))).toMatchObject({ status: 0 });
  });
  test("fails, while somebody is down, and where nobody tells", () => {
    const down = run(script, others(row("UN", 1), row("DN", 2), row("UN", 3)));
    expect([down.status, down.stderr]).toEqual([1, expect.stringContaining("bring it back; or, if its disk is lost")]);
    const alone = run(script, {});
    expect([alone.status, alone.stderr]).toEqual([1, expect.stringContaining("none of the others tells")]);
  });
});

describe("a member's rack", () => {
  const ask = { nodes: 5, keyspaces: ["media"], peers: [], gib: 1 };
  const prepared = (number: number, rings: Rings): string => {
    const slot = slotsOf(cassandra, "cassandra", ask)[number - 1];
    const { status, stderr } = run(slot?.prepare ?? "exit 9", rings);
    if (status !== 0) throw new Error(stderr);
    return readFileSync(join(folder, "rackdc.properties"), "utf8");
  };
  const marked = (): void => {
    writeFileSync(join(folder, "data", ".disk"), "");
  };

  test.each<[string, number, Rings, string]>([
    ["its zone's, while there is nobody", 2, {}, "zone-2"],
    ["its zone's, where no other has fewer", 4, { "cassandra-2": [1, 2, 3].map((n) => row("UN", n)) }, "zone-1"],
    ["its zone's, where another has as many", 2, { "cassandra-1": [row("UN", 1)] }, "zone-2"],
    ["a lost one's", 4, { "cassandra-1": [row("UN", 1), row("UN", 3)] }, "zone-2"],
    ["a lost one's, as the next seed has it", 4, { "cassandra-3": [row("UN", 1), row("UN", 2)] }, "zone-3"],
  ])("is %s", (_, number, rings, rack) => {
    marked();
    expect(prepared(number, rings)).toBe(`dc=local\nrack=${rack}\n`);
    // And stays so, whoever comes or goes.
    expect(prepared(number, { "cassandra-1": [row("UN", 1, 1), row("UN", 5, 1)] })).toBe(`dc=local\nrack=${rack}\n`);
  });

  test("is found anew, where the disk had no room to keep it", () => {
    marked();
    const script = slotsOf(cassandra, "cassandra", ask)[1]?.prepare ?? "";
    const full = run(script.replace("\nrack=", "\ntrap '' XFSZ\nulimit -f 0\nrack="), {});
    expect([full.status === 0, existsSync(join(folder, "data", ".rack"))]).toEqual([false, false]);
    expect(prepared(2, {})).toBe("dc=local\nrack=zone-2\n");
  });

  test("is its zone's, on a disk from before racks were kept", () => {
    mkdirSync(join(folder, "data", "data", "system"), { recursive: true });
    expect(prepared(3, { "cassandra-1": [row("UN", 3), row("UN", 5, 3)] })).toBe("dc=local\nrack=zone-3\n");
  });

  test("a disk that has lost its data is refused", () => {
    expect(() => prepared(2, {})).toThrow("cassandra-2 has lost its data: retire its number, 2");
  });
});
