/** The program of `npm run verify-cloud -- aws`. The command says in VERIFY where. */
import process from "node:process";

import { siteOf } from "../../../components/core/site.ts";
import { AwsRegion, type AwsRegionArgs } from "../../../components/topologies/aws/index.ts";
import { Verify } from "./system.ts";

export interface Where extends Omit<AwsRegionArgs, "site" | "tls"> {
  /** The registry that `npm run images -- push` has filled. */
  readonly mirror: string;
}

const { mirror, ...where } = JSON.parse(process.env.VERIFY ?? "{}") as Where;
const site = siteOf({ name: "verify", hostname: "verify.example.com", protect: false, mirror });
const on = new AwsRegion("aws", { ...where, site, tls: { mode: "local" } });
new Verify("verify", { on });
