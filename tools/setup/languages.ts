/** What programs in other languages need beside the CLI, built from the same source: the hosts, and SDKs of our package. */
import { chmod, copyFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";

import { execa } from "execa";

import { cached, type Say } from "./cache.ts";
import { buildGo, findGo, type GoBinary, goBinary } from "./go.ts";
import { repo } from "./paths.ts";
import { Problem } from "./problem.ts";
import { pulumiVersion } from "./toolchain.ts";

const generator: GoBinary = {
  name: "sdkgen",
  module: "tools/go/pulumi",
  package: "./sdkgen",
  version: pulumiVersion,
};

/** The CLI's own code generators, for a host that has none. */
export function sdkgen(say?: Say): Promise<string> {
  return goBinary(generator, say);
}

/**
 * An SDK from a package's schema, by the CLI's own generators. `local`: for a program on this machine.
 * @throws Problem with the generator's words.
 */
export async function generateSdk(
  { language, schema, folder, local }: { language: string; schema: string; folder: string; local: boolean },
  say?: Say,
): Promise<void> {
  const args = [language, schema, folder, ...(local ? ["local"] : [])];
  const { failed, stderr } = await execa(await sdkgen(say), args, { reject: false });
  if (failed) throw new Problem(`no SDK for ${language}: ${stderr.trim()}`);
}

/** The last one whose Go module can be had alone. Its protocol is that of every later CLI. */
const python: GoBinary = {
  name: "pulumi-language-python",
  module: "tools/go/python",
  package: "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",
  version: "3.60.0",
};

/** The folder of the host for Python, and of the script that it starts, which has to lie beside it. */
export async function pythonHost(say: Say = () => undefined): Promise<string> {
  return cached(
    {
      name: python.name,
      version: python.version,
      inputs: [python.module, "tools/setup/languages.ts"],
      options: [python.package],
      make: async (into, tell) => {
        const module = join(repo, python.module);
        await mkdir(into, { recursive: true });
        await buildGo({ ...python, module }, into, tell);
        const asked = ["list", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi/sdk/v3"];
        const { stdout } = await execa(await findGo(module, python.name), asked, { cwd: module });
        const script = join(into, "pulumi-language-python-exec");
        await copyFile(join(stdout, "python/cmd/pulumi-language-python-exec"), script);
        await chmod(script, 0o755);
      },
    },
    say,
  );
}

/** The folder of the host for YAML. */
export async function yamlHost(say?: Say): Promise<string> {
  const built = await goBinary(
    {
      name: "pulumi-language-yaml",
      module: "tools/go/yaml",
      package: "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml",
      version: "1.25.0",
    },
    say,
  );
  return dirname(built);
}
