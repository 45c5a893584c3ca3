#!/usr/bin/python3
"""Makes this machine a node of its stack's swarm, and keeps the swarm's own list of nodes true.

node join                            joins, or begins the swarm if nobody has
node ready <seconds> [group=count]…  waits until this node is one, all managers are there, and so many of each group
node watch                           how full is the disk; on the leader: tokens, labels, machines that go, or are gone

It may be killed at any time: the next run goes on from what it finds.
"""
import fcntl
import http.client
import json
import socket
import sys
import time
from pathlib import Path
from urllib.parse import quote

from agent import ROOT, Failure, aws, block, hold, instance, machine, report, run, secrets, speaks

RUN = Path(f"{ROOT}/run/node")
WHY = RUN / "why"  # the last join's failure
PORT = 2377
POOL = {"DefaultAddrPool": ["172.28.0.0/14"], "SubnetSize": 24}  # of the swarm's networks, apart from the machines' own
HOOK = "drain"
AT_WORK = ("assigned", "accepted", "preparing", "ready", "starting", "running")

def main(action="", *words):
    RUN.mkdir(mode=0o700, parents=True, exist_ok=True)
    if action == "join" and not words:
        hold(RUN)
        noted(join)
    elif action == "watch" and not words:
        if hold(RUN, fcntl.LOCK_NB):
            watch()
        report(f"{ROOT}/")
    elif action == "ready" and words and words[0].isdigit():
        ready(int(words[0]), dict(word.split("=", 1) for word in words[1:]))
    else:
        raise Failure("usage: node join | ready <seconds> [group=count]… | watch")

def noted(work):
    try:
        work()
        WHY.unlink(missing_ok=True)
    except Failure as failure:
        WHY.write_text(str(failure))
        raise

def join():
    start_engine()
    here = state()
    is_manager = machine("managerToken") is not None
    if here["LocalNodeState"] == "locked":
        raise Failure("the swarm is locked: run `docker swarm unlock` here")
    # A node with an id has been a member: it comes back by itself, and to leave would cost a manager its data.
    if here["LocalNodeState"] != "inactive" and not here["NodeID"]:
        engine("POST", "/swarm/leave?force=true")
    elif here["LocalNodeState"] != "inactive":
        return
    token = read(machine("managerToken") if is_manager else machine("workerToken"))
    mine = address()
    others = [peer for peer in machine("managers") if peer != mine]
    there = [peer for peer in others if answers(peer)]
    to = {"ListenAddr": f"{mine}:{PORT}", "AdvertiseAddr": mine}
    if token and there:
        engine("POST", "/swarm/join", {**to, "RemoteAddrs": [f"{there[0]}:{PORT}"], "JoinToken": token})
    elif token and others:
        raise Failure(f"no manager answers at {', '.join(others)}: this machine tries again")
    elif token:
        raise Failure("the only manager has lost its disk, and with it the swarm: docs/machines.md says how to begin anew")
    elif there or not machine("first"):
        raise Failure("no manager has handed out a token yet: this machine tries again")
    else:
        engine("POST", "/swarm/init", {**to, **POOL})
        publish()

def start_engine():
    """The engine's labels say what this machine is. The leader makes labels of its node from them."""
    labels = [f"instance={instance()}", *(f"node.{key}={value}" for key, value in sorted(machine("labels").items()))]
    run("hostnamectl", "set-hostname", machine("host") or f"{machine('labels')['group']}-{instance()}")
    logs = {"awslogs-region": machine("region"), "awslogs-group": machine("logGroup"), "tag": "{{.Name}}/{{.ID}}"}
    logs.update({"mode": "non-blocking", "max-buffer-size": "4m"})
    wanted = json.dumps({"labels": labels, "log-driver": "awslogs", "log-opts": logs})
    file = Path(f"{ROOT}/etc/docker/daemon.json")
    changed = not file.exists() or file.read_text() != wanted
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(wanted)
    run("systemctl", "enable", "docker")
    run("systemctl", "restart" if changed else "start", "docker")

def watch():
    if not state().get("ControlAvailable"):
        return
    nodes = engine("GET", "/nodes")
    if not any(node["ID"] == state()["NodeID"] and node["ManagerStatus"].get("Leader") for node in nodes):
        return
    publish()
    filters = ["--filters", f"Name=tag:swarm,Values={machine('swarm')}"]
    alive = "Name=instance-state-name,Values=pending,running,shutting-down,stopping,stopped"
    found = aws("ec2", "describe-instances", *filters, alive).get("Reservations", [])
    there = {each["InstanceId"] for part in found for each in part["Instances"]}
    if instance() not in there:
        raise Failure("EC2 does not name this machine itself, so nobody is struck off")
    going = leaving(aws("autoscaling", "describe-auto-scaling-groups", *filters))
    for node in nodes:
        its = (node["Description"].get("Engine") or {}).get("Labels") or {}
        label(node, {key[5:]: value for key, value in its.items() if key.startswith("node.")})
        if its.get("instance") in going:
            drain(node, going.pop(its["instance"]))
        elif node["Status"]["State"] == "down" and its.get("instance") not in (None, *there):
            strike_off(node)
    for end in going.values():  # of machines that never became nodes
        complete(end)

def leaving(answer):
    return {
        each["InstanceId"]: (group["AutoScalingGroupName"], each["InstanceId"])
        for group in answer.get("AutoScalingGroups", [])
        for each in group["Instances"]
        if each["LifecycleState"] == "Terminating:Wait"
    }

def label(node, labels):
    now = node["Spec"].get("Labels") or {}
    if any(now.get(key) != value for key, value in labels.items()):
        update(node, lambda spec: {"Labels": {**(spec.get("Labels") or {}), **labels}})

def drain(node, end):
    """The machine may go once nothing runs on it any more."""
    if node["Status"]["State"] == "ready":
        if node["Spec"]["Availability"] != "drain":
            update(node, lambda _: {"Availability": "drain"})
            return
        tasks = engine("GET", f"/tasks?filters={quote(json.dumps({'node': [node['ID']]}))}")
        if any(task["Status"]["State"] in AT_WORK for task in tasks):
            return
    complete(end)

def complete(end):
    group, its = end
    hook = ["--lifecycle-hook-name", HOOK, "--auto-scaling-group-name", group, "--instance-id", its]
    aws("autoscaling", "complete-lifecycle-action", *hook, "--lifecycle-action-result", "CONTINUE")

def strike_off(node):
    """A manager first loses its vote. The leader has a majority, or it would lead nobody."""
    if node["Spec"]["Role"] == "manager":
        update(node, lambda _: {"Role": "worker"})
        time.sleep(2)
    engine("DELETE", f"/nodes/{node['ID']}?force=true")

def update(node, change):
    """Somebody else's change of a moment ago stays: the swarm takes one that knows its version alone."""
    now = engine("GET", f"/nodes/{node['ID']}")
    spec = {**now["Spec"], **change(now["Spec"])}
    engine("POST", f"/nodes/{node['ID']}/update?version={now['Version']['Index']}", spec)

def publish():
    tokens = engine("GET", "/swarm")["JoinTokens"]
    for secret, token in ((machine("managerToken"), tokens["Manager"]), (machine("workerToken"), tokens["Worker"])):
        secrets.append(token)
        if read(secret) != token:
            value = ["--secret-string", "file:///dev/stdin"]
            aws("secretsmanager", "put-secret-value", "--secret-id", secret, *value, input=token)

def read(secret):
    """None: nobody has written it yet, or an operator wants another swarm."""
    try:
        token = aws("secretsmanager", "get-secret-value", "--secret-id", secret)["SecretString"]
    except Failure as failure:
        if "(ResourceNotFoundException)" in str(failure):
            return None
        raise
    if not token.startswith("SWMTKN-"):
        return None
    secrets.append(token)
    return token

def ready(seconds, groups):
    until = time.monotonic() + seconds
    while True:
        why = missing(groups)
        if why is None:
            return
        if time.monotonic() >= until:
            raise Failure(f"{why}, after {seconds} s")
        time.sleep(2)

def missing(groups):
    """Why this node, or the swarm as it sees it, is not ready; None: it is."""
    try:
        here = state()
    except Failure as failure:
        here = {"LocalNodeState": str(failure)}
    if here["LocalNodeState"] != "active":
        why = block("its last attempt to join", WHY.read_text()) if WHY.exists() else ""
        return f"it is no node of the swarm yet ({here['LocalNodeState']}){why}"
    if not here.get("ControlAvailable"):
        return "it is a worker of the swarm: `docker node promote` it" if machine("managerToken") else None
    nodes = sorted(engine("GET", "/nodes"), key=name)
    managers = [each for each in nodes if "ManagerStatus" in each]
    lost = [name(each) for each in managers if each["ManagerStatus"]["Reachability"] != "reachable"]
    if lost:
        return f"of the managers {', '.join(lost)} cannot be reached"
    for group, count in groups.items():
        its = [each for each in nodes if (each["Description"]["Engine"].get("Labels") or {}).get("node.group") == group]
        up = [each for each in its if each["Status"]["State"] == "ready"]
        if len(up) < int(count):
            states = ", ".join(f"{name(each)} is {each['Status']['State']}" for each in its)
            return f"{len(up)} of {count} machines of {group} are ready ({states or 'none has joined'})"
    return None

def name(node):
    return node["Description"]["Hostname"]

def state():
    return engine("GET", "/info")["Swarm"]

def address():
    """The machine's own: that from which it would call a manager."""
    fixed = machine("address")
    if fixed:
        return fixed
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect((machine("managers")[0], PORT))  # sends nothing
        return way.getsockname()[0]

def answers(peer):
    try:
        socket.create_connection((peer, PORT), timeout=5).close()
        return True
    except OSError:
        return False

class Engine(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(f"{ROOT}/var/run/docker.sock")

def engine(method, path, body=None):
    """Docker's API: no program's arguments show a token."""
    asked = Engine("docker", timeout=60)
    try:
        headers = {} if body is None else {"Content-Type": "application/json"}
        asked.request(method, path, None if body is None else json.dumps(body), headers)
        answer = asked.getresponse()
        text = answer.read().decode()
    except (OSError, http.client.HTTPException) as fault:
        raise Failure(f"docker does not answer: {fault}")
    finally:
        asked.close()
    if answer.status >= 400:
        raise Failure(f"docker refuses: {message_of(text)}")
    return json.loads(text) if text.strip() else None

def message_of(text):
    try:
        return json.loads(text)["message"]
    except (ValueError, KeyError):
        return text.strip()

if __name__ == "__main__":
    speaks(main, *sys.argv[1:])
