"""ministack on 127.0.0.1, with what its ECS leaves out of a task. Ends when its standard input does."""

import os
import re
import signal
import sys
import threading
import time

from ministack.app import main
from ministack.services import ecs, elasticache, rds, servicediscovery

# The Docker network that stands for the private network, as DOCKER_NETWORK for the stores; unset: Docker's own.
vpc = os.environ.get("DOCKER_NETWORK", "")
postgres, valkey = os.environ.get("MINISTACK_POSTGRES", ""), os.environ.get("MINISTACK_VALKEY", "")
second = 1_000_000_000


def local(image):
    """The registry of an account has what this machine's engine has, under the same names."""
    return re.sub(r"^\d{12}\.dkr\.ecr\.[^/]+/", "", image)


def beside(task_id, container):
    """The name of another container of the same task."""
    return f"ministack-ecs-{task_id[:8]}-{container}"


create_service = servicediscovery._create_service


def create_named_service(data):
    """The namespace of a service stands in either of two places."""
    return create_service({"NamespaceId": data.get("DnsConfig", {}).get("NamespaceId"), **data})


servicediscovery._create_service = create_named_service

def both(name, service):
    """A name of Cloud Map, bare, as the network's search domain completes it, and whole."""
    return [name, f"{name}.{servicediscovery._namespaces[service['NamespaceId']]['Name']}"]


def registered(task_arn):
    """The names of a service's task."""
    task = ecs._tasks.get(task_arn) or {}
    cluster = task.get("clusterArn", "").rsplit("/", 1)[-1]
    service = ecs._services.get(f"{cluster}/{task.get('group', '').removeprefix('service:')}") or {}
    names = []
    for registry in service.get("serviceRegistries", []):
        found = servicediscovery._services[registry["registryArn"].rsplit("/", 1)[-1]]
        names += both(found["Name"], found)
        names += [each for also, of in cnames() if of == names[-1] for each in also]
    return names


def cnames():
    """The names that lead to another name, or, of a store, to an address."""
    for key, instances in servicediscovery._instances.items():
        found = servicediscovery._services[key]
        for each in instances.values():
            attributes = each.get("Attributes", {})
            yield both(found["Name"], found), attributes.get("AWS_INSTANCE_CNAME") or attributes.get("AWS_INSTANCE_IPV4")


def hosts():
    """The addresses that a task finds by the names of stores."""
    return {name: of for names, of in cnames() for name in names if of and re.fullmatch(r"[\d.]+", of)}


def until_done(client, task_id, dependency):
    name, condition = beside(task_id, dependency["containerName"]), dependency["condition"]
    if condition not in ("SUCCESS", "COMPLETE"):
        raise RuntimeError(f"{condition} of {name} is not emulated")
    code = client.containers.get(name).wait()["StatusCode"]
    if condition == "SUCCESS" and code != 0:
        raise RuntimeError(f"{name} ended with {code}")


build_run_kwargs = ecs._build_run_kwargs


def whole_run_kwargs(cdef, td, env, ports, network, host_mode, task_id, task_arn, *rest):
    kwargs = build_run_kwargs(cdef, td, env, ports, vpc or network, host_mode, task_id, task_arn, *rest)
    client = ecs._get_docker()
    for dependency in cdef.get("dependsOn", []):
        until_done(client, task_id, dependency)
    linux = cdef.get("linuxParameters", {})
    health = cdef.get("healthCheck")
    mounts = {
        beside(task_id, each["sourceVolume"]): {
            "bind": each["containerPath"],
            "mode": "ro" if each.get("readOnly") else "rw",
        }
        for each in cdef.get("mountPoints", [])
    }
    for volume in mounts:
        client.volumes.create(volume, labels=kwargs["labels"])
    added = {
        "entrypoint": cdef.get("entryPoint"),
        "user": cdef.get("user"),
        "init": linux.get("initProcessEnabled"),
        "cap_drop": linux.get("capabilities", {}).get("drop"),
        "read_only": cdef.get("readonlyRootFilesystem"),
        "volumes": mounts,
        "sysctls": {each["namespace"]: each["value"] for each in cdef.get("systemControls", [])},
        "mem_limit": f"{td['memory']}m",
        "healthcheck": health
        and {
            "test": health["command"],
            **{key: health[name] * second for key, name in probe.items() if name in health},
            "retries": health.get("retries", 3),
        },
        "extra_hosts": {**kwargs.get("extra_hosts", {}), **hosts()},
        "networking_config": vpc and {vpc: client.api.create_endpoint_config(aliases=registered(task_arn))},
    }
    return {**kwargs, **{key: value for key, value in added.items() if value}}


probe = {"interval": "interval", "timeout": "timeout", "start_period": "startPeriod"}
ecs._build_run_kwargs = whole_run_kwargs


def run_local(client, cdef, kwargs, **_):
    return client.containers.run(local(cdef["image"]), **kwargs)


ecs._run_docker_container = run_local
# No registry is asked for digests, so no task waits for the first one's.
ecs._prepare_service_images = lambda *_: None
ecs._deployment_needs_first_task = lambda *_: False

make_deployment = ecs._make_deployment


def begun_deployment(definition, count, *rest, **more):
    """The first deployment of a service, too, is done only when its tasks run."""
    made = make_deployment(definition, count, *rest, **more)
    return {**made, "rolloutState": "IN_PROGRESS", "rolloutStateReason": ""} if count > 0 else made


ecs._make_deployment = begun_deployment

mark_task_running = ecs._mark_task_running


def mark_when_healthy(task_arn, task):
    """A task counts as running, and a deployment goes on, when its probe has been answered."""
    client = ecs._get_docker()
    for each in list(task.get("_docker_ids") or []):
        while ecs._task_is_active(task_arn, task):
            state = client.api.inspect_container(each)["State"]
            health = state.get("Health", {}).get("Status", "healthy")
            if health == "healthy" or not state["Running"]:
                break
            if health == "unhealthy":
                ecs._fail_task_start(task, client, "Task failed container health checks")
                return False
            time.sleep(0.5)
    return mark_task_running(task_arn, task)


ecs._mark_task_running = mark_when_healthy

cleanup_task_resources = ecs._cleanup_task_resources


def cleanup_with_volumes(task, client, *rest, **more):
    cleanup_task_resources(task, client, *rest, **more)
    engine = client or ecs._get_docker()
    label = f"com.amazonaws.ecs.task-arn={task.get('taskArn', '')}"
    for volume in engine.volumes.list(filters={"label": label}):
        volume.remove(force=True)


ecs._cleanup_task_resources = cleanup_with_volumes

# Its stores are official images with their entrypoints; here they are this machine's own, which have none.
start_postgres = r"""
install -d -o postgres -g postgres "$PGDATA"
exec setpriv --reuid=postgres --regid=postgres --clear-groups sh -euc '
if [ ! -e "$PGDATA/PG_VERSION" ]; then
  umask 077
  printf %s "$POSTGRES_PASSWORD" >/tmp/password
  initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
  rm /tmp/password
  [ "$POSTGRES_DB" = postgres ] || echo "CREATE DATABASE \"$POSTGRES_DB\"" | postgres --single -D "$PGDATA" postgres
  echo "hostssl all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  printf "%s\\n" "listen_addresses = '"'*'"'" "log_connections = on" >>"$PGDATA/postgresql.conf"
fi
exec "$@"' postgres "$@"
"""
run_rds_container = rds._run_rds_container


def run_postgres(client, engine, kwargs, **names):
    kwargs = {
        **kwargs,
        "image": postgres,
        "entrypoint": ["sh", "-euc", start_postgres, "postgres"],
        "environment": {**kwargs["environment"], "PGDATA": "/tmp/pgdata"},
    }
    return run_rds_container(client, engine, kwargs, **names)


if postgres:
    rds._run_rds_container = run_postgres
    rds._image_is_local = lambda *_: True
spawn_redis_container = elasticache._spawn_redis_container


def spawn_plain(*args, **kwargs):
    """A cache that takes plain text and TLS side by side is the plain one alone."""
    return spawn_redis_container(*args, **{**kwargs, "transit": False})


if valkey:
    elasticache._engine_image_and_port = lambda *_: (valkey, 6379)
    elasticache._spawn_redis_container = spawn_plain
    elasticache._node_server_args = lambda *_: ["redis-server", "--protected-mode", "no", "--save", ""]


def end():
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


threading.Thread(target=end, daemon=True).start()
main()
