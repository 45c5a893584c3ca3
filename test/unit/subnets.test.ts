/** The address ranges that an operator may choose: which are ranges, what a network gets of them, and how large they are. */
import { expect, test } from "@jest/globals";

import type { Container } from "../../components/core/contracts.ts";
import { sentence } from "../../components/core/errors.ts";
import { chosen, overlap, rangeOf, subnetProblems, unfit } from "../../components/topologies/subnets.ts";

test.each([
  ["10.60.1.0/24", [10 * 2 ** 24 + 60 * 2 ** 16 + 256, 256]],
  ["10.60.1.7/24", [10 * 2 ** 24 + 60 * 2 ** 16 + 256, 256]],
  ["255.255.255.255/32", [2 ** 32 - 1, 1]],
  ["0.0.0.0/0", [0, 2 ** 32]],
  ["10.60.1.0/33", undefined],
  ["256.0.0.0/8", undefined],
  ["10.0.0.256/8", undefined],
  ["10.60.1.0", undefined],
  ["x10.60.1.0/24", undefined],
  ["10.60.1.0/24x", undefined],
  ["10.60.1.0/241", undefined],
  ["fd00::/64", undefined],
])("the range %s has its first address and its size", (text, expected) => {
  const range = rangeOf(text);
  expect(range && [range.first, range.last - range.first + 1]).toEqual(expected);
});

test.each<[string, string, boolean]>([
  ["10.0.0.0/24", "10.0.0.0/24", true],
  ["10.0.0.0/16", "10.0.7.0/24", true],
  ["10.0.0.0/24", "10.0.0.255/32", true],
  ["10.0.0.0/24", "10.0.1.0/24", false],
])("%s and %s have addresses in common: %s", (a, b, expected) => {
  const [one = { text: "", first: 0, last: 0 }, other = one] = [rangeOf(a), rangeOf(b)];
  expect([overlap(one, other), overlap(other, one)]).toEqual([expected, expected]);
});

test.each([
  ...["10.0.0.0/8", "10.0.0.16/28", "126.0.0.0/8", "128.0.0.0/8", "223.0.0.0/8", "1.0.0.0/8", "100.64.0.0/10"].map(
    (text) => [text, undefined] as const,
  ),
  ...["0.0.0.0/8", "127.1.0.0/16", "224.0.0.0/8", "255.0.0.0/8"].map(
    (text) => [text, "a range that machines can have, as one within 10.0.0.0/8"] as const,
  ),
  ...["10.0.0.0/7", "10.0.0.0/29"].map((text) => [text, "from /8 to /28: 16 addresses are the fewest"] as const),
  ["10.1.0.0/8", "its last 24 bits have to be zero: 10.0.0.0/8"],
  ["all", "an IPv4 range in CIDR form, as 10.60.1.0/24"],
] as const)("%s for containers: %s", (text, expected) => {
  expect(unfit(text)).toBe(expected);
});

test("a network gets its own range, with the first address as its gateway, and the packet size of all", () => {
  const subnets = { app: "10.60.2.0/24" };
  const mtu = { "com.docker.network.driver.mtu": "1400" };
  const app = { ipamConfigs: [{ subnet: "10.60.2.0/24", gateway: "10.60.2.1" }] };
  expect(chosen({}, "app")).toEqual({});
  expect(chosen({ subnets }, "edge")).toEqual({});
  expect(chosen({ subnets }, "toString")).toEqual({});
  expect(chosen({ subnets }, "app")).toEqual(app);
  expect(chosen({ mtu: 1400 }, "app")).toEqual({ options: mtu });
  expect(chosen({ subnets, mtu: 1400 }, "app", { encrypted: "true" })).toEqual({
    ...app,
    options: { encrypted: "true", ...mtu },
  });
});

/** `more`: what counts for addresses: replicas, a disk; neither is a job. */
const part = (networks: string[], more: object = {}) => ["c", { networks, ...more } as unknown as Container] as const;
const joined = ({ networks = [] }: Container) => networks;
const said = (subnets: Record<string, string>, ...planned: ReturnType<typeof part>[]) =>
  subnetProblems("k", subnets, ["edge", "app"], planned, joined).map(sentence);

test("a range is for a network that is there, and for no other's addresses", () => {
  const subnets = { edge: "10.60.1.0/24", app: "10.60.2.0/24" };
  expect(said(subnets)).toEqual([]);
  expect(said({ ...subnets, data: "10.60.3.0/24" })).toEqual([
    'k.data = "10.60.3.0/24": no such network; there are edge, app',
  ]);
  expect(said({ ...subnets, apps: "10.60.3.0/24" }, part(["apps"]))).toEqual([]);
  expect(said({ edge: "10.60.0.0/16", app: "10.60.2.0/24" })).toEqual([
    'k.app = "10.60.2.0/24": overlaps with that of edge: each needs its own',
  ]);
  // What is no range is told where the config is read.
  expect(said({ edge: "all", app: "10.60.2.0/24" })).toEqual([]);
  expect(said({ edge: "10.60.2.0/30", app: "all" })).toEqual([]);
  expect(said({ edge: "10.60.2.0/24", app: "10.60.2.7/24" })).toEqual([]);
});

test.each<[string, object, number]>([
  ["a job", {}, 0],
  ["a slot, with one for its next container", { disk: {} }, 2],
  ["one replica, with one for a virtual address", { replicas: 1 }, 2],
  ["five replicas", { replicas: 5 }, 6],
  ["replicas up to nine", { replicas: { min: 1, max: 9 } }, 10],
  ["one on each node, whose number nobody knows", { replicas: "each-node" }, 2],
])("%s needs so many addresses", (_, more, needed) => {
  // 14 addresses fill a /28 but for two; eight of them are for jobs, clients and a roll.
  const room = 16 - 8;
  const fill = (count: number) => part(["app"], { replicas: count - 1 });
  const app = { app: "10.60.2.0/28" };
  expect(said(app, part(["app"], more), ...(needed < room ? [fill(room - needed)] : []))).toHaveLength(
    Number(needed > room),
  );
  expect(said(app, part(["app"], more), fill(Math.max(room - needed, 1) + 1))).toEqual([
    expect.stringMatching(
      /^k\.app = "10\.60\.2\.0\/28": too small: its containers need \d+ addresses, so \/27 or larger$/,
    ),
  ]);
});

test("what a container needs, it needs on each of its networks, and on no other", () => {
  const many = part(["app", "apps"], { replicas: 30 });
  const small = { edge: "10.60.1.0/28", app: "10.60.2.0/28", apps: "10.60.3.0/26" };
  expect(said(small, many)).toEqual([
    'k.app = "10.60.2.0/28": too small: its containers need 39 addresses, so /26 or larger',
  ]);
});
