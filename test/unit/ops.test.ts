import { X509Certificate } from "node:crypto";

import { describe, expect, test } from "@jest/globals";
import rpc from "@pulumi/pulumi/runtime/rpc.js";

import { make } from "../../ops/authority.ts";
import { certificate, due, renew } from "../../ops/certificate.ts";
import { judge } from "../../ops/gate.ts";
import { redact } from "../../ops/logs.ts";
import { changed, secret, values } from "../../ops/wire.ts";
import type { Bag } from "../../ops/wire.ts";

const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

describe("wire", () => {
  test("secrets are opened at every depth, collected, and stay wrapped in what is returned", () => {
    const raw = { a: secret("one"), b: [{ c: secret({ d: "two" }) }], e: "three" };
    expect(values(raw)).toEqual({
      raw,
      plain: { a: "one", b: [{ c: { d: "two" } }], e: "three" },
      secrets: ["one", "two"],
      partial: false,
    });
  });

  test("an unknown makes it partial and differs from every value", () => {
    const news = values({ a: secret(unknown), b: "b" });
    expect(news.partial).toBe(true);
    expect(changed(values({ a: "a", b: "b" }), news, ["a", "b"])).toEqual(["a"]);
  });

  const output = (more: object) => ({ [rpc.specialSigKey]: rpc.specialOutputValueSig, ...more });
  test.each<[unknown, unknown, string[], boolean]>([
    [output({ value: "x" }), "x", [], false],
    [output({ value: "x", secret: false }), "x", [], false],
    [output({ value: "x", secret: true }), "x", ["x"], false],
    [output({ value: ["x", { a: "y" }], secret: true }), ["x", { a: "y" }], ["x", "y"], false],
    [secret(output({ value: "x", secret: false })), "x", ["x"], false],
    [output({ value: secret("x") }), "x", ["x"], false],
    [output({ secret: true }), unknown, [], true],
    [output({}), unknown, [], true],
    [secret(5), 5, [], false],
    [null, null, [], false],
    [[null, 0, false, ""], [null, 0, false, ""], [], false],
  ])("%j is %j; secrets: %j; not known yet: %j", (given, plain, secrets, partial) => {
    const raw = { a: given };
    expect(values(raw)).toEqual({ raw, plain: { a: plain }, secrets, partial });
  });

  test("what is to be kept secret is wrapped as the engine wraps it", () => {
    expect(secret("x")).toEqual({ [rpc.specialSigKey]: rpc.specialSecretSig, value: "x" });
  });

  test("the same value, once wrapped and once not, is no change", () => {
    expect(changed(values({ a: secret(["x"]) }), values({ a: ["x"] }), ["a", "missing"])).toEqual([]);
  });
});

describe("redact", () => {
  test.each([
    ["password=hunter22 ok", ["hunter22"], "password=[secret] ok"],
    ["postgres://u:hunter22@db", ["hunter22", "postgres://u:hunter22@db"], "[secret]"],
    ["a.b a+b", ["a.b a+b"], "[secret]"],
    ["it is on", ["on", ""], "it is on"],
    ["12:00 line one of the key", ["-----\nline one of the key\nend"], "12:00 [secret]"],
  ])("%j without %j", (text, secrets, expected) => {
    expect(redact(text, secrets)).toBe(expected);
  });
});

describe("gate", () => {
  const state = {
    Status: "running",
    Running: true,
    Paused: false,
    Restarting: false,
    OOMKilled: false,
    Dead: false,
    Pid: 1,
    ExitCode: 0,
    Error: "",
    StartedAt: "",
    FinishedAt: "",
  };
  const start = { restarts: 0, probe: undefined };
  const health = (Status: string, End = "now") => ({
    Status,
    FailingStreak: 1,
    Log: [{ Start: "", End, ExitCode: 1, Output: "" }],
  });
  test.each([
    ["healthy", { ...state, Health: health("healthy") }, 9, start, 0],
    ["waiting", { ...state, Health: health("starting") }, 2, start, 9e9],
    ["failed", { ...state, Health: health("starting") }, 3, start, 0],
    ["waiting", { ...state, Health: health("starting") }, 3, { ...start, restarts: 3 }, 0],
    ["failed", { ...state, Health: health("unhealthy") }, 0, start, 0],
    ["waiting", { ...state, Health: health("unhealthy") }, 0, { ...start, probe: "now" }, 0],
    ["waiting", state, 0, start, 1999],
    ["healthy", state, 0, start, 2000],
    ["healthy", { ...state, Health: health("none") }, 0, start, 2000],
    ["waiting", { ...state, Status: "restarting", Restarting: true, ExitCode: 1 }, 1, start, 9e9],
    ["failed", { ...state, Status: "exited", Running: false }, 0, start, 9e9],
    ["failed", { ...state, Status: "created", Running: false, Error: "no such file" }, 0, start, 0],
    ["waiting", { ...state, Status: "created", Running: false }, 0, start, 9e9],
  ])("%s", (is, State, RestartCount, from, steadyFor) => {
    expect(judge({ State, RestartCount }, from, steadyFor).is).toBe(is);
  });
});

describe("certificate", () => {
  const inputs = { hostnames: ["a.localhost"] };
  const after = (days: number): Date => new Date(Date.now() + days * 24 * 3600 * 1000);
  const parse = (made: Bag, key: string): X509Certificate => new X509Certificate(String(made[key]));

  test("is renewed in its last 30 days by the same authority, and by a new one when that would end first", async () => {
    const made = await certificate.create(values(inputs));
    const state = values({ ...inputs, ...made });
    expect(certificate.diff(state, values(inputs))).toEqual({ changes: false });
    expect([due(state, after(366)), due(state, after(368))]).toEqual([false, true]);

    const renewed = await renew(state, values(inputs), after(368));
    expect(renewed.caCert).toBe(made.caCert);
    expect(parse(renewed, "cert").validToDate.getTime()).toBeGreaterThan(after(368 + 396).getTime());
    expect(parse(renewed, "cert").verify(parse(made, "caCert").publicKey)).toBe(true);

    const late = await renew(state, values(inputs), after(3650 - 390));
    expect(late.caCert).not.toBe(made.caCert);
    expect(parse(late, "cert").verify(parse(late, "caCert").publicKey)).toBe(true);
  });

  test("is made anew for other names or another use, and in its last days, and only then", async () => {
    const state = values({ ...inputs, ...(await certificate.create(values(inputs))) });
    const changes = (olds: typeof state, news: object) => certificate.diff(olds, values({ ...inputs, ...news }));
    expect(changes(state, { other: 1 })).toEqual({ changes: false });
    for (const news of [{ hostnames: ["b.localhost"] }, { hostnames: ["a.localhost", "b"] }, { members: true }])
      expect(changes(state, news)).toEqual({ changes: true });

    const late = values({ ...inputs, ...(await make(inputs, after(-368))) });
    expect(changes(late, {})).toEqual({ changes: true });
    const renewed = await certificate.update(late, values(inputs));
    expect(renewed.caCert).toBe(late.plain.caCert);
    expect(parse(renewed, "cert").validToDate.getTime()).toBeGreaterThan(after(396).getTime());
    expect(values(renewed).secrets).toHaveLength(2);
  });

  test("is for each of its names and addresses, of at least one", async () => {
    const long = `${"a".repeat(60)}.localhost`;
    const made = await certificate.create(values({ hostnames: [long, "127.0.0.1", "::1"] }));
    const cert = parse(made, "cert");
    expect(cert.subjectAltName).toBe(`DNS:${long}, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1`);
    expect(cert.subject).toBe(`CN=${long.slice(0, 64)}`);
    await expect(certificate.create(values({ hostnames: [] }))).rejects.toThrow();
    for (const key of ["key", "caKey"]) expect(values(made).secrets).toContain(values(made).plain[key]);
  });

  // Elasticsearch's members ask each other for a certificate: one without clientAuth is refused by each of them.
  test("of a store's members is their certificate as clients too, and outlives years without an up", async () => {
    const asked = { hostnames: ["search-1", "search-2"], members: true };
    const state = values({ ...asked, ...(await certificate.create(values(asked))) });
    expect(parse(state.plain, "cert").keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    expect([due(state, after(3619)), due(state, after(3621))]).toEqual([false, true]);
    // A rolling change of its names keeps the authority: members of two authorities refuse each other.
    const more = values({ ...asked, hostnames: [...asked.hostnames, "search-3"] });
    expect((await renew(state, more, after(3640))).caCert).toBe(state.plain.caCert);
    const edge = await certificate.create(values(inputs));
    expect(parse(edge, "cert").keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  });
});
