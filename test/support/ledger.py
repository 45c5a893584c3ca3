"""A client of stores that keeps a ledger: it writes one numbered row after another, reads them, and tells what it was told.

`python3 ledger.py run <file>` until SIGTERM, `python3 ledger.py there <file>`: the file has each store's place. The
same stores are an application's, which imports this file.
"""

import datetime, hashlib, hmac, http.client, json, os, re, signal, socket, sys, threading, time, urllib.parse

PATIENCE = 5.0


class Refused(Exception):
    """The store has said no: such a row must not be there."""


def text(n):
    return "row %d" % n


class Postgres:
    """A table `ledger` of the client's own. As docs/ha.md tells clients: a lost connection is given up in seconds."""

    def __init__(self, at):
        import psycopg2

        self.sql = psycopg2
        patience = "connect_timeout=3 keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=5000"
        words = "host='%s' port=%d user='%s' dbname='%s' %s"
        self.connection = psycopg2.connect(
            words % (at["host"], at["port"], at["user"], at["database"], patience), password=at["password"]
        )
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()

    def prepare(self):
        self.cursor.execute("CREATE TABLE IF NOT EXISTS ledger (n int PRIMARY KEY, said text)")

    def write(self, n):
        try:
            self.cursor.execute("INSERT INTO ledger VALUES (%s, %s) ON CONFLICT DO NOTHING", (n, text(n)))
        except self.sql.Error as error:
            # 57: the server was told to end, and may have committed before.
            if error.pgcode and error.pgcode[:2] not in ("57", "08"):
                raise Refused(str(error).strip())
            raise

    def read(self, n):
        self.cursor.execute("SELECT said FROM ledger WHERE n = %s", (n,))
        found = self.cursor.fetchone()
        return found and found[0]

    def all(self):
        self.cursor.execute("SELECT n, said FROM ledger")
        return dict(self.cursor.fetchall())

    def close(self):
        self.connection.close()


class Redis:
    """A hash `ledger`."""

    def __init__(self, at):
        self.socket = socket.create_connection((at["host"], at["port"]), 1)
        self.socket.settimeout(2)
        self.file = self.socket.makefile("rb")
        if at.get("password"):
            self.ask("AUTH", at["password"])

    def answer(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise Refused(rest.decode())
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.file.read(size + 2)[:-2].decode()
        if kind == b"*":
            return [self.answer() for each in range(int(rest))]
        return rest.decode()

    def ask(self, *words):
        all = [str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(all) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in all))
        return self.answer()

    def prepare(self):
        pass

    def write(self, n):
        self.ask("HSET", "ledger", n, text(n))

    def read(self, n):
        return self.ask("HGET", "ledger", n)

    def all(self):
        self.socket.settimeout(60)
        found = self.ask("HGETALL", "ledger")
        return {int(n): said for n, said in zip(found[::2], found[1::2])}

    def close(self):
        self.file.close()
        self.socket.close()


class Http:
    """A store by HTTP. A new connection for each request: a proxy, or a name of several addresses, picks a server."""

    def __init__(self, at):
        self.at = at

    def ask(self, method, path, body=None, headers={}, good=(200, 201, 204), patience=PATIENCE):
        connection = http.client.HTTPConnection(self.at["host"], self.at["port"], timeout=patience)
        try:
            connection.request(method, path, body, self.sign(method, path, headers))
            answer = connection.getresponse()
            found = answer.read()
        finally:
            connection.close()
        if answer.status == 404 and 404 in good:
            return None
        if answer.status not in good:
            words = " ".join(found[:200].decode(errors="replace").split())
            raise ConnectionError("%d %s" % (answer.status, re.sub(r"\d+", "…", words)[:60]))
        return found

    def sign(self, method, path, headers):
        return headers

    def prepare(self):
        pass

    def close(self):
        pass


class Solr(Http):
    """A collection `ledger`."""

    def write(self, n):
        body = json.dumps([{"id": str(n), "said_s": text(n)}])
        self.ask("POST", "/solr/ledger/update?commitWithin=1000", body, {"content-type": "application/json"})

    def read(self, n):
        found = json.loads(self.ask("GET", "/solr/ledger/get?id=%d" % n))["doc"]
        return found and found["said_s"]

    def all(self):
        self.ask("GET", "/solr/ledger/update?commit=true&waitSearcher=true", patience=60)
        found = json.loads(self.ask("GET", "/solr/ledger/select?q=*:*&rows=1000000&fl=id,said_s", patience=60))
        return {int(row["id"]): row["said_s"] for row in found["response"]["docs"]}


class Search(Http):
    """An index `ledger`."""

    def prepare(self):
        self.ask("PUT", "/ledger", good=(200, 400), patience=60)  # 400: it is there

    def sign(self, method, path, headers):
        import base64

        login = base64.b64encode(("%s:%s" % (self.at["user"], self.at["password"])).encode()).decode()
        return {"content-type": "application/json", "authorization": "Basic " + login, **headers}

    def write(self, n):
        self.ask("PUT", "/ledger/_doc/%d" % n, json.dumps({"n": n, "said": text(n)}))

    def read(self, n):
        found = self.ask("GET", "/ledger/_doc/%d" % n, good=(200, 404))
        return found and json.loads(found)["_source"]["said"]

    def all(self):
        self.ask("POST", "/ledger/_refresh", patience=60)
        rows, after = {}, []
        while True:
            query = {"size": 5000, "sort": [{"n": "asc"}], **({"search_after": after} if after else {})}
            found = json.loads(self.ask("POST", "/ledger/_search", json.dumps(query), patience=60))["hits"]["hits"]
            if not found:
                return rows
            rows.update({int(row["_id"]): row["_source"]["said"] for row in found})
            after = found[-1]["sort"]


class Objects(Http):
    """Objects `ledger/<n>` of a bucket `ledger`, by S3 and its signature of version 4."""

    def sign(self, method, path, headers):
        at = self.at
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = "%s/%s/s3/aws4_request" % (now[:8], at["region"])
        own = {"host": "%s:%d" % (at["host"], at["port"]), "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": now}
        where, _, query = path.partition("?")
        signed = ";".join(sorted(own))
        lines = "".join("%s:%s\n" % each for each in sorted(own.items()))
        ask = "\n".join((method, where, query, lines, signed, own["x-amz-content-sha256"]))
        told = "\n".join(("AWS4-HMAC-SHA256", now, scope, hashlib.sha256(ask.encode()).hexdigest()))
        key = ("AWS4" + at["secret"]).encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), "sha256").digest()
        signature = hmac.new(key, told.encode(), "sha256").hexdigest()
        words = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s"
        return {**headers, **own, "authorization": words % (at["key"], scope, signed, signature)}

    def prepare(self):
        self.ask("PUT", "/ledger", good=(200, 409), patience=60)  # 409: it is there

    def write(self, n):
        self.ask("PUT", "/ledger/%d" % n, text(n))

    def read(self, n):
        found = self.ask("GET", "/ledger/%d" % n, good=(200, 404))
        return found and found.decode()

    def all(self):
        """The list has the MD5 of each object, which is as good as its text."""
        rows, more = {}, ""
        while True:
            found = self.ask("GET", "/ledger?%slist-type=2" % more, patience=60).decode()
            for n, tag in re.findall(r"<Key>(\d+)</Key>.*?<ETag>(?:&quot;|\")?([0-9a-f]{32})", found, re.S):
                same = hashlib.md5(text(int(n)).encode()).hexdigest() == tag
                rows[int(n)] = text(int(n)) if same else "another text"
            token = re.search(r"<NextContinuationToken>([^<]+)<", found)
            if not token:
                return rows
            more = "continuation-token=%s&" % urllib.parse.quote(token.group(1), safe="")


kinds = {"postgres": Postgres, "redis": Redis, "solr": Solr, "search": Search, "objects": Objects}


class Client:
    """Connects when it must, and again after a failure."""

    def __init__(self, at):
        self.at, self.open = at, None

    def __call__(self, work):
        try:
            self.open = self.open or kinds[self.at["kind"]](self.at)
            return work(self.open)
        except Exception as error:
            if not isinstance(error, Refused) or not isinstance(self.open, Postgres):
                opened, self.open = self.open, None
                if opened:
                    try:
                        opened.close()
                    except Exception:
                        pass
            raise


class Book:
    """What one store has told its writer and its reader."""

    def __init__(self, at, pause):
        self.at, self.pause = at, pause
        self.n = at["from"]
        self.told, self.refused, self.seen = [], [], set()
        self.failed, self.read_failed, self.stale = 0, 0, 0
        self.gap, self.read_gap, self.errors = 0.0, 0.0, {}
        self.ended = False
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.write, self.read)]

    def fails(self, error):
        words = re.sub(r"\d{3,}", "…", " ".join(str(error).split()))[:120]
        self.errors[words] = self.errors.get(words, 0) + 1

    def write(self):
        client, last = Client(self.at), time.monotonic()
        while not self.ended:
            n = self.n = self.n + 1
            try:
                client(lambda store: store.write(n))
                self.told.append(n)
                self.gap, last = max(self.gap, time.monotonic() - last), time.monotonic()
                time.sleep(self.pause)
            except Exception as error:
                self.failed += 1
                self.fails(error)
                if isinstance(error, Refused):
                    self.refused.append(n)
                time.sleep(0.1)
        self.gap = max(self.gap, time.monotonic() - last)

    def read(self):
        """By turns the newest row that was acknowledged, and the one that is on its way."""
        client, last, turn = Client(self.at), time.monotonic(), 0
        while not self.ended:
            turn += 1
            told = self.told[-1] if self.told else None
            n = self.n if turn % 2 or told is None else told
            try:
                found = client(lambda store: store.read(n))
                self.read_gap, last = max(self.read_gap, time.monotonic() - last), time.monotonic()
                if found is not None:
                    self.seen.add(n)
                elif n == told:
                    self.stale += 1
                time.sleep(self.pause)
            except Exception as error:
                self.read_failed += 1
                self.fails(error)
                time.sleep(0.1)
        self.read_gap = max(self.read_gap, time.monotonic() - last)


def spans(numbers):
    """`[[1, 4], [6, 6]]` of 1, 2, 3, 4, 6."""
    found = []
    for n in sorted(numbers):
        if found and found[-1][1] == n - 1:
            found[-1][1] = n
        else:
            found.append([n, n])
    return found


def patiently(at, work):
    client = Client(at)
    for again in range(60):
        try:
            return client(work)
        except Exception:
            if again == 59:
                raise
            time.sleep(2)


def run(places):
    books = {name: Book(at, at["pause"]) for name, at in places.items()}
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    for at in places.values():
        patiently(at, lambda store: store.prepare())
    for book in books.values():
        for thread in book.threads:
            thread.start()
    print("writes", flush=True)
    over.wait()
    for book in books.values():
        book.ended = True
    for book in books.values():
        for thread in book.threads:
            thread.join(30)
    for name, book in books.items():
        said = {
            "name": name,
            "last": book.n,
            "told": spans(book.told),
            "refused": spans(book.refused),
            "seen": spans(book.seen),
            "failed": book.failed,
            "readFailed": book.read_failed,
            "stale": book.stale,
            "gap": round(book.gap, 1),
            "readGap": round(book.read_gap, 1),
            "errors": book.errors,
        }
        print(json.dumps(said), flush=True)


def there(places):
    for name, at in places.items():
        rows = patiently(at, lambda store: store.all())
        wrong = [n for n, said in rows.items() if said != text(n)]
        print(json.dumps({"name": name, "there": spans(rows), "wrong": spans(wrong)}), flush=True)


if __name__ == "__main__":
    with open(sys.argv[2]) as file:
        {"run": run, "there": there}[sys.argv[1]](json.load(file))
