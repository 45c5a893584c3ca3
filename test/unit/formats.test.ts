/** Which texts are values of each format: what Docker, DNS and a swarm take, at the edges of their grammars. */
import { expect, test } from "@jest/globals";
import { z } from "zod";

import { sentence } from "../../components/core/errors.ts";
import {
  address,
  at,
  constraint,
  mirror,
  nearest,
  nodeLabels,
  oneLine,
  own,
  problemsOf,
  reference,
  registries,
  stackName,
  webUrl,
} from "../../components/core/formats.ts";

const of = (length: number, letter = "a"): string => letter.repeat(length);
const digest = `sha256:${of(64)}`;

test.each<[string, z.ZodType, string[], string[]]>([
  [
    "an image's reference",
    reference,
    [
      ...["web", "team/web", "web:1", "web:1.2-rc_1", "localhost/web", "localhost:5000/web", "registry:5000/a/b/c:1"],
      ...[
        "a.example.com/web",
        "my-host.example.com:443/team/web",
        "a_b/c__d/e--f.g",
        `web@${digest}`,
        `web:1@${digest}`,
      ],
      ...[`web:${of(128)}`, of(400)],
    ],
    [
      ...["", "Web", "team/Web", "web:", "web:-1", "web:a/b", "https://a.example.com/web", "a.example.com:123456/web"],
      ...["-a/web", "a-/web", "a___b", "a..b", "web@sha256:abc", `web@sha256:${of(64, "G")}`, `web@sha256:${of(65)}`],
      ...[`web:${of(129)}`, of(401), "web ", " web", "web\n", "a//b", "/web", "web/"],
    ],
  ],
  [
    "a mirror",
    mirror,
    ["localhost", "localhost:5000", "a.example.com", "a.example.com/hub/team", "host:5000", "docker.io/name"],
    [
      "hub",
      "hub/team",
      "https://a.example.com",
      "a.example.com/",
      "a.example.com/Hub",
      "a.example.com:123456",
      `${of(396)}.com/a`,
      " a.com",
    ],
  ],
  [
    "a stack's name",
    stackName,
    ["a", "shop", "shop-2", of(31)],
    ["", "2shop", "-shop", "Shop", "shop_2", of(32), "shop ", "shop.a"],
  ],
  [
    "a host",
    address,
    ["10.0.0.1", "fd00::1", "db", "db.example.com", "a_b.c-d.e", of(63), [of(63), of(63), of(63), of(61)].join(".")],
    ["", "http://db", "db:80", "-db", "db-", "a..b", ".a", "a b", of(64), [of(63), of(63), of(63), of(62)].join(".")],
  ],
  ["one line", oneLine, ["a", " ", "ä 'b' \"c\""], ["", "a\nb", "a\tb", "a\0", "\x7f", "\x85"]],
  [
    "an address without secrets",
    webUrl,
    ["https://s3.example.com", "http://s3.example.com:9000/a/b?c=d", "https://s3.example.com/@a"],
    [
      ...["s3.example.com", "ftp://s3.example.com", "https://user@s3.example.com", "https://u:p@s3.example.com/a"],
      ...[
        "https://s3.example.com/a b",
        'https://s3.example.com/"',
        "https://s3.example.com/'",
        "https://s3.example.com/<a>",
      ],
      ...["https://s3.example.com/\\", "xhttps://s3.example.com", "httpsx://s3.example.com"],
    ],
  ],
  [
    "a constraint",
    constraint,
    [
      ...["node.role==worker", "node.role != manager", "node.hostname==a", "node.id==x", "node.ip==10.0.0.0/8"],
      ...["node.platform.os==linux", "node.platform.arch!=arm64", "node.labels.a.b-c_d==x y", "node.labels.a  ==  b"],
    ],
    [
      ...[
        "node.role==king",
        "role==worker",
        "node.name==a",
        "node.labels.==a",
        "node.labels.a=b",
        "node.labels.a==",
        "xnode.role==worker",
      ],
      ...[
        "node.role==workers",
        "node.labels.a== b ",
        "node.platform==linux",
        "node.labels.a==b,c",
        "node.hostname==a\n",
      ],
    ],
  ],
])("%s", (_, schema, right, wrong) => {
  expect(right.filter((text) => !schema.safeParse(text).success)).toEqual([]);
  expect(wrong.filter((text) => schema.safeParse(text).success)).toEqual([]);
});

test("who writes one of these wrong is shown what is right", () => {
  const said = (schema: z.ZodType, wrong: unknown) => problemsOf(schema, "k", wrong).map(({ remedy }) => remedy);
  const lower = "repositories are lower case";
  expect(said(reference, "A")).toEqual([`an image reference, as registry.example.com/team/app:1; ${lower}`]);
  expect(said(mirror, "hub")).toEqual([
    `a registry, as mirror.example.com/hub, without https://; it has a dot, a port or is localhost (an account at Docker Hub is docker.io/<name>); ${lower}`,
  ]);
  expect(said(registries, ["a/b"])).toEqual([
    expect.stringMatching(/^a registry's bare name, as registry.example.com:5000/),
  ]);
  expect(said(stackName, "A")).toEqual([expect.stringMatching(/^lower-case letters, digits and hyphens, at most 31/)]);
  expect(said(address, "a b")).toEqual(["an IP address or a DNS name, without scheme or port"]);
  expect(said(oneLine, "a\nb")).toEqual(["one line of text"]);
  expect(said(webUrl, "x")).toEqual(expect.arrayContaining(["an address, as https://s3.example.com"]));
  expect(said(webUrl, "https://a.example.com/a b")).toEqual(["an address without spaces or quotation marks"]);
  expect(said(webUrl, "https://u@a.example.com")).toEqual([
    expect.stringContaining("without a user or password in it"),
  ]);
  expect(said(nodeLabels, { "a b": "c" })).toEqual(["a label's name: letters, digits, - _ and ."]);
  expect(said(nodeLabels, { a: "," })).toEqual([expect.stringMatching(/^a label's value that a constraint takes: /)]);
  expect(said(nodeLabels, { role: "king" })).toEqual(["role is manager or worker"]);
  expect(said(constraint, "x")).toEqual(["a constraint, as node.role==worker or node.labels.pool==apps"]);
});

test("a registry is a bare name", () => {
  const good = ["localhost", "a.example.com", "a.example.com:5000", "host:5000"];
  expect(registries.safeParse(good).success).toBe(true);
  const bad = ["host", "a.example.com/hub", "https://a.example.com", "a.example.com:", "a.example.com:123456"];
  expect(bad.filter((each) => registries.safeParse([each]).success)).toEqual([]);
});

test("a node's labels are those that a constraint can name; the role is one of a swarm's two", () => {
  const right = [
    {},
    { a: "b" },
    { "a.b-c_d": "x y" },
    { role: "worker" },
    { role: "manager" },
    { [of(200)]: "a" },
    { a: "*" },
  ];
  const wrong = [
    { "": "a" },
    { "a b": "c" },
    { [of(201)]: "a" },
    { a: "" },
    { a: " b" },
    { a: "b " },
    { a: "b,c" },
    { role: "king" },
  ];
  expect(right.filter((labels) => !nodeLabels.safeParse(labels).success)).toEqual([]);
  expect(wrong.filter((labels) => nodeLabels.safeParse(labels).success)).toEqual([]);
});

test("problems of a value name its place in it, and what stands there", () => {
  const schema = z.object({ a: z.object({ b: z.string("a text") }), c: z.number("a number") });
  expect(problemsOf(schema, "k", { a: { b: "x" }, c: 1 })).toEqual([]);
  expect(problemsOf(schema, "k", { a: { b: 1 } }).map(sentence)).toEqual(["k.a.b = 1: a text", "k.c: a number"]);
});

test("a path leads along a value's own properties, and to nothing else", () => {
  const value = { a: { b: [1, { c: null }] } };
  expect(at(value, [])).toBe(value);
  expect(at(value, ["a", "b", 1, "c"])).toBeNull();
  expect(at(value, ["a", "b", 0])).toBe(1);
  for (const path of [["x"], ["a", "x"], ["a", "b", 1, "c", "d"], ["a", "b", 0, "d"], ["a", "constructor"]])
    expect(at(value, path)).toBeUndefined();
  expect(at("text", ["length"])).toBeUndefined();
  expect([own({ a: 1 }, "a"), own({ a: 1 }, "b"), own({}, "constructor"), own(undefined, "a")]).toEqual([
    ...[1, undefined, undefined, undefined],
  ]);
});

test.each([
  ["host", ["hosts", "HOST"], "HOST"], // the case alone
  ["hos", ["ports", "hosts"], "hosts"], // not finished
  ["hosting", ["ports", "host"], "host"], // too much
  ["ho", ["hosts"], undefined], // two letters may begin anything
  ["prots", ["host", "ports"], "ports"], // two changed
  ["portss", ["ports"], "ports"],
  ["orts", ["ports"], "ports"],
  ["pxrt", ["port"], "port"],
  ["pxxts", ["ports"], "ports"],
  ["pxxxs", ["ports"], undefined], // three changed
  ["xyports", ["ports"], "ports"],
  ["xyzports", ["ports"], undefined], // three added
  ["cpu", ["cxx"], undefined], // as good as another word
  ["abc", ["abd"], undefined],
  ["abcd", ["abce"], "abce"],
  ["tslConfig", ["TLSconfig"], "TLSconfig"],
  ["axc", ["abcd"], undefined],
  ["defgx", ["abcdefg"], undefined], // its beginning and its end
  ["prts", ["pxyrtz"], undefined],
  ["x", [], undefined],
])("who writes %s, where there are %j, may have meant %s", (name, known, meant) => {
  expect(nearest(name, known)).toBe(meant === undefined ? "" : ` (did you mean "${meant}"?)`);
});
