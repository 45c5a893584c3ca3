import { webcrypto } from "node:crypto";
import { writeFileSync } from "node:fs";
import https from "node:https";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { ask } from "../../rehearsal/checks/http.ts";
import { explain } from "../../rehearsal/errors.ts";
import { trustExtraAuthorities } from "../../rehearsal/trust.ts";
import { newFolder } from "../support/folder.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

async function selfSigned(): Promise<{ key: string; cert: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=localhost",
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    extensions: [
      new x509.BasicConstraintsExtension(true),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "localhost" }]),
    ],
  });
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"), cert: cert.toString("pem") };
}

test("a server of a local authority is refused with the remedy, and trusted by the usual variables", async () => {
  x509.cryptoProvider.set(webcrypto);
  const pair = await selfSigned();
  const server = https.createServer(pair, (_, response) => response.end("hello")).listen(0, "localhost");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const url = `https://localhost:${String(address.port)}/`;
  try {
    const refused = await ask(url).catch((error: unknown) => explain(url, error));
    expect(refused).toMatch(/unknown authority .*NODE_EXTRA_CA_CERTS/);

    const path = join(newFolder("rehearsal-ca"), "ca.pem");
    writeFileSync(path, pair.cert);
    expect(() => {
      trustExtraAuthorities({ AWS_CA_BUNDLE: `${path}.missing` });
    }).toThrow(/ca.pem.missing cannot be read/);
    trustExtraAuthorities({ AWS_CA_BUNDLE: path, REQUESTS_CA_BUNDLE: "" });
    expect(await ask(url)).toMatchObject({ status: 200, body: "hello" });
  } finally {
    server.close();
  }
});
