#!/usr/bin/python3
"""points databases|empty URL, points dump|restore URL DATABASE

Takes a database of InfluxDB 1.x out and back in, as JSON lines, gzipped: its retention policies, its continuous queries,
points in line protocol by their policy, and their number and checksum. Signs in as `admin`, with the password in the
file that INFLUX_PASSWORD_FILE names.
"""
import base64
import gzip
import hashlib
import itertools
import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

BATCH = 5000


def send(url, path, body, **query):
    with open(os.environ["INFLUX_PASSWORD_FILE"], encoding="utf-8") as file:
        login = base64.b64encode(f"admin:{file.read().strip()}".encode()).decode()
    return urllib.request.urlopen(
        urllib.request.Request(f"{url}{path}?{urllib.parse.urlencode(query)}", body, {"Authorization": f"Basic {login}"}),
        timeout=600,
    )


def series(url, statement):
    """The server answers 200 to a statement that fails, and says so in the body."""
    asked = urllib.parse.urlencode({"q": statement, "epoch": "ns", "chunked": "true", "chunk_size": BATCH}).encode()
    with send(url, "/query", asked) as answer:
        for line in answer:
            said = json.loads(line)
            for result in [said, *said.get("results", [])]:
                if "error" in result:
                    raise OSError(f"{result['error']}: {statement}")
                yield from result.get("series", [])


def rows(url, statement):
    for each in series(url, statement):
        for values in each.get("values", []):
            yield {"of": each.get("name"), **dict(zip(each["columns"], values))}


def quoted(*names):
    return ".".join('"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"' for name in names)


def escaped(name, also=""):
    return re.sub(f"([, {also}])", r"\\\1", name)


def value(of, kind):
    if kind == "string":
        return '"' + of.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if kind == "boolean":
        return "true" if of else "false"
    return f"{of}{kind[0]}" if kind in ("integer", "unsigned") else repr(float(of))


def points(url, database, policy):
    for measurement in [row["name"] for row in rows(url, f"SHOW MEASUREMENTS ON {quoted(database)}")]:
        kinds = {
            row["fieldKey"]: row["fieldType"]
            for row in rows(url, f"SHOW FIELD KEYS ON {quoted(database)} FROM {quoted(policy, measurement)}")
        }
        for found in series(url, f"SELECT * FROM {quoted(database, policy, measurement)} GROUP BY *"):
            tags = (f",{escaped(k, '=')}={escaped(v, '=')}" for k, v in sorted(found.get("tags", {}).items()) if v != "")
            head = escaped(measurement) + "".join(tags)
            for time, *values in found["values"]:
                fields = [
                    f"{escaped(name, '=')}={value(of, kinds[name])}"
                    for name, of in zip(found["columns"][1:], values)
                    if of is not None
                ]
                if fields:
                    yield f"{head} {','.join(fields)} {time}"


class Sum:
    """Of points in any order."""

    def __init__(self):
        self.count, self.sum = 0, 0

    def add(self, policy, point):
        self.count += 1
        self.sum += int.from_bytes(hashlib.sha256(f"{policy}\n{point}".encode()).digest()[:8], "big")

    def __str__(self):
        return f"{self.count} points, checksum {self.sum % (1 << 64):016x}"


def policies(url, database):
    return list(rows(url, f"SHOW RETENTION POLICIES ON {quoted(database)}"))


def dump(url, database):
    total = Sum()
    with gzip.open(sys.stdout.buffer, "wt", compresslevel=5) as out:
        say = lambda line: print(json.dumps(line), file=out)
        for policy in policies(url, database):
            say({"policy": policy})
        for query in rows(url, "SHOW CONTINUOUS QUERIES"):
            if query["of"] == database:
                say({"query": query["query"]})
        for policy in policies(url, database):
            say({"into": policy["name"]})
            for point in points(url, database, policy["name"]):
                total.add(policy["name"], point)
                say(point)
        say({"total": str(total)})


def restore(url, database):
    series_of = lambda statement: list(series(url, statement))
    if database in databases_of(url):
        if series_of(f"SHOW MEASUREMENTS ON {quoted(database)} LIMIT 1"):
            sys.exit(f"database {database} has points: restore goes into an empty database only")
    else:
        series_of(f"CREATE DATABASE {quoted(database)}")
    have = {policy["name"] for policy in policies(url, database)}
    queries, dropped, into, total = [], 0, None, None
    with gzip.open(sys.stdin.buffer, "rt") as lines:
        for is_point, group in itertools.groupby(map(json.loads, lines), lambda line: isinstance(line, str)):
            while is_point and (batch := list(itertools.islice(group, BATCH))):
                dropped += write(url, database, into, batch)
            for line in [] if is_point else group:
                into, total = line.get("into", into), line.get("total", total)
                if "query" in line:
                    queries.append(line["query"])
                elif "policy" in line and line["policy"]["name"] not in have:
                    series_of(policy_statement(database, line["policy"]))
    for query in queries:
        series_of(query)
    if dropped > 0:
        print(f"database {database}: {dropped} points are older than their retention policy keeps", file=sys.stderr)
        return
    found = Sum()
    for policy in policies(url, database):
        for point in points(url, database, policy["name"]):
            found.add(policy["name"], point)
    if str(found) != total:
        sys.exit(f"database {database} is not what was saved: {found} instead of {total}")


def policy_statement(database, policy):
    """The set-up's own default stays."""
    return (
        f"CREATE RETENTION POLICY {quoted(policy['name'])} ON {quoted(database)} DURATION {policy['duration']}"
        f" REPLICATION {policy['replicaN']} SHARD DURATION {policy['shardGroupDuration']}"
    )


def write(url, database, policy, batch):
    """How many points were too old to be kept."""
    try:
        send(url, "/write", "\n".join(batch).encode(), db=database, rp=policy, precision="ns").close()
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")
        old = re.search(r"beyond retention policy dropped=(\d+)", said)
        if old is None:
            sys.exit(f"InfluxDB: {said.strip()[:300]}")
        return int(old[1])
    return 0


def databases_of(url):
    return [row["name"] for row in rows(url, "SHOW DATABASES") if row["name"] != "_internal"]


def databases(url):
    print("\n".join(databases_of(url)))


def empty(url):
    for database in databases_of(url):
        list(series(url, f"DROP DATABASE {quoted(database)}"))


verbs = {each.__name__: each for each in [databases, empty, dump, restore]}
try:
    verbs[sys.argv[1]](*sys.argv[2:])
except OSError as error:
    sys.exit(f"InfluxDB: {error}")
