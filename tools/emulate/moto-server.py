"""moto's server on 127.0.0.1, with the calls that it lacks. Prints its port, and ends when its standard input does."""

import io
import re
import sys
from inspect import signature
from types import SimpleNamespace
from urllib.parse import urlencode
from xml.sax.saxutils import unescape

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import RpcV2CBORParser, create_parser
from botocore.serialize import RpcV2CBORSerializer, create_serializer
from moto.autoscaling.models import LifecycleHook
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ecs.models import Container, EC2ContainerServiceBackend, Task
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elbv2.models import ELBv2Backend
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses.dhcp_options import DHCPOptions
from moto.ec2.responses.monitoring import Monitoring
from moto.elasticache.models import CacheCluster, ElastiCacheBackend
from moto.elasticache.responses import ElastiCacheResponse
from moto.iam.responses import IamResponse
from moto.moto_server import threaded_moto_server
from moto.rds.responses import RDSResponse
from moto.s3.responses import S3Response
from moto.ssm.responses import SimpleSystemManagerResponse

# Every machine of EC2 runs moto's agent: a command that is sent to it succeeds at once.


def describe_instance_information(self):
    filters = self._get_param("Filters", [])
    asked = [each for one in filters if one["Key"] == "InstanceIds" for each in one["Values"]]
    backend = ec2_backends[self.current_account][self.region]
    running = [each.id for each in backend.all_instances() if each.state == "running"]
    found = [each for each in running if not filters or each in asked]
    return ActionResult(
        {"InstanceInformationList": [{"InstanceId": each, "PingStatus": "Online"} for each in found]}
    )


SimpleSystemManagerResponse.describe_instance_information = describe_instance_information

# What moto forgets of what it is given, and so does not tell.


def remembering(call, found, **names):
    """`found`: what `call` has made or changed, from its answer. `names`: of the parameter, by that of the attribute."""

    def wrapped(self):
        answer = call(self)
        for attribute, name in names.items():
            value = self._get_param(name)
            if value is not None:
                setattr(found(self, answer), attribute, value)
        return answer

    return wrapped


def the_group(self, _):
    return self.autoscaling_backend.autoscaling_groups[self._get_param("AutoScalingGroupName")]


def remember(responses, calls, found, **names):
    for name in calls:
        setattr(responses, name, remembering(getattr(responses, name), found, **names))


remember(
    AutoScalingResponse,
    ("create_auto_scaling_group", "update_auto_scaling_group"),
    the_group,
    instance_maintenance_policy="InstanceMaintenancePolicy",
)
remember(
    EC2ContainerServiceResponse,
    ("create_service", "update_service"),
    lambda _, answer: answer.result["service"],
    availability_zone_rebalancing="availabilityZoneRebalancing",
    health_check_grace_period_seconds="healthCheckGracePeriodSeconds",
)
remember(
    RDSResponse,
    ("create_db_instance", "modify_db_instance"),
    lambda _, answer: answer.result["DBInstance"],
    performance_insights_enabled="EnablePerformanceInsights",
)

# The tags of a launch template are its own: moto adds them to those of what it launches.

create_launch_template = EC2Backend.create_launch_template


def without_own_tags(self, name, description, template_data, tag_spec):
    others = [each for each in template_data.get("TagSpecifications", []) if each["ResourceType"] != "launch-template"]
    return create_launch_template(self, name, description, {**template_data, "TagSpecifications": others}, tag_spec)


EC2Backend.create_launch_template = without_own_tags

# Tags that are given with what is made: of DHCP options, and of a bucket.

create_dhcp_options = DHCPOptions.create_dhcp_options


def create_tagged_options(self):
    answer = create_dhcp_options(self)
    made = answer.result["DhcpOptions"]
    made.add_tags(self._parse_tag_specification().get("dhcp-options", {}))
    return answer


DHCPOptions.create_dhcp_options = create_tagged_options

put_bucket = S3Response._bucket_response_put


def put_tagged_bucket(self, request, bucket_name, querystring):
    answer = put_bucket(self, request, bucket_name, querystring)
    body = self.body if isinstance(self.body, str) else self.body.decode()
    if not querystring and "<CreateBucketConfiguration" in body:
        tags = re.findall(r"<Tag><Key>([^<]*)</Key><Value>([^<]*)</Value></Tag>", body)
        self.backend.put_bucket_tagging(bucket_name, {unescape(key): unescape(value) for key, value in tags})
    return answer


S3Response._bucket_response_put = put_tagged_bucket

# On Fargate the task has a size, and its containers need none.

EC2ContainerServiceBackend._calculate_task_resource_requirements = staticmethod(
    lambda task_definition: {"CPU": 0, "MEMORY": 0, "PORTS": [], "PORTS_UDP": []}
)

# A task has each container of its definition; moto's has the first one alone.

begin = Task.__init__


def begin_whole(self, **given):
    begin(self, **given)
    definition = given["task_definition"]
    each = (SimpleNamespace(arn=definition.arn, container_definitions=[one]) for one in definition.container_definitions)
    self.containers = [Container(one) for one in each]


Task.__init__ = begin_whole

# Targets may drain for 3600 seconds; moto takes 3599 at most.

DRAIN = "deregistration_delay.timeout_seconds"
modify_target_group_attributes = ELBv2Backend.modify_target_group_attributes


def modify(self, target_group_arn, attributes):
    others = {key: value for key, value in attributes.items() if (key, value) != (DRAIN, "3600")}
    modify_target_group_attributes(self, target_group_arn, others)
    self.target_groups[target_group_arn].attributes.update(attributes)


ELBv2Backend.modify_target_group_attributes = modify

# ElastiCache's parameter groups, and the end of its subnet groups.

groups = {}


class NoSuchGroup(ServiceException):
    code = "CacheParameterGroupNotFound"


def key_of(self):
    name = self._get_param("CacheParameterGroupName")
    return (self.current_account, self.region, name)


def group_of(self):
    if key_of(self) not in groups:
        raise NoSuchGroup(f"CacheParameterGroup {key_of(self)[2]} not found.")
    return groups[key_of(self)]


def shown(group):
    return {each: group[each] for each in ("CacheParameterGroupName", "CacheParameterGroupFamily", "Description", "ARN")}


def create_cache_parameter_group(self):
    account, region, name = key_of(self)
    groups[account, region, name] = {
        "CacheParameterGroupName": name,
        "CacheParameterGroupFamily": self._get_param("CacheParameterGroupFamily"),
        "Description": self._get_param("Description"),
        "ARN": f"arn:aws:elasticache:{region}:{account}:parametergroup:{name}",
        "values": {},
    }
    # The backend keeps tags by ARN, as of what it knows itself.
    self.elasticache_backend.tagging_service.tag_resource(groups[account, region, name]["ARN"], self._get_param("Tags", []))
    return ActionResult({"CacheParameterGroup": shown(group_of(self))})


def describe_cache_parameter_groups(self):
    if key_of(self)[2] is not None:
        return ActionResult({"CacheParameterGroups": [shown(group_of(self))]})
    return ActionResult({"CacheParameterGroups": [shown(each) for each in groups.values()]})


def modify_cache_parameter_group(self):
    values = self._get_param("ParameterNameValues", [])
    group_of(self)["values"].update({each["ParameterName"]: each["ParameterValue"] for each in values})
    return ActionResult({"CacheParameterGroupName": key_of(self)[2]})


def describe_cache_parameters(self):
    values = group_of(self)["values"].items()
    found = [{"ParameterName": name, "ParameterValue": value, "Source": "user"} for name, value in values]
    return ActionResult({"Parameters": found})


def delete_cache_parameter_group(self):
    group_of(self)
    del groups[key_of(self)]
    return EmptyResult()


def delete_cache_subnet_group(self):
    del self.elasticache_backend.cache_subnet_groups[self._get_param("CacheSubnetGroupName")]
    return EmptyResult()


# A replication group's members, which the provider reads the group's parameters from.

make_group = ElastiCacheBackend.create_replication_group
end_group = ElastiCacheBackend.delete_replication_group


def make_with_members(self, **given):
    group = make_group(self, **given)
    unset = dict.fromkeys(list(signature(CacheCluster).parameters)[2:])
    known = {key: value for key, value in given.items() if key in unset}
    for member in group.member_clusters:
        its = {**unset, **known, "cache_cluster_id": member}
        made = CacheCluster(self.account_id, self.region_name, **its)
        made.replication_group_id = given["replication_group_id"]
        made.transit_encryption_mode = given["transit_encryption_mode"]
        made.cache_parameter_group = {"CacheParameterGroupName": given["cache_parameter_group_name"]}
        made.security_groups = [{"SecurityGroupId": each} for each in given["security_group_ids"] or []]
        self.cache_clusters[member] = made
    return group


def end_with_members(self, replication_group_id, retain_primary_cluster):
    for member in self.replication_groups[replication_group_id].member_clusters:
        self.cache_clusters.pop(member, None)
    group = end_group(self, replication_group_id, retain_primary_cluster)
    del self.replication_groups[replication_group_id]  # moto's would be about to go for ever
    return group


ElastiCacheBackend.create_replication_group = make_with_members
ElastiCacheBackend.delete_replication_group = end_with_members

for call in (
    delete_cache_subnet_group,
    create_cache_parameter_group,
    describe_cache_parameter_groups,
    modify_cache_parameter_group,
    describe_cache_parameters,
    delete_cache_parameter_group,
):
    setattr(ElastiCacheResponse, call.__name__, call)

ElastiCacheBackend.list_tags_for_resource = lambda self, arn: self.tagging_service.list_tags_for_resource(arn)

# A rule for a protocol without ports, as ESP, has -1 for them.

rule = SecurityGroupRule.__init__


def rule_without_ports(self, ec2_backend, ip_protocol, group_id, from_port, to_port, *others, **more):
    ports = [("-1" if port is None and ip_protocol != "-1" else port) for port in (from_port, to_port)]
    rule(self, ec2_backend, ip_protocol, group_id, *ports, *others, **more)


SecurityGroupRule.__init__ = rule_without_ports

# Closer measures of a machine.


def monitor_instances(self):
    machines = [self.ec2_backend.get_instance(each) for each in self._get_param("InstanceIds", [])]
    for machine in machines:
        machine.monitoring_state = "enabled"
    told = [{"InstanceId": each.id, "Monitoring": {"State": "enabled"}} for each in machines]
    return ActionResult({"InstanceMonitorings": told})


Monitoring.monitor_instances = monitor_instances

# A group's hook tells nobody, unless it is asked to.

hook = LifecycleHook.__init__


def hook_of_nobody(self, *given, **named):
    hook(self, *given, **named)
    self.role_arn = self.notification_target_arn = None


LifecycleHook.__init__ = hook_of_nobody

# A user has no credentials for single services.

IamResponse.list_service_specific_credentials = lambda self: ActionResult({"ServiceSpecificCredentials": []})

# The newer clients of CloudWatch speak CBOR; moto speaks the older form alone, which has the same calls.


class OlderForm:
    model = ServiceModel(Loader().load_service_model("cloudwatch", "service-2"), "cloudwatch")
    path = re.compile(r"/service/GraniteServiceVersion20100801/operation/(\w+)$")

    def __init__(self, moto):
        self.moto = moto

    def __call__(self, environ, start_response):
        called = self.path.match(environ["PATH_INFO"])
        if called is None:
            return self.moto(environ, start_response)
        operation = self.model.operation_model(called[1])
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, found = self.asked(environ, operation, read_cbor(body))
        answer = bytearray()
        if status < 300 and operation.output_shape is not None:
            RpcV2CBORSerializer()._serialize_data_item(answer, found, operation.output_shape)
        else:
            answer += write_texts(found)
        headers = [("smithy-protocol", "rpc-v2-cbor"), ("content-type", "application/cbor")]
        start_response(f"{status} {'OK' if status < 300 else 'Bad Request'}", headers)
        return [bytes(answer)]

    def asked(self, environ, operation, given):
        form = create_serializer("query", include_validation=False).serialize_to_request(given, operation)
        text = urlencode(form["body"]).encode()
        older = {
            **environ,
            "PATH_INFO": "/",
            "RAW_URI": "/",
            "REQUEST_URI": "/",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(text)),
            "wsgi.input": io.BytesIO(text),
        }
        seen = {}
        content = b"".join(self.moto(older, lambda status, headers, *_: seen.update(status=status, headers=headers)))
        status = int(seen["status"].split()[0])
        answer = {"status_code": status, "headers": dict(seen["headers"]), "body": content}
        found = create_parser("query").parse(answer, operation.output_shape)
        if status < 300:
            return status, {key: value for key, value in found.items() if key != "ResponseMetadata"}
        return status, {"__type": found["Error"]["Code"], "message": found["Error"]["Message"]}


def read_cbor(body):
    return RpcV2CBORParser().parse_data_item(io.BufferedReader(io.BytesIO(body))) if body else {}


def write_texts(values):
    """A map of texts. A call without an answer of its own has an empty one."""
    shown = bytearray([0xA0 | len(values)])
    for each in (text for pair in values.items() for text in pair):
        RpcV2CBORSerializer()._serialize_type_string(shown, each, None, None)
    return bytes(shown)


dispatcher = threaded_moto_server.DomainDispatcherApplication
threaded_moto_server.DomainDispatcherApplication = lambda create: OlderForm(dispatcher(create))

server = threaded_moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
