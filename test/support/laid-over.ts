/** An image of ours with something laid over it, for a test. */
import { execa } from "execa";

/** Builds `folder` with these arguments. Returns its tag: `ref` with the word at its end. */
export async function laidOver(
  ref: string,
  word: string,
  folder: string,
  args: Readonly<Record<string, string>>,
): Promise<string> {
  const given = Object.entries(args).flatMap(([key, value]) => ["--build-arg", `${key}=${value}`]);
  const tag = `${ref}-${word}`;
  await execa("docker", ["build", "--quiet", "--network", "host", ...given, "--tag", tag, folder]);
  return tag;
}
