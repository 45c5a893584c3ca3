/** The stack's private network: three tiers in each zone, and who may call whom. */
import { type CustomResourceOptions, type Output, output, type Resource } from "@pulumi/pulumi";
import { DefaultSecurityGroup } from "@pulumi/aws/ec2/defaultSecurityGroup.js";
import { Eip } from "@pulumi/aws/ec2/eip.js";
import { InternetGateway } from "@pulumi/aws/ec2/internetGateway.js";
import { NatGateway } from "@pulumi/aws/ec2/natGateway.js";
import { Route } from "@pulumi/aws/ec2/route.js";
import { RouteTable } from "@pulumi/aws/ec2/routeTable.js";
import { RouteTableAssociation } from "@pulumi/aws/ec2/routeTableAssociation.js";
import { SecurityGroup } from "@pulumi/aws/ec2/securityGroup.js";
import { Subnet } from "@pulumi/aws/ec2/subnet.js";
import { Vpc } from "@pulumi/aws/ec2/vpc.js";
import { VpcDhcpOptions } from "@pulumi/aws/ec2/vpcDhcpOptions.js";
import { VpcDhcpOptionsAssociation } from "@pulumi/aws/ec2/vpcDhcpOptionsAssociation.js";
import { VpcEndpoint } from "@pulumi/aws/ec2/vpcEndpoint.js";
import { SecurityGroupEgressRule } from "@pulumi/aws/vpc/securityGroupEgressRule.js";
import { SecurityGroupIngressRule } from "@pulumi/aws/vpc/securityGroupIngressRule.js";

import type { Container, List } from "../../core/contracts.ts";
import { type AwsTier, subnetRange, tiers } from "./addresses.ts";
import type { AwsVpc } from "./config.ts";

export interface NetworkArgs {
  /** The name of the stack's own domain: `arkindex-prod.internal`. */
  readonly domain: string;
  readonly region: string;
  readonly zones: List<string>;
  readonly cidr: string;
  /** How many ways out there are: one for all zones, or one in each. */
  readonly nat: "one" | "each-zone";
  /** Endpoints in all zones, or in the first alone. */
  readonly endpoints: "one" | "each-zone";
  /** The network that is there already. Unset: the stack makes its own. */
  readonly adopted: AwsVpc | undefined;
  /** Our own proxies are the edge: they have a security group of their own. */
  readonly proxied: boolean;
}

/**
 * Who calls whom, by security groups. `proxy`: our own at the edge, in the subnets of `app`, whose ways lead to their
 * image. `routed`: what has a route in the data tier, beside the group of that tier: the edge reaches it, and no store.
 */
type Caller = AwsTier | "proxy" | "routed";

/** What tasks and machines without a way out call: images, logs, secrets, commands, and their own volumes. */
const interfaces = [
  "ecr.api",
  "ecr.dkr",
  "logs",
  "secretsmanager",
  "ssm",
  "ssmmessages",
  "ec2",
  "autoscaling",
] as const;

/**
 * A VPC of the stack's own, whose search domain is the stack's; or one that is there already, in which security groups
 * alone are made.
 */
export class Network {
  /** Unset: it was there before. */
  readonly vpc: Vpc | undefined;
  readonly vpcId: Output<string>;
  /** What a task or a machine needs before it can start: routes, endpoints, rules. */
  readonly ready: Resource[] = [];
  readonly #subnets = new Map<string, Output<string>>();
  readonly #groups = new Map<string, SecurityGroup>();
  readonly #args: NetworkArgs;
  readonly #name: string;
  readonly #options: CustomResourceOptions;
  readonly #rules = new Set<string>();

  constructor(name: string, args: NetworkArgs, options: CustomResourceOptions) {
    this.#args = args;
    this.#name = name;
    this.#options = options;
    const { adopted } = args;
    if (adopted === undefined) {
      this.vpc = this.#makeVpc();
      this.vpcId = this.vpc.id;
      this.#make(this.vpc);
    } else {
      this.vpcId = output(adopted.id);
      for (const [zone, { edge, app, data = app }] of Object.entries(adopted.subnets))
        for (const [tier, id] of Object.entries({ edge, app, data })) this.#subnets.set(`${tier}-${zone}`, output(id));
      for (const key of tiers) this.#makeGroup(key);
      this.#toTheWorld("app");
      // Where their subnets' ways lead: AWS' own services, by its endpoints or by a way out.
      for (const key of this.#callers) if (key !== "app") this.#toTheWorld(key, 443);
    }
    this.#rulesOfTiers();
  }

  /** Who has no way out but to AWS' own services, and who has one. */
  get #callers() {
    return ["app", "data", ...(this.#args.proxied ? ["proxy" as const] : [])] as const;
  }

  #makeVpc(): Vpc {
    const args = { cidrBlock: this.#args.cidr, enableDnsSupport: true, enableDnsHostnames: true };
    return new Vpc(`${this.#name}-vpc`, args, this.#options);
  }

  /** All that a network of the stack's own has. */
  #make({ id: vpcId }: Vpc): void {
    const { domain, cidr, region, zones } = this.#args;
    const [name, options] = [this.#name, this.#options];
    // The default group takes everything from itself; without rules it takes nothing (FSBP EC2.2).
    new DefaultSecurityGroup(`${name}-default`, { vpcId }, options);
    this.#searchDomain(domain, vpcId);
    const gateway = new InternetGateway(`${name}-out`, { vpcId }, options);
    for (const tier of tiers)
      for (const [index, zone] of zones.entries()) {
        const cidrBlock = subnetRange(cidr, tier, index);
        const key = `${tier}-${zone}`;
        const made = { vpcId, availabilityZone: zone, cidrBlock, mapPublicIpOnLaunch: false };
        this.#subnets.set(key, new Subnet(`${name}-${key}`, made, options).id);
      }
    for (const key of [...tiers, "endpoints"]) this.#makeGroup(key);
    const tables = this.#routes(gateway, vpcId);
    const s3 = new VpcEndpoint(
      `${name}-s3`,
      {
        vpcId,
        serviceName: `com.amazonaws.${region}.s3`,
        vpcEndpointType: "Gateway",
        routeTableIds: tables.map(({ id }) => id),
      },
      options,
    );
    this.ready.push(s3);
    this.#endpoints(vpcId);
    for (const tier of this.#callers) {
      this.#allow(tier, "endpoints", 443);
      // Layers of images come from S3, whose gateway has no group of its own.
      const { prefixListId } = s3;
      const rule = {
        ...{ securityGroupId: this.group(tier), description: `${tier} calls S3` },
        ...{ ipProtocol: "tcp", fromPort: 443, toPort: 443, prefixListId },
      };
      this.ready.push(new SecurityGroupEgressRule(`${name}-${tier}-s3`, rule, options));
    }
    this.#toTheWorld("app");
  }

  subnet(tier: AwsTier, zone: string): Output<string> {
    const found = this.#subnets.get(`${tier}-${zone}`);
    if (found === undefined) throw new Error(`no zone ${zone}`);
    return found;
  }

  subnets(tier: AwsTier): Output<string>[] {
    return this.#args.zones.map((zone) => this.subnet(tier, zone));
  }

  group(caller: Caller): Output<string> {
    return this.#group(caller).id;
  }

  /** The group of machines on which strangers' containers run: they call the world, and nobody calls them. */
  guests(): Output<string> {
    const key = "guests";
    if (!this.#groups.has(key)) {
      if (this.vpc !== undefined) this.#allow(key, "endpoints", 443);
      this.#toTheWorld(key);
    }
    return this.#group(key).id;
  }

  /** The groups of what is no proxy. */
  groupsOf({ tier, routes = [] }: Container): Output<string>[] {
    if (tier !== "data") return [this.group("app")];
    return [this.group("data"), ...(routes.length > 0 ? [this.group("routed")] : [])];
  }

  /** Where tasks run, in ECS' own words. */
  placeOf(container: Container, proxy: boolean): { subnets: Output<string>[]; securityGroups: Output<string>[] } {
    const subnets = this.subnets(container.tier === "data" ? "data" : "app");
    return { subnets, securityGroups: proxy ? [this.group("proxy")] : this.groupsOf(container) };
  }

  /** Lets the balancer, or another, call a port. */
  opens(port: number, to: Caller, from: Caller = "edge"): void {
    this.#allow(from, to, port);
  }

  /** Lets the members of a swarm call each other, beside TCP: gossip, and networks that may be encrypted. */
  swarm(): void {
    const id = this.group("app");
    const ways = [
      ["gossip", { ipProtocol: "udp", fromPort: 7946, toPort: 7946 }],
      ["networks", { ipProtocol: "udp", fromPort: 4789, toPort: 4789 }],
      ["encrypted", { ipProtocol: "50" }],
    ] as const;
    for (const [what, way] of ways) {
      const rule = { ...way, securityGroupId: id, referencedSecurityGroupId: id, description: `a swarm's ${what}` };
      this.ready.push(
        new SecurityGroupEgressRule(`${this.#name}-${what}-out`, rule, this.#options),
        new SecurityGroupIngressRule(`${this.#name}-${what}-in`, rule, this.#options),
      );
    }
  }

  #makeGroup(key: string): SecurityGroup {
    // A change of either would replace the group, and all that is in it.
    const args = { vpcId: this.vpcId, description: `platform-topologies ${key}` };
    const made = new SecurityGroup(`${this.#name}-${key}`, args, this.#options);
    this.#groups.set(key, made);
    return made;
  }

  /** Some exist only where somebody asks for them. */
  #group(key: string): SecurityGroup {
    return this.#groups.get(key) ?? this.#makeGroup(key);
  }

  /** A name of one label is looked up in the stack's own domain. */
  #searchDomain(domain: string, vpcId: Output<string>): void {
    const choice = { domainName: domain, domainNameServers: ["AmazonProvidedDNS"] };
    const dhcp = new VpcDhcpOptions(`${this.#name}-names`, choice, this.#options);
    this.ready.push(
      new VpcDhcpOptionsAssociation(`${this.#name}-names`, { vpcId, dhcpOptionsId: dhcp.id }, this.#options),
    );
  }

  /** Returns the tables of the tiers that have no addresses of the world's. */
  #routes(gateway: InternetGateway, vpcId: Output<string>): RouteTable[] {
    const { zones, nat } = this.#args;
    const [name, options] = [this.#name, this.#options];
    const table = (key: string): RouteTable => new RouteTable(`${name}-${key}`, { vpcId }, options);
    const joins = (tier: AwsTier, zone: string, { id: routeTableId }: RouteTable): void => {
      const [key, subnetId] = [`${tier}-${zone}`, this.subnet(tier, zone)];
      this.ready.push(new RouteTableAssociation(`${name}-${key}`, { subnetId, routeTableId }, options));
    };
    const everywhere = "0.0.0.0/0";
    const edge = table("edge");
    const out = new Route(
      `${name}-edge`,
      { routeTableId: edge.id, destinationCidrBlock: everywhere, gatewayId: gateway.id },
      options,
    );
    const data = table("data");
    const gateways = (nat === "one" ? zones.slice(0, 1) : zones).map((zone) => {
      const address = new Eip(`${name}-nat-${zone}`, { domain: "vpc" }, options);
      const at = { allocationId: address.id, subnetId: this.subnet("edge", zone) };
      return new NatGateway(`${name}-nat-${zone}`, at, { ...options, dependsOn: [out] });
    });
    const apps = zones.map((zone, index) => {
      const app = table(`app-${zone}`);
      const way = gateways[index] ?? gateways[0];
      const to = { routeTableId: app.id, destinationCidrBlock: everywhere };
      if (way !== undefined)
        this.ready.push(new Route(`${name}-app-${zone}`, { ...to, natGatewayId: way.id }, options));
      joins("edge", zone, edge);
      joins("app", zone, app);
      joins("data", zone, data);
      return app;
    });
    return [...apps, data];
  }

  #endpoints(vpcId: Output<string>): void {
    const { zones, region, endpoints } = this.#args;
    const in_ = (endpoints === "one" ? zones.slice(0, 1) : zones).map((zone) => this.subnet("data", zone));
    for (const service of interfaces)
      this.ready.push(
        new VpcEndpoint(
          `${this.#name}-${service.replace(".", "-")}`,
          {
            vpcId,
            serviceName: `com.amazonaws.${region}.${service}`,
            vpcEndpointType: "Interface",
            privateDnsEnabled: true,
            subnetIds: in_,
            securityGroupIds: [this.#group("endpoints").id],
          },
          this.#options,
        ),
      );
  }

  /** The balancer's own rules and the ports behind it come with the edge. */
  #rulesOfTiers(): void {
    for (const [from, to] of [
      ["app", "app"],
      ["app", "data"],
      ["data", "data"],
    ] as const)
      this.#allow(from, to, undefined);
  }

  /** `port`: of TCP; undefined: all. */
  #toTheWorld(from: string, port?: number): void {
    const out = {
      securityGroupId: this.#group(from).id,
      description: `${from} calls the world`,
      ipProtocol: "tcp",
      fromPort: port ?? 1,
      toPort: port ?? 65_535,
      cidrIpv4: "0.0.0.0/0",
    };
    this.ready.push(new SecurityGroupEgressRule(`${this.#name}-${from}-out`, out, this.#options));
  }

  /** Both ends of a way. `port`: of TCP; undefined: all. */
  #allow(from: string, to: string, port: number | undefined): void {
    const key = `${from}-${to}${port === undefined ? "" : `-${String(port)}`}`;
    if (this.#rules.has(key)) return;
    this.#rules.add(key);
    const ports = {
      description: `${from} calls ${to}`,
      ...{ ipProtocol: "tcp", fromPort: port ?? 0, toPort: port ?? 65_535 },
    };
    const [source, target] = [this.#group(from).id, this.#group(to).id];
    const egress = { ...ports, securityGroupId: source, referencedSecurityGroupId: target };
    const ingress = { ...ports, securityGroupId: target, referencedSecurityGroupId: source };
    this.ready.push(
      new SecurityGroupEgressRule(`${this.#name}-${key}-out`, egress, this.#options),
      new SecurityGroupIngressRule(`${this.#name}-${key}-in`, ingress, this.#options),
    );
  }

  /** Lets the world call the balancer. */
  published(port: number): void {
    const rule = {
      securityGroupId: this.group("edge"),
      description: "the world calls the balancer",
      ipProtocol: "tcp",
      fromPort: port,
      toPort: port,
      cidrIpv4: "0.0.0.0/0",
    };
    this.ready.push(new SecurityGroupIngressRule(`${this.#name}-world-${String(port)}`, rule, this.#options));
  }
}
