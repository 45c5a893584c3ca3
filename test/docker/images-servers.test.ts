/** The servers of the further platforms: each starts as its recipe starts it, as its user, and a real client is answered. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { images } from "../../tools/images/index.ts";
import { answered, once, remove, serve } from "../support/containers.ts";

// The test of cold builds is images.test.ts; here they are there.
beforeAll(() => images(() => undefined), 30 * 60_000);
afterAll(remove);

test("nats: JetStream keeps a message, and its monitor answers wget", async () => {
  const exec = await serve("nats", ["--user", "1000:1000"], "exec nats-server -js -sd /tmp/js -m 8222");
  await answered(() => exec("wget -q -T 4 -O /dev/null http://127.0.0.1:8222/healthz"));
  const said = await exec("wget -q -O - http://127.0.0.1:8222/varz");
  expect(JSON.parse(said)).toMatchObject({ version: expect.stringMatching(/^2\.15\./), jetstream: {} });
  // The protocol itself: what is published comes back to a subscriber.
  const talk = String.raw`exec 3<>/dev/tcp/127.0.0.1/4222; printf 'CONNECT {"verbose":false}\r\nSUB a 1\r\nPUB a 5\r\nhello\r\nPING\r\n' >&3; timeout 3 head -n 4 <&3`;
  expect(await exec(`bash -c '${talk.replaceAll("'", String.raw`'\''`)}'`)).toContain("MSG a 1 5\r\nhello");
}, 300_000);

test("rabbitmq: its plugins are there, and a message goes through a queue", async () => {
  const exec = await serve(
    "rabbitmq",
    ["--user", "999:999", "--hostname", "rabbit-1"],
    "rabbitmq-plugins enable --offline rabbitmq_federation rabbitmq_federation_management >/dev/null; exec rabbitmq-server",
  );
  await answered(() => exec("rabbitmq-diagnostics -q check_running"));
  expect(await exec("rabbitmq-plugins list --enabled --minimal --quiet")).toMatch(
    /rabbitmq_federation\n[^]*rabbitmq_federation_management\n[^]*rabbitmq_management\n[^]*rabbitmq_prometheus/,
  );
  await answered(() => exec("rabbitmqadmin declare queue name=q durable=true"));
  await exec("rabbitmqadmin publish routing_key=q payload=hello");
  expect(await answered(() => exec("rabbitmqadmin get queue=q ackmode=ack_requeue_false"))).toContain("hello");
  expect(await exec("rabbitmqctl -q federation_status && stat -c %u:%a /var/lib/rabbitmq/.erlang.cookie")).toMatch(
    /999:[46]00$/,
  );
}, 300_000);

test("cassandra: CQL by cqlsh and by the toolbox's cql, nodetool, and the end in peace", async () => {
  const environment = ["MAX_HEAP_SIZE=384M", "HEAP_NEWSIZE=100M"].flatMap((each) => ["--env", each]);
  const names = ["--hostname", "cassandra-1", "--add-host", "cassandra-1:127.0.0.1"];
  const config = "-Dcassandra.config=file:///tmp/cassandra.yaml";
  const exec = await serve(
    "cassandra",
    ["--user", "999:999", ...names, ...environment, "--env", `JVM_EXTRA_OPTS=${config}`],
    `sed "s/Test Cluster/From a file of ours/" /etc/cassandra/cassandra.yaml > /tmp/cassandra.yaml && exec cassandra -f`,
  );
  await answered(() => exec("</dev/tcp/127.0.0.1/9042", "bash"));
  expect(await exec("nodetool status")).toMatch(/^UN +127\.0\.0\.1/m);
  expect(await exec("nodetool describecluster")).toContain("Name: From a file of ours");
  const keyspace = "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}";
  await exec(`cqlsh -e "${keyspace}; CREATE TABLE k.t (id int PRIMARY KEY, v text)"`);
  const cql = (args: string, input = ""): Promise<string> => once("toolbox", `cql ${args}`, { beside: exec.id, input });
  const rows = `{"id": 1, "v": "a;b 'c'"}\n{"id": 2, "v": null}`;
  await cql("--insert k.t", rows);
  expect((await cql("-e 'SELECT JSON * FROM k.t'")).split("\n").sort().join("\n")).toBe(rows);
  expect(await cql("", "-- a comment; with a semicolon\nTRUNCATE k.t; SELECT JSON * FROM k.t;\n")).toBe("");
  await expect(cql("-e 'SELECT nonsense'")).rejects.toThrow(/cql: SyntaxException/);
  expect(await exec("stat -c %u /var/lib/cassandra/data")).toBe("999");
  expect(await exec.stop(60)).toBe(143);
}, 300_000);

test("elasticsearch: OpenSearch stands in for it, wants the password, and takes its clients' words", async () => {
  // The keystore comes first.
  const environment = ["ES_JAVA_OPTS=-Xms300m -Xmx300m", "ELASTIC_PASSWORD=another"];
  const keystore =
    "elasticsearch-keystore create && printf secret | elasticsearch-keystore add --stdin --force bootstrap.password";
  const exec = await serve(
    "elasticsearch",
    ["--user", "1000:0", ...environment.flatMap((each) => ["--env", each])],
    `${keystore} && exec elasticsearch -Ediscovery.type=single-node -Expack.security.enabled=true`,
  );
  const call = (args: string): Promise<string> => exec(`curl -sS -i ${args}`);
  const own = "-H 'Content-Type: application/vnd.elasticsearch+json; compatible-with=8'";
  await answered(() => exec("curl -fsS -u elastic:secret http://127.0.0.1:9200/_cluster/health?wait_for_status=green"));
  for (const path of ["", "_cluster/health", "no/such/path"]) {
    expect(await call(`http://127.0.0.1:9200/${path}`)).toMatch(/^HTTP\/1\.1 401 [^]*WWW-Authenticate: Basic/i);
    expect(await call(`-u elastic:wrong http://127.0.0.1:9200/${path}`)).toMatch(/^HTTP\/1\.1 401 /);
  }
  const root = await call("-u elastic:secret http://127.0.0.1:9200/");
  expect(root).toMatch(/X-elastic-product: Elasticsearch[^]*"distribution" : "opensearch"/i);
  const document = `-u elastic:secret ${own} -d '{"title": "A charter of 1215"}'`;
  expect(await call(`${document} 'http://127.0.0.1:9200/pages/_doc/1?refresh=true'`)).toMatch(/^HTTP\/1\.1 201 /);
  expect(await call("-u elastic:secret 'http://127.0.0.1:9200/pages/_search?q=title:charter'")).toContain('"value":1');
  expect(await exec("stat -c %u /usr/share/elasticsearch/data/nodes")).toBe("1000");
  expect(await exec.stop(60)).toBe(143);
}, 300_000);

test("elasticsearch: no password, or an unknown option, is refused in one sentence", async () => {
  for (const [line, sentence] of [
    ["elasticsearch", /security is on and no password is given: set ELASTIC_PASSWORD_FILE/],
    ["elasticsearch --nonsense", /"--nonsense" is not known/],
  ] as const)
    await expect(once("elasticsearch", line, { user: "1000:1000" })).rejects.toThrow(sentence);
  const root = once("elasticsearch", "elasticsearch", { user: "0:0" });
  await expect(root).rejects.toThrow(/can not run as root/);
}, 300_000);

test("influxdb: a login, a retention policy, a point written and read", async () => {
  const settings = "INFLUXDB_HTTP_AUTH_ENABLED=true INFLUXDB_REPORTING_DISABLED=true";
  const exec = await serve("influxdb", ["--user", "999:999"], `${settings} exec influxd`);
  await answered(() => exec("curl -fsS http://127.0.0.1:8086/ping"));
  const query = (login: string, text: string): Promise<string> =>
    exec(`curl -sS ${login} http://127.0.0.1:8086/query --data-urlencode "q=${text}"`);
  await query("", "CREATE USER root WITH PASSWORD 'secret' WITH ALL PRIVILEGES");
  expect(await query("", "SHOW DATABASES")).toContain("unable to parse authentication credentials");
  const login = "-u root:secret";
  await query(login, "CREATE DATABASE usage WITH DURATION 30d NAME month");
  await exec(`curl -fsS ${login} 'http://127.0.0.1:8086/write?db=usage' --data-binary 'load,node=a value=2'`);
  expect(await query(login, "SELECT value FROM usage.month.load")).toContain(",2]");
  expect(await exec("influx -version")).toContain("1.6.");
}, 300_000);

test("nginx: unprivileged with a configuration of its own, HTTP and streams", async () => {
  const config = [
    "pid /tmp/pid; error_log stderr;",
    "events {}",
    "http { client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u;",
    "scgi_temp_path /tmp/s; access_log off; server { listen 8080; location / { return 200 hello; } } }",
    "stream { server { listen 8081; proxy_pass 127.0.0.1:8080; } }",
  ].join("\n");
  const line = `echo '${config}' > /tmp/nginx.conf; exec nginx -c /tmp/nginx.conf -g 'daemon off;'`;
  const exec = await serve("nginx", ["--user", "101:101"], line);
  for (const port of [8080, 8081])
    expect(await answered(() => exec(`curl -fsS http://127.0.0.1:${String(port)}/`))).toBe("hello");
  expect(await exec("id -un && nginx -c /tmp/nginx.conf -s reload")).toBe("nginx");
}, 300_000);

test("telegraf: the plugins that the recipes configure, and a metric of each", async () => {
  const inputs = ["cpu", "mem", "swap", "disk", "diskio", "net", "system", "processes", "internal"];
  const config = [...inputs.map((name) => `[[inputs.${name}]]`), '[[outputs.file]]\nfiles = ["stdout"]'].join("\n");
  const line = `echo '${config}' > /tmp/c && telegraf --config /tmp/c --once 2>&1 && telegraf --version`;
  const out = await once("telegraf", line, { user: "999:999" });
  for (const name of ["cpu", "mem", "swap", "disk", "system", "processes", "internal_agent"])
    expect(out).toMatch(new RegExp(`^${name},`, "m"));
  expect(out).toMatch(/Telegraf 1\.37\./);
  expect(await once("telegraf", "telegraf plugins inputs docker && telegraf plugins outputs")).toMatch(
    /health[^]*influxdb/,
  );
}, 300_000);

test("shiny-demo: the app's page and its websocket's handshake", async () => {
  const line = `exec R --no-echo -e "shiny::runApp('/srv/app', host = '0.0.0.0', port = 3838)"`;
  const exec = await serve("shiny-demo", [], line);
  expect(await answered(() => exec("curl -fsS http://127.0.0.1:3838/"))).toContain("Old Faithful");
  const upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    .concat("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
    .map((header) => `-H '${header}'`)
    .join(" ");
  expect(await exec(`curl -s -i -m 2 --http1.1 ${upgrade} http://127.0.0.1:3838/websocket/ || true`)).toMatch(
    /^HTTP\/1\.1 101 /,
  );
}, 300_000);
