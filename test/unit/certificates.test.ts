/** A certificate of the operator's own is looked at in the preview: it fits its key, its names, its issuers and the day. */
import { createPrivateKey, generateKeyPairSync, randomUUID } from "node:crypto";

import { beforeAll, describe, expect, test } from "@jest/globals";
import { output, secret } from "@pulumi/pulumi";

import { sentence } from "../../components/core/errors.ts";
import { checkAuthorities, checkedPair, checkServer, warn } from "../../components/core/certificates.ts";
import { planStack } from "../../components/deploy.ts";
import { certificate, type Made } from "../support/certificates.ts";
import { resolved } from "../support/hostile.ts";

const host = "arkindex.example.com";
const names = [host, `*.${host}`];
let root: Made;
let middle: Made;
let leaf: Made;
let other: Made;

beforeAll(async () => {
  root = await certificate({ name: "root", ca: true });
  middle = await certificate({ name: "middle", ca: true, by: root });
  leaf = await certificate({ name: host, hostnames: names, by: middle });
  other = await certificate({ name: host, hostnames: names });
});

const locked = (key: string): string =>
  createPrivateKey(key).export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" }).toString();

/** Before any release line's end: those are another test's. */
const early = new Date("2020-01-01");

const raw = (cert: string, tlsKey: string) => ({
  system: "arkindex",
  topology: "docker",
  hostname: host,
  rehearsal: true,
  images: { toolbox: "registry.example.com/toolbox:1", rehearsal: "registry.example.com/rehearsal:1" },
  docker: { tls: { mode: "own", cert } },
  secrets: { tlsKey },
});

/** What the preview says of a stack with this certificate and key. */
function said(cert: string, key: string): string[] {
  const { problems, warnings } = planStack(raw(cert, key), "dev", early);
  const lines = [...problems.map(sentence), ...warnings];
  for (const line of lines) {
    expect(line.length).toBeLessThanOrEqual(400);
    // Nothing of a key is ever shown.
    for (const part of key.split("\n").filter((each) => each.length > 20 && !each.startsWith("-")))
      expect(line).not.toContain(part);
  }
  return lines;
}

describe("what is right has no sentence", () => {
  test("a whole chain, with and without its root, with text around it, with Windows' line ends", () => {
    const chain = leaf.pem + "\n" + middle.pem;
    for (const pem of [
      chain,
      `${chain}\n${root.pem}`,
      `${leaf.pem}\nsubject=middle\n${middle.pem}\n`,
      chain.replaceAll("\n", "\r\n"),
    ])
      expect(said(pem, leaf.key)).toEqual([]);
  });
  test("one that signed itself", () => {
    expect(said(other.pem, other.key)).toEqual([]);
  });
});

describe("each of these took the edge down", () => {
  const wrong: [string, () => [string, string], string][] = [
    ["another certificate's key", () => [leaf.pem, other.key], "secrets.tlsKey: it is not the key of the certificate"],
    ["no key", () => [leaf.pem, "secret"], "secrets.tlsKey: no private key in PEM"],
    ["a key under a passphrase", () => [leaf.pem, locked(leaf.key)], "secrets.tlsKey: encrypted with a passphrase"],
    ["the chain upside down", () => [`${middle.pem}\n${leaf.pem}`, leaf.key], "the server's own comes first"],
    ["another's issuer", () => [`${leaf.pem}\n${other.pem}`, leaf.key], "certificate 2 did not issue certificate 1"],
    ["the leaf twice", () => [`${leaf.pem}\n${leaf.pem}`, leaf.key], "certificate 2 did not issue certificate 1"],
    ["garbage between the lines", () => [leaf.pem.replace("M", "!"), leaf.key], "docker.tls.cert: not PEM"],
    [
      "a second one with garbage",
      () => [`${leaf.pem}\n${middle.pem.replace("M", "%")}`, leaf.key],
      "of 2 blocks 1 can be read",
    ],
    [
      "cut short",
      () => [leaf.pem.replace(/\n[^\n]+\n-----END/, "\n-----END"), leaf.key],
      "certificate 1 cannot be read",
    ],
    ["without line ends", () => [leaf.pem.replaceAll("\n", " "), leaf.key], "docker.tls.cert: not PEM"],
    ["its key in the same text", () => [`${leaf.pem}\n${leaf.key}`, leaf.key], "it holds a private key"],
  ];
  test.each(wrong)("%s", (_, given, expected) => {
    const lines = said(...given());
    expect(lines.some((line) => line.includes(expected))).toBe(true);
  });

  test("expired, not yet valid; an issuer that has expired", async () => {
    const old = await certificate({ name: host, hostnames: names, from: -20, to: -1 });
    expect(said(old.pem, old.key)).toEqual([expect.stringMatching(/^docker\.tls\.cert: certificate 1 has expired/)]);
    const early = await certificate({ name: host, hostnames: names, from: 2 });
    expect(said(early.pem, early.key)).toEqual([
      expect.stringMatching(/^docker\.tls\.cert: certificate 1 is not valid before/),
    ]);
    const oldMiddle = await certificate({ name: "m", ca: true, by: root, from: -20, to: -1 });
    const young = await certificate({ name: host, hostnames: names, by: oldMiddle });
    expect(said(`${young.pem}\n${oldMiddle.pem}`, young.key)).toEqual([
      expect.stringContaining("certificate 2 has expired"),
    ]);
  });

  test("the bare name alone: the routed ones fail in browsers", async () => {
    const bare = await certificate({ name: host, hostnames: [host] });
    expect(said(bare.pem, bare.key)).toEqual([
      `docker.tls.cert: it does not cover objects.${host}; it is for DNS:${host}`,
    ]);
    const unnamed = await certificate({ name: host });
    expect(said(unnamed.pem, unnamed.key)).toEqual([
      expect.stringContaining(`it does not cover ${host}, objects.${host}`),
    ]);
  });

  test("a client's certificate", async () => {
    const client = await certificate({ name: host, hostnames: names, purpose: "1.3.6.1.5.5.7.3.2" });
    expect(said(client.pem, client.key)).toEqual([expect.stringContaining("not for servers")]);
  });
});

test("without its key", () => {
  const base = { ...raw(leaf.pem, ""), secrets: {} };
  expect(planStack(base, "dev").problems.map(sentence)).toEqual([expect.stringMatching(/^secrets\.tlsKey: set it: /)]);
});

test("less than 30 days to go is a warning, and no problem", async () => {
  const soon = await certificate({ name: host, hostnames: names, to: 20 });
  const { problems, warnings } = planStack(raw(soon.pem, soon.key), "dev", early);
  expect(problems).toEqual([]);
  expect(warnings).toEqual([expect.stringMatching(/^docker\.tls\.cert: certificate 1 ends in (19|20) days/)]);
});

describe("authorities that are to be trusted", () => {
  const check = (pem: string): string[] => checkAuthorities("existing.redis.ca", pem).problems.map(sentence);

  test("a root, an intermediate, a server's that signed itself, a bundle with an old one", async () => {
    const old = await certificate({ name: "old", ca: true, from: -20, to: -1 });
    for (const pem of [root.pem, middle.pem, other.pem, `${old.pem}\n${root.pem}`]) expect(check(pem)).toEqual([]);
  });
  test("a server's own, an expired one, garbage", async () => {
    const old = await certificate({ name: "old", ca: true, from: -20, to: -1 });
    expect(check(leaf.pem)).toEqual([expect.stringContaining("not an authority's")]);
    expect(check(old.pem)).toEqual([expect.stringContaining("has expired")]);
    expect(check(root.pem.replace("M", "!"))).toEqual([expect.stringContaining("not PEM")]);
  });
  test("in a stack's config: `existing.<x>.ca` and Pyrus' own", () => {
    const base = { ...raw("", ""), docker: {}, secrets: {} };
    const ca = leaf.pem;
    const store = { ...base, existing: { solr: { kind: "solr", host: "solr.example.com", ca } } };
    expect(planStack(store, "dev").problems.map(sentence)).toEqual([
      expect.stringMatching(/^existing\.solr\.ca: certificate 1 is a server's/),
    ]);
    const pyrus = { ...base, system: "pyrus", pyrus: { adminEmail: "a@example.com", caCertificate: ca } };
    expect(planStack(pyrus, "dev").problems.map(sentence)).toContainEqual(
      expect.stringMatching(/^pyrus\.caCertificate.*certificate 1 is a server's/),
    );
  });
});

test("names are those of the server's own certificate, wildcards of one label", () => {
  const { problems } = checkServer("tls.cert", leaf.pem, leaf.key, [`a.b.${host}`]);
  expect(problems.map(sentence)).toEqual([expect.stringContaining(`does not cover a.b.${host}`)]);
});

/** What is said at a time, of the server's certificate. */
const at = (now: Date, pem = leaf.pem, key?: string) => {
  const { problems, warnings } = checkServer("tls.cert", pem, key, [host], now);
  return { problems: problems.map(sentence), warnings };
};
const daysFrom = (date: Date, days: number): Date => new Date(date.getTime() + days * 24 * 3600 * 1000);

test.each([
  [30, []],
  [29.5, ["29"]],
  [1, ["1"]],
  [0.5, ["0"]],
  [0, ["0"]],
])("with %d days to go, its end is said: %j", (days, expected) => {
  const said = at(daysFrom(leaf.cert.notAfter, -days));
  expect(said.problems).toEqual([]);
  expect(
    said.warnings.map((each) => /^tls\.cert: certificate 1 ends in (\d+) days \(.*\): renew it$/.exec(each)?.[1]),
  ).toEqual(expected);
  const authority = checkAuthorities("ca", root.pem, daysFrom(root.cert.notAfter, -days));
  expect(authority.problems).toEqual([]);
  expect(authority.warnings.map((each) => /^ca: certificate 1 ends in (\d+) days/.exec(each)?.[1])).toEqual(expected);
});

test("it is valid from its first second to its last", () => {
  const { notBefore, notAfter } = leaf.cert;
  expect(at(notBefore).problems).toEqual([]);
  expect(at(daysFrom(notBefore, -0.1)).problems).toEqual([
    expect.stringMatching(/^tls\.cert: certificate 1 is not valid before .*: is this machine's clock right\?$/),
  ]);
  const over = at(daysFrom(notAfter, 0.1));
  expect(over.problems).toEqual([expect.stringMatching(/^tls\.cert: certificate 1 has expired \(.*\): renew it$/)]);
  expect(over.warnings).toEqual([]);
});

test("each of a chain has its number, in problems and in warnings", async () => {
  const short = await certificate({ name: "short", ca: true, by: root, to: 20 });
  const its = await certificate({ name: host, hostnames: names, by: short });
  expect(at(new Date(), `${its.pem}\n${short.pem}`)).toEqual({
    problems: [],
    warnings: [expect.stringMatching(/^tls\.cert: certificate 2 ends in (19|20) days/)],
  });
  const roots = checkAuthorities("ca", `${root.pem}\n${leaf.pem}`);
  expect(roots.problems.map(sentence)).toEqual([
    "ca: certificate 2 is a server's, and not an authority's: take the one that issued it",
  ]);
  const two = checkAuthorities("ca", `${root.pem}\n${short.pem}`);
  expect(two.warnings).toEqual([expect.stringMatching(/^ca: certificate 2 ends in/)]);
});

test("authorities of which none is valid are refused, and one that is suffices", async () => {
  const old = await certificate({ name: "old", ca: true, from: -20, to: -1 });
  const early = await certificate({ name: "early", ca: true, from: 2 });
  const said = (...all: Made[]) => checkAuthorities("ca", all.map(({ pem }) => pem).join("\n")).problems.map(sentence);
  expect(said(old, early)).toEqual([expect.stringMatching(/^ca: certificate 1 has expired/)]);
  expect(said(early, old)).toEqual([expect.stringMatching(/^ca: certificate 1 is not valid before/)]);
  for (const fine of [[root, old], [old, root], [root]]) expect(said(...fine)).toEqual([]);
});

describe("a key", () => {
  const pem = (made: { privateKey: ReturnType<typeof createPrivateKey> }) =>
    made.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const curve = (namedCurve: string) => pem(generateKeyPairSync("ec", { namedCurve }));
  test.each<[string, () => string, boolean]>([
    ["RSA of 2048 bits", () => pem(generateKeyPairSync("rsa", { modulusLength: 2048 })), true],
    ["RSA of 1024 bits", () => pem(generateKeyPairSync("rsa", { modulusLength: 1024 })), false],
    ...["prime256v1", "secp384r1", "secp521r1"].map((name): [string, () => string, boolean] => [
      name,
      () => curve(name),
      true,
    ]),
    ["secp256k1", () => curve("secp256k1"), false],
    ["Ed25519", () => pem(generateKeyPairSync("ed25519")), true],
    ["Ed448", () => pem(generateKeyPairSync("ed448")), false],
    ["X25519", () => pem(generateKeyPairSync("x25519")), false],
  ])("of the kind %s is one that servers take: %s", (_, make, fine) => {
    expect(at(new Date(), leaf.pem, make()).problems).toEqual([
      fine
        ? "secrets.tlsKey: it is not the key of the certificate in tls.cert"
        : expect.stringMatching(/^secrets\.tlsKey: a kind of key that servers do not take/),
    ]);
  });

  test("that fits a later certificate is a mistake of the chain", () => {
    expect(at(new Date(), `${leaf.pem}\n${middle.pem}`, middle.key).problems).toEqual([
      "tls.cert: the key fits a later certificate: the server's own comes first",
    ]);
    expect(at(new Date(), `${leaf.pem}\n${middle.pem}`, leaf.key).problems).toEqual([]);
    expect(at(new Date()).problems).toEqual([]); // it is not known
  });
});

test.each([
  [["1.3.6.1.5.5.7.3.1"], true],
  [["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"], true],
  [["2.5.29.37.0"], true],
  [["1.3.6.1.5.5.7.3.2"], false],
])("with the purposes %j it is for servers: %s", async (purpose, fine) => {
  const made = await certificate({ name: host, hostnames: [host], purpose });
  expect(at(new Date(), made.pem).problems).toEqual(
    fine ? [] : ["tls.cert: it is not for servers (its extended key usage has no serverAuth)"],
  );
});

test("the name of its subject counts for nothing: no DNS name is none", async () => {
  const unnamed = await certificate({ name: host });
  expect(at(new Date(), unnamed.pem).problems).toEqual([`tls.cert: it does not cover ${host}; it is for no DNS name`]);
});

test.each<[string, (pem: string) => string, string | undefined]>([
  [
    "blanks after its first and last line",
    (pem) => pem.replaceAll("CERTIFICATE-----", "CERTIFICATE----- \t"),
    undefined,
  ],
  ["text around it", (pem) => `subject=x\n${pem}\nend`, undefined],
  ["nothing in it", () => "", "not PEM: of 0 blocks 0 can be read"],
  ["text before its first line", (pem) => `x${pem}`, "not PEM: of 1 blocks 0 can be read"],
  ["text after its last line", (pem) => `${pem.trim()}x`, "not PEM: of 1 blocks 0 can be read"],
  [
    "another block beside it",
    (pem) => `${pem}\n-----BEGIN X509 CRL-----\nAA==\n-----END X509 CRL-----`,
    "not PEM: of 2 blocks 1 can be read",
  ],
  [
    "a second that is none",
    (pem) => `${pem}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----`,
    "its certificate 2 cannot be read",
  ],
  [
    "a key",
    (pem) => `${pem}\n-----BEGIN PRIVATE KEY-----`,
    "it holds a private key, which belongs to secrets.tlsKey: take it out",
  ],
])("a text with %s", (_, change, expected) => {
  const { problems } = at(new Date(), change(leaf.pem));
  expect(problems).toEqual(expected === undefined ? [] : [expect.stringContaining(`tls.cert: ${expected}`)]);
});

test("an importer's pair is checked at once where it is known, and comes back as it is", async () => {
  const { pem: cert, key } = leaf;
  expect(checkedPair({ cert, key }, names)).toEqual({ cert, key });
  expect(() => checkedPair({ cert, key: other.key }, names)).toThrow("it is not the key of the certificate");
  for (const later of [
    { cert: output(cert), key },
    { cert, key: secret(key) },
  ])
    expect(await resolved(checkedPair(later, names))).toEqual({ cert, key });
});

test("an issuer is one by its signature, not by its name alone", async () => {
  const namesake = await certificate({ name: "middle", ca: true, by: root });
  expect(at(new Date(), `${leaf.pem}\n${namesake.pem}`).problems).toEqual([
    "tls.cert: certificate 2 did not issue certificate 1: the server's own comes first, then its issuer, then that one's",
  ]);
});

test("an authority that cannot be read is a problem alone", () => {
  const problems = [{ key: "ca", remedy: expect.stringContaining("not PEM") as unknown }];
  expect(checkAuthorities("ca", "x")).toEqual({ problems, warnings: [] });
});

test("what ends soon is told once, and does not stop an importer; what does not fit does", async () => {
  const told: string[] = [];
  const { warn: before } = console;
  Object.assign(console, { warn: (text: unknown) => void told.push(String(text)) });
  try {
    const text = randomUUID();
    warn([text, `${text} too`]);
    warn([text]);
    expect(told.map((each) => each.split(text).length - 1)).toEqual([1, 1]);
    told.length = 0;
    const { pem: cert, key } = await certificate({ name: host, hostnames: names, to: 20 });
    expect(checkedPair({ cert, key }, names)).toEqual({ cert, key });
    expect(told).toEqual([expect.stringMatching(/tls\.cert: certificate 1 ends in (19|20) days/)]);
    expect(() => checkedPair({ cert, key }, ["other.example.com"])).toThrow(
      "tls.cert: it does not cover other.example.com",
    );
  } finally {
    Object.assign(console, { warn: before });
  }
});
