/** A certificate of the operator's own is looked at in the preview: it fits its key, its names, its issuers and the day. */
import { createPrivateKey } from "node:crypto";

import { beforeAll, describe, expect, test } from "@jest/globals";

import { sentence } from "../../components/core/errors.ts";
import { checkAuthorities, checkServer } from "../../components/core/certificates.ts";
import { planStack } from "../../components/deploy.ts";
import { certificate, type Made } from "../support/certificates.ts";

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
