/** An S3 store on this machine itself, which stacks on its engine and the nodes of a test's swarm reach: MinIO. */
import { execa } from "execa";

import { engine, eventually, localImage } from "./arkindex.ts";
import { runLabels } from "./run.ts";

export const bucket = "backups";

export interface OutsideStoreArgs {
  /** Its container's. */
  readonly name: string;
  /** This machine's, with a port. */
  readonly address: string;
  /** Keys and their secrets. The first is the administrator's. */
  readonly keys: readonly (readonly [key: string, secret: string])[];
}

/** Starts it, with an empty bucket. */
export async function outsideStore({ name, address, keys }: OutsideStoreArgs): Promise<{ endpoint: string }> {
  const [[root, password] = ["", ""], ...others] = keys;
  await removeOutsideStore(name);
  const made = await engine.createContainer({
    ...{ name, Image: localImage("minio"), User: "0:0", Labels: runLabels, Cmd: [] },
    Env: [`MINIO_ROOT_USER=${root}`, `MINIO_ROOT_PASSWORD=${password}`, "MINIO_BROWSER=off"],
    Entrypoint: ["minio", "server", "/tmp/data", "--address", address],
    HostConfig: { NetworkMode: "host", Init: true },
  });
  await made.start();
  const mc = "mc -q --config-dir /tmp/mc";
  const lines = [
    `${mc} alias set at http://${address} ${root} ${password}`,
    `${mc} mb -p at/${bucket}`,
    ...others.flatMap(([key, secret]) => [
      `${mc} admin user add at ${key} ${secret}`,
      `${mc} admin policy attach at readwrite --user ${key}`,
    ]),
  ];
  await eventually(async () => {
    const args = ["exec", name, "sh", "-c", lines.join(" && ")];
    const { failed, all } = await execa("docker", args, { reject: false, all: true });
    if (failed) throw new Error(all);
    return true;
  });
  return { endpoint: `http://${address}` };
}

export async function removeOutsideStore(name: string): Promise<void> {
  await execa("docker", ["rm", "--force", "--volumes", name], { reject: false });
}
