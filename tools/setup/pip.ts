/** Programs of PyPI, each with all that it needs in a folder of its own: nothing is installed on the machine. */
import { execa } from "execa";

import { cached, type Say } from "./cache.ts";
import { Problem } from "./problem.ts";

/** The folder for PYTHONPATH; made the first time. `extra`: as `server` of `moto[server]`. */
export function pipPackage(name: string, version: string, say: Say, extra?: string): Promise<string> {
  const requirement = `${name}${extra === undefined ? "" : `[${extra}]`}==${version}`;
  const make = async (into: string): Promise<void> => {
    say(`${name} ${version}: from PyPI, minutes the first time`);
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", into, requirement];
    const { failed, all } = await execa("python3", pip, { all: true, reject: false });
    if (failed) throw new Problem(`${name} could not be installed (python3 with pip and PyPI are needed): ${all}`);
  };
  return cached({ name, version, inputs: [], options: extra === undefined ? [] : [extra], make }, say);
}

/** For Python itself: the folder is looked at, and never written to. */
export function pythonEnv(folder: string): Record<string, string> {
  return { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: "1" };
}
