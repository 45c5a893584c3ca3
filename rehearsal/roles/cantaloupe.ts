import type { Check } from "../checks/check.ts";
import { bucket, objectSize, readableBucket, s3Client } from "../checks/s3.ts";
import { readConfig } from "../config/file.ts";
import { parseProperties } from "../config/properties.ts";
import { Refusal } from "../errors.ts";
import type { Given, Handler, MakeRole } from "../role.ts";
import { sendJson } from "../server.ts";

/** The IIIF server: images from one bucket or, by a lookup script, from several; derivatives cached in S3. */
export const cantaloupe: MakeRole = (given) => {
  const path = configPath(given);
  const properties = parseProperties(readConfig(path, "CANTALOUPE_CONFIG"));
  const need = (key: string): string => {
    const value = properties.get(key) ?? "";
    if (value === "") throw new Refusal(`${path}: ${properties.has(key) ? "empty" : "missing"} key ${key}`);
    return value;
  };
  const choose = (key: string, known: readonly string[]): string => {
    const value = need(key);
    if (known.includes(value)) return value;
    throw new Refusal(`${path}: ${key}=${value}, the rehearsal knows ${known.join(" and ")}`);
  };
  const access = (kind: "S3Source" | "S3Cache") => {
    const secretAccessKey = need(`${kind}.secret_key`);
    given.secrets.add(secretAccessKey);
    const endpoint = need(`${kind}.endpoint`);
    if (!URL.canParse(endpoint)) throw new Refusal(`${path}: ${kind}.endpoint must be a URL`);
    return { endpoint, region: need(`${kind}.region`), accessKeyId: need(`${kind}.access_key_id`), secretAccessKey };
  };

  choose("source.static", ["S3Source"]);
  const source = access("S3Source");
  const s3 = s3Client(source);
  const script = choose("S3Source.lookup_strategy", ["BasicLookupStrategy", "ScriptLookupStrategy"]).startsWith(
    "Script",
  );
  // The basic strategy knows one bucket. For identifiers `bucket%2Fkey` a script has to take them apart.
  const only = script ? "" : need("S3Source.BasicLookupStrategy.bucket.name");
  const sources = script ? list(given.env.REHEARSAL_BUCKETS) : [only];
  if (sources.length === 0) throw new Refusal("REHEARSAL_BUCKETS is not set: a lookup script does not say its buckets");
  const checks: Check[] = sources.map((name) => readableBucket(s3, source.endpoint, name));
  if (properties.get("cache.server.derivative") === "S3Cache") {
    const cache = access("S3Cache");
    const name = need("S3Cache.bucket.name");
    checks.push(bucket(s3Client(cache), cache.endpoint, name, given.host, `cache:${name}`));
  }
  return { name: "cantaloupe", title: "Cantaloupe", port: 8182, checks, handle: iiif(s3, only) };
};

function configPath({ args, env }: Given): string {
  const flag = args.find((arg) => arg.startsWith("-Dcantaloupe.config="));
  const path = flag?.slice(flag.indexOf("=") + 1) ?? env.CANTALOUPE_CONFIG ?? "";
  if (path === "") throw new Refusal("CANTALOUPE_CONFIG is not set: it must name Cantaloupe's properties file");
  return path;
}

const list = (text = ""): string[] => text.split(",").flatMap((name) => name.trim() || []);

/** `/iiif/2/<identifier>/info.json`. The size is made up: the stand-in does not decode images. */
function iiif(s3: ReturnType<typeof s3Client>, only: string): Handler {
  return async (request, response, url) => {
    const encoded = /^\/iiif\/2\/([^/]+)\/info\.json$/.exec(url.pathname)?.[1];
    if (encoded === undefined || request.method !== "GET") return false;
    const where = locate(encoded, only);
    if (where === undefined) {
      sendJson(response, 400, { error: "an identifier is bucket%2Fkey" });
      return true;
    }
    response.setHeader("access-control-allow-origin", "*");
    if ((await objectSize(s3, where.bucket, where.key)) === undefined) {
      sendJson(response, 404, { error: `no object ${where.bucket}/${where.key}` });
      return true;
    }
    sendJson(response, 200, {
      "@context": "http://iiif.io/api/image/2/context.json",
      "@id": `/iiif/2/${encoded}`,
      protocol: "http://iiif.io/api/image",
      profile: ["http://iiif.io/api/image/2/level0.json"],
      width: 1,
      height: 1,
      rehearsal: true,
    });
    return true;
  };
}

function locate(encoded: string, only: string): { bucket: string; key: string } | undefined {
  let identifier: string;
  try {
    identifier = decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
  if (only !== "") return { bucket: only, key: identifier };
  const slash = identifier.indexOf("/");
  return slash < 1 ? undefined : { bucket: identifier.slice(0, slash), key: identifier.slice(slash + 1) };
}
