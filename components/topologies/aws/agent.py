"""What the agents of all machines share: programs, AWS, one run at a time, and words for people."""
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
import traceback
from pathlib import Path

ROOT = os.environ.get("MACHINE_ROOT", "")
REPORTED = Path(f"{ROOT}/run/reported")
secrets = []
lock = []

class Failure(Exception):
    pass

def speaks(work, *words):
    """A failure ends the program with its sentence."""
    try:
        work(*words)
    except Exception as fault:
        sys.exit(redact(str(fault) if isinstance(fault, Failure) else traceback.format_exc()))

def hold(folder, how=0):
    """One run at a time. Programs inherit the lock: one that outlives a killed run ends before the next run begins."""
    file = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | how)
    except BlockingIOError:
        return False
    lock.append(file)
    return True

def aws(*command, **more):
    return json.loads(run("aws", *command, "--region", machine("region"), "--output", "json", **more).stdout or "{}")

def report(folder):
    """How full a disk is, every five minutes: CloudWatch makes a metric of a line in this form (EMF)."""
    if REPORTED.exists() and time.monotonic() - float(REPORTED.read_text()) < 290:
        return
    disk, now, log = shutil.disk_usage(folder), int(time.time() * 1000), machine("logGroup")
    kind = {"Namespace": "platform-topologies", "Dimensions": [["LogGroup"]], "Metrics": [{"Name": "DiskUsed"}]}
    line = {"_aws": {"Timestamp": now, "CloudWatchMetrics": [kind]}, "LogGroup": log, "Machine": instance()}
    line["DiskUsed"] = round(100 * disk.used / (disk.used + disk.free))
    events = json.dumps([{"timestamp": now, "message": json.dumps(line)}])
    stream = ["--log-group-name", log, "--log-stream-name", instance()]
    for first in (True, False):
        try:
            aws("logs", "put-log-events", *stream, "--log-events", events)
            break
        except Failure as failure:
            if not first or "(ResourceNotFoundException)" not in str(failure):
                raise
            aws("logs", "create-log-stream", *stream)
    REPORTED.write_text(str(time.monotonic()))

def machine(key):
    """What the user data says of this machine; None: nothing."""
    return json.loads(Path(f"{ROOT}/etc/machine.json").read_text()).get(key)

def instance():
    return Path(f"{ROOT}/var/lib/cloud/data/instance-id").read_text().strip()

def run(*command, ok=(0,), seconds=1800, **more):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "errors": "replace", **more}
    what = " ".join(word for word in command[:3] if word[0] not in "-/")
    try:
        done = subprocess.run(command, pass_fds=lock, timeout=seconds, **options)
    except FileNotFoundError:
        raise Failure(f"{command[0]} is not on this machine: see its /var/log/cloud-init-output.log")
    except subprocess.TimeoutExpired:
        raise Failure(f"{what} did not end in {seconds} s")
    if done.returncode not in ok:
        raise Failure(f"{what} failed{block('it says', done.stderr or '')}")
    return done

def redact(text):
    """Replaces each secret, and each longer line of one, by [secret]."""
    whole = [value.strip() for value in secrets]
    lines = [line.strip() for value in whole for line in value.split("\n")]
    found = {value for value in whole if len(value) >= 4} | {line for line in lines if len(line) >= 12}
    for value in sorted(found, key=len, reverse=True):  # a password may be part of a longer one
        text = text.replace(value, "[secret]")
    return text

def block(title, text, count=20):
    """The last lines below a sentence. Run Command keeps 8000 characters of all."""
    lines = [line[:300] for line in redact(text).splitlines() if line.strip()][-count:]
    return f"\n{title}:" + ("".join(f"\n  | {line}" for line in lines) or " none")
