"""An application of two stores: each request writes a row into PostgreSQL and one into Redis, and reads them.

`/once`: what fails is not tried again, but for connections that have ended meanwhile. `/retried`: for ten seconds.
"""

import http.server, itertools, json, socket, threading, time

import ledger

with open("/run/app/places") as file:
    places = json.load(file)
numbers = itertools.count(int(time.time() * 1000) % 1_000_000_000)
local = threading.local()


def work():
    n = next(numbers)
    for name, at in places.items():
        clients = local.__dict__.setdefault("clients", {})
        client = clients.setdefault(name, ledger.Client(at))
        client(lambda store: (write(store, n), read(store, n)))


def write(store, n):
    if isinstance(store, ledger.Postgres):
        store.cursor.execute("INSERT INTO requests VALUES (%s)", (n,))
    else:
        store.ask("SET", "request", n)


def read(store, n):
    if isinstance(store, ledger.Postgres):
        store.cursor.execute("SELECT 1 FROM requests WHERE n = %s", (n,))
        store.cursor.fetchone()
    else:
        store.ask("GET", "request")


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        end = time.monotonic() + (10 if self.path.startswith("/retried") else 0)
        while self.path != "/health":
            try:
                work()
                break
            except Exception as error:
                if time.monotonic() > end:
                    return self.say(500, str(error))
                time.sleep(0.2)
        self.say(200, socket.gethostname())

    def say(self, status, words):
        body = words.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


def begin():
    while True: # its store may be slow to start
        try:
            ledger.Client(places["db"])(
                lambda store: store.cursor.execute("CREATE TABLE IF NOT EXISTS requests (n bigint)")
            )
            return
        except Exception:
            time.sleep(1)


begin()
http.server.ThreadingHTTPServer.daemon_threads = True
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Answer).serve_forever()
