#!/usr/bin/python3
"""Runs the one container of a slot's machine, with its disk, as the spec in Secrets Manager says.

slot apply <version>  makes that version of the spec run, and waits until it is healthy
slot boot             the same with the current version; if that fails, the group replaces this machine
slot watch            the group replaces this machine if its container has been ill for ten minutes; how full is its disk?

It may be killed at any time: the next run goes on from what it finds.
"""
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from agent import ROOT, Failure, aws, block, hold, instance, machine, report, run, secrets, speaks

RUN = Path(f"{ROOT}/run/slot")  # in memory
FILES = RUN / "files"
ILL = RUN / "ill"
DISK = Path(f"{ROOT}/var/lib/slot/disk")
DATA = DISK / "data"  # missing unless the disk is mounted: docker then refuses to start the container
NAME = "slot"
MADE = "slot-made"  # a tag: the volume has been a container's
SOCKET = "/var/run/docker.sock"

def main(action="", version=None):
    RUN.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["DOCKER_CONFIG"] = str(RUN / "docker")  # a registry's token stays in memory
    if action == "apply" and version:
        hold(RUN)
        apply("--version-id", version)
    elif action == "boot":
        hold(RUN)
        boot()
    elif action == "watch":
        if hold(RUN, fcntl.LOCK_NB):
            watch()
        folder = DATA if machine("volume") else Path(f"{ROOT}/")
        if folder.is_dir():
            report(folder)
    else:
        raise Failure("usage: slot apply <version> | boot | watch")

def boot():
    try:
        apply("--version-stage", "AWSCURRENT")
    except Exception:
        unhealthy()
        raise

def watch():
    try:
        found = container()
    except Failure:  # an engine that does not answer runs nothing
        found = {}
    if is_healthy(found):
        ILL.unlink(missing_ok=True)
    elif not ILL.exists():
        ILL.write_text(str(time.monotonic()))
    else:
        # A container that the engine has restarted may take its time. One that starts again and again may not.
        check = found.get("Config", {}).get("Healthcheck", {})
        start = 0 if health(found).get("Status") == "unhealthy" else check.get("StartPeriod", 0) / 1e9
        if time.monotonic() - float(ILL.read_text()) >= 600 + start:
            unhealthy()

def unhealthy():
    report = ["--health-status", "Unhealthy", "--no-should-respect-grace-period"]
    aws("autoscaling", "set-instance-health", "--instance-id", instance(), *report)

def apply(*version):
    ILL.unlink(missing_ok=True)
    answer = aws("secretsmanager", "get-secret-value", "--secret-id", machine("secret"), *version)
    spec = json.loads(answer["SecretString"])
    secrets.extend(spec["secrets"] + [file["content"] for file in spec["files"] if file.get("secret")])
    # A disk grows below a running container, so its size is no part of what the container is.
    disk = {key: value for key, value in spec.get("disk", {}).items() if key != "gib"}
    mark = hashlib.sha256(json.dumps({**spec, "disk": disk, "secrets": []}, sort_keys=True).encode()).hexdigest()[:16]
    is_new = mount(disk) if disk else False
    write(spec, FILES / mark)
    start_engine(spec)
    found = container()
    runs = found.get("State", {}).get("Status") in ("running", "restarting")
    if not runs or found["Config"]["Labels"].get(NAME) != mark:
        run("docker", "image", "prune", "--all", "--force")  # the one in use stays
        pull(spec["image"])
        if found:
            run("docker", "stop", NAME)
            run("docker", "rm", "--volumes", NAME)  # a volume with a name stays
        create(spec, mark)
        if is_new:
            sign(disk)
        run("docker", "start", NAME)
    for other in FILES.iterdir():
        if other.name != mark:
            shutil.rmtree(other)
    wait(spec["name"], spec["health"]["startSeconds"] + 30)

def mount(disk):
    """Mounts the disk. Returns whether it is new: no container has had it yet."""
    volume = machine("volume")
    device = attach(volume)
    is_made = any(tag["Key"] == MADE for tag in describe(volume).get("Tags", []))
    lost = Failure(f"{volume} has lost its data, as its tag {MADE} says: give the slot a new disk, or a snapshot's")
    content = run("blkid", "-p", "-o", "export", device, ok=(0, 2)).stdout.strip()
    if content == "":
        if is_made:
            raise lost
        run("mkfs.xfs", device)  # without -f: it refuses what blkid has overlooked
    elif "TYPE=xfs" not in content.split("\n"):
        raise Failure(f"{volume} is not empty and has no xfs file system: it is left as it is{block('blkid', content)}")
    if not any(line.split()[1] == str(DISK) for line in Path(f"{ROOT}/proc/mounts").read_text().splitlines()):
        DISK.mkdir(parents=True, exist_ok=True)
        run("mount", "-t", "xfs", "-o", "noatime,nodev,nosuid", device, str(DISK))
    run("xfs_growfs", str(DISK))
    if is_made and not DATA.is_dir():
        raise lost
    DATA.mkdir(exist_ok=True)
    marker = DATA / disk.get("marker", "")
    # A disk that no container has had yet comes from a snapshot, by the operator's word, and gets a marker of its own.
    if is_made and marker.is_file() and marker.read_text(errors="replace") != disk["id"]:
        raise Failure(f"there are data of another state on {volume}: name the stack otherwise, or remove them")
    return not is_made

def attach(volume):
    """The machine that this one replaces may hold the disk for some minutes yet."""
    device = f"{ROOT}/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"
    until = time.monotonic() + 900
    while not os.path.exists(device):
        if time.monotonic() >= until:
            holders = " ".join(each["InstanceId"] for each in describe(volume).get("Attachments", []))
            raise Failure(f"{volume} did not come in 15 min: end its holder ({holders or 'it has none'}), run up again")
        try:
            place = ["--instance-id", instance(), "--device", "/dev/sdf"]
            aws("ec2", "attach-volume", "--volume-id", volume, *place)
        except Failure as failure:
            if not re.search(r"\((IncorrectState|VolumeInUse)\)", str(failure)):
                raise
        time.sleep(5)
    return device

def describe(volume):
    return aws("ec2", "describe-volumes", "--volume-ids", volume)["Volumes"][0]

def sign(disk):
    """Before the first start, once. A disk that is emptied later has neither marker nor data: its slot refuses it."""
    if "marker" in disk:
        made = DISK / "marker"
        made.write_text(disk["id"])
        os.chown(made, DATA.stat().st_uid, DATA.stat().st_gid)
        made.replace(DATA / disk["marker"])
    aws("ec2", "create-tags", "--resources", machine("volume"), "--tags", f"Key={MADE},Value=yes")

def write(spec, folder):
    """Files and variables, as a whole or not at all: a running container has them open."""
    if folder.exists():
        return
    made = FILES / "new"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    for at, file in enumerate(spec["files"]):
        (made / str(at)).write_text(file["content"], encoding="utf-8")
        (made / str(at)).chmod(file["mode"])
    lines = [f"{key}={value}\n" for key, value in spec["env"].items() if "\n" not in value]
    (made / "env").write_text("".join(lines), encoding="utf-8")
    made.rename(folder)

def start_engine(spec):
    """The engine is not enabled: it would start the container before its disk and its files are there."""
    settings = {"vm/max_map_count": 262144} if spec.get("maxMapCount") else {}
    if any(port < 1024 for port in spec["ports"]):
        settings["net/ipv4/ip_unprivileged_port_start"] = 0  # as the engine does in networks of its own
    for key, value in settings.items():
        Path(f"{ROOT}/proc/sys/{key}").write_text(str(value))
    run("systemctl", "start", "slots.slice")  # the rule needs a group that exists
    rule = ["OUTPUT", "-d", "169.254.169.254", "-m", "cgroup", "--path", "slots.slice", "-j", "REJECT"]
    if run("iptables", "-w", "-C", *rule, ok=(0, 1)).returncode == 1:
        run("iptables", "-w", "-I", *rule)
    if "gpus" in spec:
        find_gpus(spec["gpus"])
    run("systemctl", "start", "docker")

def find_gpus(wanted):
    said = run("nvidia-smi", "--list-gpus", ok=range(256), stderr=subprocess.STDOUT).stdout
    found = sum(line.startswith("GPU ") for line in said.splitlines())
    if found < wanted:
        raise Failure(f"this machine has {found} of {wanted} GPUs: see aws.classes{block('nvidia-smi says', said)}")

def pull(image):
    ecr = re.match(r"(\d+\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?)/", image)
    if ecr:
        token = run("aws", "ecr", "get-login-password", "--region", ecr[2]).stdout
        run("docker", "login", "--username", "AWS", "--password-stdin", ecr[1], input=token)
    run("docker", "pull", "--quiet", image)

def create(spec, mark):
    """Docker fills a new disk from the image, with the owner of the image's folder."""
    memory, check, folder = f"{spec['memoryMib']}m", spec["health"], FILES / mark
    long = {key: value for key, value in spec["env"].items() if "\n" in value}  # no line of a file: named alone
    logs = {"region": machine("region"), "group": machine("logGroup"), "stream": "slot"}
    options = ["--name", NAME, "--hostname", spec["name"], "--label", f"{NAME}={mark}", "--network", "host", "--init"]
    options += ["--restart", "always", "--pull", "never", "--cgroup-parent", "slots.slice", "--cap-drop", "ALL"]
    options += ["--security-opt", "no-new-privileges", "--ulimit", "nofile=65536:65536"]
    options += ["--memory", memory, "--memory-swap", memory, "--cpus", str(spec["cpu"])]
    options += ["--shm-size", f"{spec['shmMib']}m"] if "shmMib" in spec else []
    options += ["--gpus", "all"] if "gpus" in spec else []
    options += ["--user", spec["user"]] if "user" in spec else []
    options += ["--log-driver", "awslogs", "--log-opt", "mode=non-blocking", "--log-opt", "max-buffer-size=25m"]
    options += [word for key, value in logs.items() for word in ("--log-opt", f"awslogs-{key}={value}")]
    options += ["--stop-timeout", str(check["stopSeconds"]), "--health-start-period", f"{check['startSeconds']}s"]
    options += ["--health-interval", "5s", "--health-timeout", "10s", "--health-retries", "3"]
    options += ["--health-cmd", f"exec {shlex.join(check['test'][1:])}", "--env-file", str(folder / "env")]
    options += [word for key in long for word in ("--env", key)]
    for at, file in enumerate(spec["files"]):
        options += ["--mount", f"type=bind,source={folder / str(at)},target={file['path']},readonly"]
    for each in spec.get("mounts", []):
        options += ["--volume", f"{each['source']}:{each['path']}{':ro' if each.get('readOnly') else ''}"]
    if "disk" in spec:
        local = f"volume-driver=local,volume-opt=type=none,volume-opt=o=bind,volume-opt=device={DATA}"
        options += ["--mount", f"type=volume,source={NAME},target={spec['disk']['path']},{local}"]
    if spec.get("socket"):
        options += ["--mount", f"type=bind,source={SOCKET},target={SOCKET}"]
    program, *rest = spec.get("entrypoint", [""])
    options += ["--entrypoint", program] if program else []
    run("docker", "create", *options, spec["image"], *rest, *spec.get("command", []), env={**os.environ, **long})

def wait(name, seconds):
    until = time.monotonic() + seconds
    while not is_healthy(container()):
        if time.monotonic() >= until:
            log = run("docker", "logs", "--tail", "220", NAME, ok=range(256), stderr=subprocess.STDOUT).stdout
            checks = health(container()).get("Log") or [{"Output": ""}]
            evidence = block("last log lines", log) + block("its last health check", checks[-1]["Output"], 4)
            raise Failure(f"{name} did not become healthy in {seconds} s{evidence}")
        time.sleep(2)

def container():
    found = run("docker", "container", "inspect", NAME, ok=(0, 1), seconds=60)
    if found.returncode == 1 and "No such container" not in found.stderr:
        raise Failure(f"docker does not answer{block('it says', found.stderr)}")
    return (json.loads(found.stdout or "[]") or [{}])[0]

def health(found):
    return found.get("State", {}).get("Health") or {}

def is_healthy(found):
    return found.get("State", {}).get("Status") == "running" and health(found).get("Status") == "healthy"

if __name__ == "__main__":
    speaks(main, *sys.argv[1:])
