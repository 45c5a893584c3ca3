import { runtime, secret } from "@pulumi/pulumi";

import type { Dict } from "../../core/contracts.ts";
import { stateOfStack } from "../../core/known.ts";
import { entry } from "../entry.ts";
import { awsCapabilities } from "./capabilities.ts";
import type { AwsTls } from "./certificate.ts";
import { checkAws } from "./check.ts";
import { awsConfig, awsSecrets, type AwsConfig } from "./config.ts";
import { awsManaged, awsServices } from "./managed.ts";

/** One region of AWS, as `topology: aws` chooses it. */
export const aws = entry({
  config: awsConfig,
  capabilities: awsCapabilities,
  services: awsServices,
  managed: awsManaged,
  ports: () => ({ http: 80, https: 443 }),
  asks: awsSecrets,
  check: (config, { site, plan, secrets }) => checkAws({ ...config, tls: tlsOf(config, secrets, "plain") }, site, plan),
  preflight: async (config, { site, plan }) => {
    const { callerProblems, movedParts } = await import("./preflight.ts");
    const moved = movedParts((await stateOfStack()) ?? [], config, site, plan);
    // A preview needs no credentials.
    return runtime.isDryRun() ? moved : [...moved, ...(await callerProblems(config.account, config))];
  },
  make: async (config, { site, secrets }, opts) => {
    const { AwsRegion } = await import("./index.ts");
    return new AwsRegion("aws", { ...config, site, tls: tlsOf(config, secrets, "secret") }, opts);
  },
});

/** Adds the operator's own key: plain, to be checked, or as a secret. */
function tlsOf({ tls }: AwsConfig, { tlsKey = "" }: Dict<string>, how: "plain" | "secret"): AwsTls {
  return tls.mode === "own" ? { ...tls, key: how === "plain" ? tlsKey : secret(tlsKey) } : tls;
}
