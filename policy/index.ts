/**
 * The policy pack: `pulumi preview --policy-pack policy`, for our stacks and for programs that import our components. A
 * policy sees secrets in plain text; what it reports names resources alone.
 */
import { type Policies, PolicyPack, type PolicyResource, type ResourceValidationArgs } from "@pulumi/policy";

import { awsRules } from "./aws.ts";
import { findingsOf, type Made, type Rule } from "./rule.ts";
import { stackRules } from "./stack.ts";

/** `RDS.2, CIS AWS 3.2.3: a database has no public address`. */
function description({ controls, says }: Rule): string {
  return controls.length === 0 ? says : `${controls.join(", ")}: ${says}`;
}

/** What a URN says of a parent. */
function parentOf(urn: string | undefined): Made["parent"] {
  const [, , types = "", name = ""] = (urn ?? "").split("::");
  return { type: types.split("$").at(-1) ?? "", name };
}

function madeOf({ type, name, props, opts }: ResourceValidationArgs | PolicyResource): Made {
  return { type, name, props, protect: opts.protect, parent: parentOf(opts.parent) };
}

const policies = [...awsRules, ...stackRules].map((rule): Policies[number] => {
  const { name, advisory } = rule;
  const common = {
    name,
    description: description(rule),
    enforcementLevel: advisory ? ("advisory" as const) : ("mandatory" as const),
  };
  if ("findings" in rule)
    return {
      ...common,
      validateStack: ({ resources }, report) => {
        const urns = new Map<Made, string>();
        for (const resource of resources) urns.set(madeOf(resource), resource.urn);
        for (const { on, why } of rule.findings([...urns.keys()])) report(why, urns.get(on));
      },
    };
  return {
    ...common,
    validateResource: (args, report) => {
      const made = madeOf(args);
      if (findingsOf(rule, [made]).length > 0) report(`${made.name} is not so`);
    },
  };
});

new PolicyPack("platform-topologies", { policies });
