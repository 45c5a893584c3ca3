/** Asks AWS whose credentials these are, before anything is made with them. */
import type { Problem } from "../../core/errors.ts";

interface Caller {
  readonly region: string;
  readonly profile?: string | undefined;
  readonly role?: string | undefined;
}

/** Credentials of another account than the stack's, or none. */
export async function callerProblems(account: string, caller: Caller): Promise<Problem[]> {
  const { whoami } = await import("../../../ops/aws.ts");
  const { region, profile, role } = caller;
  try {
    const found = await whoami({
      region,
      ...(profile === undefined ? {} : { profile }),
      ...(role === undefined ? {} : { roleArn: role }),
    });
    const remedy = `the credentials are of the account ${found}: take those of ${account}, or mend aws.account`;
    return found === account ? [] : [{ key: "aws.account", value: account, remedy }];
  } catch (error) {
    return [{ key: "aws", remedy: error instanceof Error ? error.message : String(error) }];
  }
}
