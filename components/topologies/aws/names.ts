/** The stack's own domain: what runs is found in it by its name. */
import { type CustomResourceOptions, type Input, type Output } from "@pulumi/pulumi";
import { Instance } from "@pulumi/aws/servicediscovery/instance.js";
import { PrivateDnsNamespace } from "@pulumi/aws/servicediscovery/privateDnsNamespace.js";
import { Service, type ServiceArgs } from "@pulumi/aws/servicediscovery/service.js";

import type { List } from "../../core/contracts.ts";
import type { At } from "../../core/topology.ts";
import type { Region } from "./region.ts";

/** Seconds: how long a caller may remember an address. */
const ttl = 10;

export class Names {
  readonly #region: Region;
  readonly #namespace: PrivateDnsNamespace;

  constructor(region: Region) {
    this.#region = region;
    const { name, site, under, network } = region;
    this.#namespace = new PrivateDnsNamespace(
      `${name}-domain`,
      { name: `${site.name}.internal`, vpc: network.vpcId },
      under(),
    );
  }

  /** A name for the tasks of a service: ECS writes their addresses, which callers remember for `seconds`. */
  ofTasks(name: string, { parent, logicalName }: At, seconds = ttl): Output<string> {
    // ECS says of each task whether it is well; without this word Cloud Map would believe all of them. The provider takes
    // an empty block for none, and would replace the service in each update: so the one value that it may have is given.
    const told = { healthCheckCustomConfig: { failureThreshold: 1 } };
    return this.#addresses(name, logicalName, told, this.#region.under(parent), seconds).arn;
  }

  /** A name with addresses that never change. */
  ofAddresses(name: string, addresses: List<Input<string>>, { parent, logicalName }: At): void {
    const options = this.#region.under(parent);
    const service = this.#addresses(name, logicalName, {}, options);
    for (const [index, address] of addresses.entries()) {
      const suffix = addresses.length === 1 ? "" : `-${String(index + 1)}`;
      const attributes = { AWS_INSTANCE_IPV4: address };
      const its = { serviceId: service.id, instanceId: name + suffix, attributes };
      new Instance(logicalName + suffix, its, options);
    }
  }

  /** Further names for what already has one. */
  aliases(names: List<string>, of: string, { parent, logicalName }: At): void {
    const options = this.#region.under(parent);
    for (const name of names) {
      const service = new Service(
        `${logicalName}-${name}`,
        {
          name,
          dnsConfig: {
            namespaceId: this.#namespace.id,
            routingPolicy: "WEIGHTED",
            dnsRecords: [{ type: "CNAME", ttl }],
          },
          forceDestroy: true,
        },
        options,
      );
      const attributes = { AWS_INSTANCE_CNAME: `${of}.${this.#region.site.name}.internal` };
      new Instance(`${logicalName}-${name}`, { serviceId: service.id, instanceId: of, attributes }, options);
    }
  }

  #addresses(
    name: string,
    logicalName: string,
    more: Pick<ServiceArgs, "healthCheckCustomConfig">,
    options: CustomResourceOptions,
    seconds = ttl,
  ): Service {
    return new Service(
      logicalName,
      {
        name,
        dnsConfig: {
          namespaceId: this.#namespace.id,
          routingPolicy: "MULTIVALUE",
          dnsRecords: [{ type: "A", ttl: seconds }],
        },
        ...more,
        forceDestroy: true,
      },
      options,
    );
  }
}
