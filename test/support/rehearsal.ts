import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Given } from "../../rehearsal/role.ts";
import { Secrets } from "../../rehearsal/secrets.ts";
import { newFolder } from "./folder.ts";

export const goodSecrets = ["db-pass-word", "django-secret-key", "s3-secret-access-key"] as const;

/** A config.yml of Arkindex with known secrets, for stores that answer to db, redis, objects and solr. */
export function goodConfig(objects = "http://objects:9000"): string {
  const [password, key, s3] = goodSecrets;
  return `database:
  host: db
  port: 5432
  name: arkindex
  user: arkindex
  password: ${password}
redis:
  host: redis
secret_key: ${key}
public_hostname: arkindex.localhost
s3:
  access_key_id: arkindex
  secret_access_key: ${s3}
  endpoint: ${objects}
  region: local
solr:
  api_url: http://solr:8983/solr/
cache:
  type: redis
features:
  signup: false
  search: true
`;
}

/** What a role is given. `variable` names its config file. */
export function givenFile(variable: string, text: string, env: Given["env"] = {}): Given {
  const path = join(newFolder("rehearsal"), "config");
  writeFileSync(path, text);
  return { env: { ...env, [variable]: path }, args: [], secrets: new Secrets(), host: "test" };
}
