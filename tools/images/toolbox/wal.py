#!/usr/bin/python3
"""wal keep|wait|base|serve|prune: the log of a PostgreSQL cluster in a backup's place, for any second in between

    <store>/log/<cluster>/<segment>.gz           a whole segment
    <store>/log/<cluster>/<segment>.partial.gz   what there is so far of the one that is being written
    <store>/log/<cluster>/<timeline>.history     where a timeline left the one before it
    <store>/log/<cluster>/covered                the time up to which the log is here
    <store>/log/<cluster>/gap                    log was lost: the next base backup ends that

`keep` follows whoever leads, for ever. The servers keep for it what is not here yet: only it moves the slot `archive` on.
`wait` ends when the log is here up to the end of a base backup. `base TIME` names the run to begin with, the cluster and the timeline.
`serve` hands a run's base backup and the log to a server that recovers. `prune` deletes what no run needs.
$TO is the store's folder in the place; libpq's variables lead to the leader.
"""
import datetime
import gzip
import http.server
import json
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time

SLOT = "archive"
SEGMENT = re.compile(r"[0-9A-F]{24}")
PLACE_SECONDS = 120  # one call of the place's
MOST_WAITING = 64  # whole segments of 16 MiB on the container's own disk, while the place does not take them
COVER_SECONDS = 20
# A leader without power is given up in seconds.
PATIENCE = "connect_timeout=5 keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=10000"


class Failed(Exception):
    pass


def last_words(text):
    return " ".join(" ".join(text.strip().splitlines()[-4:]).split())[-400:]


def run(*command, text=None, seconds=PLACE_SECONDS, missing=None):
    """`missing`: exit codes of rclone that mean that there is nothing."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} has no answer after {seconds} s") from None
    if missing is not None and done.returncode in missing:
        return ""
    if done.returncode != 0:
        raise Failed(last_words(done.stderr) or f"{command[0]} ended with {done.returncode}")
    return done.stdout


def rclone(*words, **more):
    return run("rclone", *words, "--retries", "2", "--low-level-retries", "2", "--contimeout", "10s", "--timeout", "60s", **more)


def names(folder):
    return sorted(rclone("lsf", folder, missing=[3]).split())


def read(file):
    return rclone("cat", file, missing=[3, 4]).strip()


def sql(statement, database="dbname=postgres"):
    words = ["--no-psqlrc", "--quiet", "-At", "-F", " ", "--set=ON_ERROR_STOP=1", f"--dbname={database} {PATIENCE}"]
    return [line.split(" ") for line in run("psql", *words, text=statement, seconds=60).splitlines()]


def number(lsn, size):
    """The number of the segment that has this place of the log."""
    high, low = (int(half, 16) for half in lsn.split("/"))
    return ((high << 32) + low) // size


def lsn_of(segment, size):
    at = segment * size
    return f"{at >> 32:X}/{at & 0xFFFFFFFF:X}"


def name_of(timeline, segment, size):
    each = (1 << 32) // size
    return f"{timeline:08X}{segment // each:08X}{segment % each:08X}"


def parts_of(name, size):
    """A segment's timeline and its number."""
    return int(name[:8], 16), int(name[8:16], 16) * ((1 << 32) // size) + int(name[16:24], 16)


def switches(history):
    """For each timeline that was left: where, and for which."""
    lines = [line.split() for line in history.splitlines() if re.match(r"\s*\d", line)]
    ends = [(int(line[0]), line[1]) for line in lines]
    return {left: (lsn, ends[index + 1][0] if index + 1 < len(ends) else None) for index, (left, lsn) in enumerate(ends)}


def following(last, timeline, history, known, held, size):
    """
    The timeline and the segment to go on with, and whether log is lost before it. `last`: the newest whole one in the
    place; `known`: what the place knows of the timeline's history; `held`: the oldest that the servers keep for it.
    """
    # Of what the servers keep, on the timeline that it was written on.
    of_held = next((of for of, (lsn, _) in switches(history).items() if held <= number(lsn, size)), timeline)
    if last is None:
        return of_held, held, False
    of, newest = parts_of(last, size)
    go = of, newest + 1
    left = switches(history).get(of)
    if left is not None:
        lsn, into = left
        # The old leader's last words, which its followers never had, are not part of the log.
        if newest + 1 > number(lsn, size):
            go = into or timeline, number(lsn, size)
    elif of == timeline and known and known != history and switches(history):
        # Another server had begun a timeline of this number, and was lost.
        go = timeline, number(list(switches(history).values())[-1][0], size)
    elif of != timeline:
        return of_held, held, True
    return (of_held, held, True) if held > go[1] else (*go, False)


class Log:
    """The log of the cluster that answers now."""

    def __init__(self):
        row = sql(
            f"""SELECT (SELECT system_identifier FROM pg_control_system()), (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'),
  left(pg_walfile_name(pg_current_wal_lsn()), 8), coalesce(max(restart_lsn)::text, ''), coalesce(max(wal_status), '')
  FROM pg_replication_slots WHERE slot_name = '{SLOT}'"""
        )[0]
        self.cluster, self.size, self.timeline = row[0], int(row[1]), int(row[2], 16)
        self.held, self.status = row[3], row[4]
        self.at = f"{os.environ['TO']}/log/{self.cluster}"
        self.partial = set()
        self.sent = set()

    def begin(self):
        """The name of the segment before the first that is to come."""
        if self.status == "lost":
            sql(f"SELECT pg_drop_replication_slot('{SLOT}')")
        if self.held == "" or self.status == "lost":
            raise Failed("the servers do not keep the log yet")
        there = names(self.at)
        self.partial = {name for name in there if name.endswith(".partial.gz")}
        whole = [name[:24] for name in there if SEGMENT.fullmatch(name[:24]) and name[24:] == ".gz"]
        self.history = "" if self.timeline == 1 else self.read_history()
        known = read(f"{self.at}/{self.history_name()}") if self.history_name() in there else ""
        # The receiver takes number 0 for nothing. In number 1 are the first words of a cluster, before any base backup.
        held = max(number(self.held, self.size), 2)
        last = whole[-1] if whole else None
        timeline, segment, lost = following(last, self.timeline, self.history, known, held, self.size)
        if lost:
            rclone("rcat", f"{self.at}/gap", text=stamp(time.time()))
        if lost or "gap" in there:
            pathlib.Path(os.environ["LOG"] + ".gap").touch()
        return name_of(timeline, segment - 1, self.size)

    def history_name(self):
        return f"{self.timeline:08X}.history"

    def read_history(self):
        answer = run(
            "psql", "--no-psqlrc", "-At", "-F", "|", f"--dbname=dbname=postgres replication=1 {PATIENCE}",
            "--command", f"TIMELINE_HISTORY {self.timeline}", seconds=60,
        )  # fmt: skip
        return answer.partition("|")[2].strip()

    def send(self, folder):
        """Brings whole segments to the place, and lets the servers forget them."""
        files = sorted(file for file in folder.iterdir() if SEGMENT.fullmatch(file.name))
        if not files:
            return
        with tempfile.TemporaryDirectory() as out:
            for file in files[:MOST_WAITING]:
                packed(file, out)
            rclone("copy", out, self.at)
        for file in files[:MOST_WAITING]:
            file.unlink()
            if f"{file.name}.partial.gz" in self.partial:
                rclone("deletefile", f"{self.at}/{file.name}.partial.gz")
                self.partial.discard(f"{file.name}.partial.gz")
        _, newest = parts_of(files[:MOST_WAITING][-1].name, self.size)
        upto = lsn_of(newest + 1, self.size)
        sql(
            f"SELECT pg_replication_slot_advance('{SLOT}', '{upto}') FROM pg_replication_slots WHERE slot_name = '{SLOT}' AND restart_lsn < '{upto}'"
        )

    def cover(self, folder):
        """
        A commit of our own, so that a recovery to any second before it finds its end. It has no content: an application that
        follows the changes sees an empty transaction.
        """
        (said, _), (lsn,) = sql(
            "SELECT floor(extract(epoch FROM clock_timestamp())), pg_current_xact_id();\nSELECT pg_current_wal_insert_lsn()"
        )
        for _ in range(40):
            if sql(f"SELECT count(*) FROM pg_stat_replication WHERE application_name = '{SLOT}' AND write_lsn >= '{lsn}'") != [["0"]]:
                break
            time.sleep(0.5)
        else:
            raise Failed("the log does not come")
        self.send(folder)
        # What a timeline has left behind does not change any more.
        for file in sorted(folder.glob("*.partial")):
            if f"{file.name}.gz" in self.sent:
                continue
            with tempfile.TemporaryDirectory() as out:
                try:
                    name = packed(file, out)
                except FileNotFoundError:
                    return False  # it is whole now
                rclone("copy", out, self.at)
                self.partial.add(name)
                if int(name[:8], 16) < self.timeline:
                    self.sent.add(name)
        # After its first segment: a recovery goes to the newest timeline with a history here.
        if self.history:
            rclone("rcat", f"{self.at}/{self.history_name()}", text=f"{self.history}\n")
        rclone("rcat", f"{self.at}/covered", text=said)
        pathlib.Path(os.environ["LOG"]).write_text(said)
        pathlib.Path(os.environ["LOG"] + ".why").unlink(missing_ok=True)
        return True

    def follow(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="wal-"))
        receiver = None
        try:
            # What it finds in its folder is where it goes on. Without a slot of its own it counts for no commit, and moves none on.
            placeholder = folder / self.begin()
            with open(placeholder, "wb") as file:
                file.truncate(self.size)
            command = ["pg_receivewal", f"--directory={folder}", "--no-loop", "--no-password", "--status-interval=1"]
            words = f"application_name={SLOT} {PATIENCE}"
            with open(folder.with_suffix(".said"), "w") as errors:
                receiver = subprocess.Popen([*command, f"--dbname={words}"], stderr=errors)
            covered = time.monotonic() - COVER_SECONDS + 2
            while receiver.poll() is None:
                time.sleep(1)
                if placeholder.exists() and len(list(folder.iterdir())) > 1:
                    placeholder.unlink()
                if len(list(folder.iterdir())) > MOST_WAITING:
                    raise Failed("the place takes the log more slowly than it is written")
                if placeholder.exists():
                    continue
                self.send(folder)
                if time.monotonic() - covered >= COVER_SECONDS and self.cover(folder):
                    covered = time.monotonic()
            raise Failed(last_words(folder.with_suffix(".said").read_text()) or "the leader has ended the connection")
        finally:
            if receiver is not None:
                receiver.kill()
                receiver.wait()
            shutil.rmtree(folder)
            folder.with_suffix(".said").unlink(missing_ok=True)


def packed(file, into):
    name = f"{file.name}.gz"
    with open(file, "rb") as plain, gzip.open(f"{into}/{name}", "wb", compresslevel=1) as out:
        shutil.copyfileobj(plain, out)
    return name


def stamp(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def keep():
    why = pathlib.Path(os.environ["LOG"] + ".why")
    # For the health check, which waits for a quarter of an hour.
    pathlib.Path(os.environ["LOG"]).write_text(str(int(time.time())))
    why.write_text("nothing has come yet")
    while True:
        try:
            Log().follow()
        except Failed as error:
            print(f"log: {error}", file=sys.stderr, flush=True)
            why.write_text(f"{error}")
        time.sleep(3)


def info(at):
    """What a run says of its base backup; None: it has none."""
    if "base.json.sum" not in names(f"{os.environ['TO']}/{at}"):
        return None
    return json.loads(run("env", f"AT={at}", "backup", "get", "base.json"))


def runs():
    place = os.environ["TO"].rpartition("/")[0]
    return names(f"{place}/runs")


def covered(cluster):
    return int(read(f"{os.environ['TO']}/log/{cluster}/covered") or 0)


def wait():
    """Until the log is here up to the end of this run's base backup."""
    of = info(os.environ["STAMP"])
    log = f"{os.environ['TO']}/log/{of['cluster']}"
    end = time.monotonic() + 300
    while covered(of["cluster"]) < of["ended"]:
        if time.monotonic() > end:
            raise Failed(f"the log is here up to {stamp(covered(of['cluster']))} only, and the base backup ended later")
        time.sleep(3)
    there = names(log)
    if not any(SEGMENT.fullmatch(name[:24]) and name[8:24] <= of["first"][8:24] for name in there):
        raise Failed("the log begins later than the base backup")
    if "gap" in there:
        rclone("deletefile", f"{log}/gap")


def base(wanted):
    """Prints the run whose base backup is the last before that time, where its log leads, or says what there is."""
    have = [(each, of) for each in runs() if (of := info(each)) is not None]
    if not have:
        raise Failed("no run there has a base backup: it is made where PostgreSQL has three copies")
    end = max(covered(of["cluster"]) for _, of in have)
    seconds = end if wanted == "latest" else int(datetime.datetime.fromisoformat(wanted).timestamp())
    before = [(each, of) for each, of in have if of["ended"] <= seconds <= covered(of["cluster"])]
    if not before:
        oldest = stamp(have[0][1]["ended"])
        raise Failed(f"{wanted} is not among the times that can be restored: from {oldest} to {stamp(end)}")
    each, of = before[-1]
    # By its number: where one in between was lost with its server, "latest" would end before it.
    histories = [name for name in names(f"{os.environ['TO']}/log/{of['cluster']}") if name.endswith(".history")]
    timeline = max((int(name[:8], 16) for name in histories), default=1)
    print(each, of["cluster"], timeline, stamp(seconds))


def serve(at, cluster):
    """Hands out `base` and segments below a secret path, until it is ended. Says the path and the port first."""
    word = secrets.token_urlsafe(24)
    log = f"{os.environ['TO']}/log/{cluster}"
    there = set(names(log))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            _, given, name = [*self.path.split("/"), "", ""][:3]
            if not secrets.compare_digest(given, word):
                return self.send_error(404)
            if name == "base":
                return self.hand(["env", f"AT={at}", "backup", "get", "base.tar.gz"])
            for file in [name, f"{name}.gz", f"{name}.partial.gz"]:
                if file in there:
                    plain = ["sh", "-c", 'set -o pipefail; rclone cat "$1" | gunzip', "sh", f"{log}/{file}"]
                    return self.hand(["bash", *plain[1:]] if file.endswith(".gz") else ["rclone", "cat", f"{log}/{file}"])
            return self.send_error(404)

        def hand(self, command):
            """In chunks, and without the last one where the place has failed."""
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            child = subprocess.Popen(command, stdout=subprocess.PIPE)
            while piece := child.stdout.read(1 << 20):
                self.wfile.write(b"%X\r\n%b\r\n" % (len(piece), piece))
            if child.wait() == 0:
                self.wfile.write(b"0\r\n\r\n")
            else:
                self.close_connection = True

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("", 0), Handler)
    print(word, server.server_address[1], flush=True)
    server.serve_forever()


def prune():
    """Without a run that begins with it, log is of no use."""
    log = f"{os.environ['TO']}/log"
    first = {}
    for each in runs():
        of = info(each)
        if of is not None:
            first.setdefault(of["cluster"], of["first"])
    for cluster in [name.rstrip("/") for name in names(log)] if first else []:
        if cluster not in first:
            rclone("purge", f"{log}/{cluster}")
            continue
        # A segment's place is in the last 16 letters, whatever its timeline.
        old = [
            name for name in names(f"{log}/{cluster}") if SEGMENT.fullmatch(name[:24]) and name[8:24] < first[cluster][8:24]
        ]
        if old:
            rclone("delete", f"{log}/{cluster}", "--files-from", "-", text="\n".join(old), seconds=3600)


if __name__ == "__main__":
    try:
        {"keep": keep, "wait": wait, "base": base, "serve": serve, "prune": prune}[sys.argv[1]](*sys.argv[2:])
    except Failed as error:
        sys.exit(str(error))
