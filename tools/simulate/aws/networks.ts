/** A network that was there before the stack: the simulation knows none, so each is taken to be as it is asked for. */
import type { Answers } from "./answers.ts";

export const ec2: Answers = {
  DescribeVpcAttribute: ({ VpcId, Attribute }) => ({ vpcId: VpcId, [String(Attribute)]: { value: true } }),
  DescribeSubnets: (asked) => {
    const ids = valuesOf(asked, "subnet-id");
    const [zone] = valuesOf(asked, "availability-zone");
    return { subnetSet: ids.map((subnetId) => ({ subnetId, availabilityZone: zone, state: "available" })) };
  },
};

/** `Filter.2.Name=x` and `Filter.2.Value.1=y` as `[y]` of `x`. */
function valuesOf(asked: Readonly<Record<string, unknown>>, filter: string): string[] {
  const [key = ""] = Object.entries(asked).find(([name, value]) => name.endsWith(".Name") && value === filter) ?? [];
  const begin = key.replace(/Name$/, "Value.");
  return Object.entries(asked).flatMap(([name, value]) => (name.startsWith(begin) ? [String(value)] : []));
}
