"""Where moto behaves otherwise than AWS documents, on the paths that kapstan uses."""

import base64
import copy
import fnmatch
import hashlib
import re
import sys
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.core.types import Base64EncodedString
from moto.ec2 import utils as ec2_utils
from moto.ec2.exceptions import DependencyViolationError, InvalidParameterCombination
from moto.ec2.models import ec2_backends, elastic_network_interfaces, key_pairs, vpcs
from moto.ec2.models.amis import Ami
from moto.ec2.models.dhcp_options import DHCPOptionsSetBackend
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend, LaunchTemplateVersion
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.models.security_groups import SecurityGroupBackend, SecurityGroupRule
from moto.ec2.models.subnets import Subnet, SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses.dhcp_options import DHCPOptions
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ec2.responses.subnets import Subnets
from moto.elb.models import ELBBackend, LoadBalancer
from moto.elbv2.exceptions import DuplicateListenerError, DuplicateLoadBalancerName
from moto.elbv2 import models as elbv2_models
from moto.elbv2.models import ELBv2Backend
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
INLINE_POLICIES = 10_240
ROLE_NAME = 64


# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html, FilterLimitExceeded
FILTER_VALUES = 200
# https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeLaunchConfigurations.html
LAUNCH_CONFIGURATIONS = 50
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html
TAGGED_BALANCERS = 20

# Of Amazon Linux (https://docs.aws.amazon.com/linux/al2023/ug/ec2.html).
AMAZON = "137112412989"

# The calls that take a client token, as far as kapstan sends them
# (https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html).
WITH_TOKEN = {"CreateVolume", "CreateNatGateway", "CreateRouteTable", "CreateLaunchTemplate",
              "CreateEgressOnlyInternetGateway",
              "CreateLaunchTemplateVersion", "RunInstances"}


def token(call, body):
    """The client token of a call that takes one, or None."""
    if call["service"] != "ec2" or call["operation"] not in WITH_TOKEN:
        return None
    return parse_qs(body.decode()).get("ClientToken", [None])[0]


def without_token(body):
    """What a call asks for, beside its token."""
    asked = parse_qs(body.decode())
    asked.pop("ClientToken", None)
    return asked


def refuse(call, body, account):
    """The error with which AWS would refuse a call that moto takes, or None."""
    if call["service"] in ("ec2", "autoscaling", "elasticloadbalancing"):
        return too_many(call, parse_qs(body.decode("utf-8", "replace")))
    if call["service"] == "s3":
        return of_another(call)
    if call["service"] != "iam":
        return None
    asked = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    role = asked.get("RoleName", "")
    if call["operation"] == "CreateRole" and len(role) > ROLE_NAME:
        message = f"Value at 'roleName' failed to satisfy constraint: length at most {ROLE_NAME}"
        return {"error": "ValidationError", "message": message}
    if call["operation"] == "PutRolePolicy":
        return too_large(asked, account)
    return None


def of_another(call):
    """moto takes no notice of whose the caller takes a bucket to be
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html)."""
    bucket = call["path"].strip("/").split("/")[0]
    _, owner = s3_backends.bucket_accounts.get(bucket, (None, None))
    if call["bucketOwner"] and owner and call["bucketOwner"] != owner:
        return {"error": "AccessDenied", "message": "Access Denied"}
    return None


def too_many(call, asked):
    """moto takes lists of any length."""

    def count(form):
        return sum(len(values) for name, values in asked.items() if re.fullmatch(form, name))

    operation = call["operation"]
    if call["service"] == "ec2" and count(r"Filter\.\d+\.Value\.\d+") > FILTER_VALUES:
        message = f"The maximum number of filter values specified on a single call is {FILTER_VALUES}"
        return {"error": "FilterLimitExceeded", "message": message}
    if operation == "DescribeLaunchConfigurations":
        named, most = count(r"LaunchConfigurationNames\.member\.\d+"), LAUNCH_CONFIGURATIONS
    elif operation == "DescribeTags" and call["service"] == "elasticloadbalancing":
        named, most = count(r"(LoadBalancerNames|ResourceArns)\.member\.\d+"), TAGGED_BALANCERS
    else:
        return None
    if named > most:
        message = f"The list holds {named} names, and may hold {most}"
        return {"error": "ValidationError", "message": message}
    return None


def too_large(asked, account):
    """moto takes inline policies of any size."""
    backend = iam_backends[account]["aws"]
    role = next((r for r in backend.roles.values() if r.name == asked["RoleName"]), None)
    if role is None:
        return None
    policies = dict(role.policies, **{asked["PolicyName"]: asked["PolicyDocument"]})
    size = sum(len("".join(str(text).split())) for text in policies.values())
    if size > INLINE_POLICIES:
        message = f"Maximum policy size of {INLINE_POLICIES} bytes exceeded for role {role.name}"
        return {"error": "LimitExceeded", "status": 409, "message": message}
    return None


def correct():
    """Puts right what moto does otherwise; each part names what AWS documents."""
    keep_user_data()
    map_ephemeral_disks()
    name_zone_of_balancers()
    give_balancers_the_default_group()
    tag_dhcp_options()
    let_go_of_dhcp_options()
    set_what_subnets_do()
    tell_ranges_of_ipv6()
    remember_template_versions()
    delete_template_versions()
    page_templates()
    update_groups_whole()
    keep_lifetimes()
    create_groups_once()
    keep_hooks_in_groups()
    let_go_of_addresses()
    refuse_to_delete_what_is_held()
    create_balancers_once()
    create_listeners_once()
    take_names_with_two_hyphens()
    let_go_of_target_groups()
    take_any_filter_value()
    tag_templates_later()
    choose_instances_by_use()
    tell_digests_of_ed25519_keys()
    alias_amazon_alone()
    take_rules_without_ports()


def keep_user_data():
    """CreateLaunchTemplateVersion takes base64, and instances get that decoded; moto forgets
    for versions beyond the first that it is base64."""

    def user_data(version):
        text = version.data.get("UserData")
        return None if text is None else Base64EncodedString(str(text))

    LaunchTemplateVersion.user_data = property(user_data)


def map_ephemeral_disks():
    """A mapping with a VirtualName needs no Ebs (EC2 API, BlockDeviceMapping)."""
    resolve = InstanceBackend._get_template_from_args

    def without_disks(backend, args):
        version = copy.copy(resolve(backend, args))
        mappings = version.data.get("BlockDeviceMappings") or []
        volumes = [mapping for mapping in mappings if "Ebs" in mapping]
        if mappings:
            version.data = dict(version.data, BlockDeviceMappings=volumes)
        return version

    InstanceBackend._get_template_from_args = without_disks


def name_zone_of_balancers():
    """CanonicalHostedZoneNameID is a zone's id; this is that of us-west-2
    (AWS General Reference, "Elastic Load Balancing endpoints"). A load balancer's name in DNS
    tells its region; moto takes all for us-east-1."""
    LoadBalancer.canonical_hosted_zone_name_id = "Z1H1FL5HABSF5"
    create = ELBBackend.create_load_balancer

    def in_region(backend, *args, **settings):
        balancer = create(backend, *args, **settings)
        balancer.dns_name = balancer.dns_name.replace("us-east-1", backend.region_name)
        return balancer

    ELBBackend.create_load_balancer = in_region


def give_balancers_the_default_group():
    """Outside the default VPC, a classic load balancer that is created without security groups has
    its VPC's default one; moto creates one for it
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-vpc-security-groups.html)."""
    create = ELBBackend.create_load_balancer

    def with_group(backend, *args, subnets=None, security_groups=None, **settings):
        if subnets and not security_groups:
            ec2 = ec2_backends[backend.account_id][backend.region_name]
            vpc = ec2.get_vpc(ec2.get_subnet(subnets[0]).vpc_id)
            if not vpc.is_default:
                security_groups = [ec2.get_security_group_by_name_or_id("default", vpc_id=vpc.id).id]
        return create(backend, *args, subnets=subnets, security_groups=security_groups, **settings)

    ELBBackend.create_load_balancer = with_group


def let_go_of_target_groups():
    """A target group stands behind no load balancer that was deleted: its listeners go with it (ELB
    API v2, DeleteLoadBalancer); moto remembers it."""
    delete = ELBv2Backend.delete_load_balancer

    def and_forget(backend, arn):
        delete(backend, arn)
        for group in backend.target_groups.values():
            group.load_balancer_arns = [one for one in group.load_balancer_arns if one != arn]

    ELBv2Backend.delete_load_balancer = and_forget


def tag_dhcp_options():
    """CreateDhcpOptions takes TagSpecification."""
    create = DHCPOptions.create_dhcp_options

    def with_tags(response):
        answer = create(response)
        tags = response._parse_tag_specification().get("dhcp-options", {})
        if tags:
            answer.result["DhcpOptions"].add_tags(tags)
        return answer

    DHCPOptions.create_dhcp_options = with_tags


def set_what_subnets_do():
    """ModifySubnetAttribute takes DNS64, names of instances and their AAAA records, and
    DescribeSubnets tells them; a call takes one attribute (EC2 API, ModifySubnetAttribute)."""
    known = {
        "MapPublicIpOnLaunch": "map_public_ip_on_launch",
        "AssignIpv6AddressOnCreation": "assign_ipv6_address_on_creation",
        "EnableDns64": "enable_dns64",
    }
    of_names = {
        "EnableResourceNameDnsARecordOnLaunch": "EnableResourceNameDnsARecord",
        "EnableResourceNameDnsAAAARecordOnLaunch": "EnableResourceNameDnsAAAARecord",
    }

    def modify(response):
        subnet = response.ec2_backend.get_subnet(response._get_param("SubnetId"))
        names = subnet.private_dns_name_options_on_launch
        asked = {
            key: str(value).lower() == "true"
            for key in (*known, *of_names)
            if (value := response._get_param(f"{key}.Value")) is not None
        }
        kind = response._get_param("PrivateDnsHostnameTypeOnLaunch")
        if len(asked) + bool(kind) != 1:
            raise InvalidParameterCombination("a call modifies one attribute")
        for key, value in asked.items():
            if key in known:
                setattr(subnet, known[key], value)
            else:
                names[of_names[key]] = value
        if kind:
            names["HostnameType"] = kind
        return EmptyResult()

    Subnet.enable_dns64 = False
    Subnets.modify_subnet_attribute = modify


def tell_ranges_of_ipv6():
    """DescribeSubnets tells of a range of IPv6 in which state it is (EC2 API,
    SubnetIpv6CidrBlockAssociation)."""

    def associations(subnet):
        return [
            {
                "ipv6CidrBlock": one["ipv6CidrBlock"],
                "associationId": one["associationId"],
                "ipv6CidrBlockState": {"State": one["ipv6CidrBlockState"]["State"]},
            }
            for one in subnet.ipv6_cidr_block_associations.values()
        ]

    Subnet.ipv6_cidr_block_association_set = property(associations)
    count, name = Subnet.available_ip_address_count, elastic_network_interfaces.generate_dns_from_ip
    Subnet.available_ip_address_count = property(lambda subnet: count.fget(subnet) if subnet.cidr_block else 0)

    def name_of(ip, *args, **kwargs):
        if ":" in str(ip):
            return f"ip-{ip.replace(':', '-')}.ec2.internal"
        return name(ip, *args, **kwargs)

    elastic_network_interfaces.generate_dns_from_ip = name_of
    # Any will do; moto's are drawn by lot, and a spec may name ranges of one.
    vpcs.random_ipv6_cidr = lambda: "2001:db8:0:100::/56"


def let_go_of_dhcp_options():
    """Once AssociateDhcpOptions gave a VPC others, it holds those no more that it used before (EC2
    API, DeleteDhcpOptions)."""
    associate = DHCPOptionsSetBackend.associate_dhcp_options

    def in_place(backend, options, vpc):
        if vpc.dhcp_options and vpc.dhcp_options.vpc is vpc:
            vpc.dhcp_options.vpc = None
        associate(backend, options, vpc)

    DHCPOptionsSetBackend.associate_dhcp_options = in_place


def remember_template_versions():
    """DescribeAutoScalingGroups tells of each instance the version that it was launched from,
    not the one that its group has now."""
    launched = {}
    begin = InstanceState.__init__

    def remember(state, instance, *args, **kwargs):
        begin(state, instance, *args, **kwargs)
        group = state.auto_scaling_group
        template = getattr(group, "ec2_launch_template", None)
        if template is not None and instance.id not in launched:
            launched[instance.id] = template.get_version(group.launch_template_version).number

    def launch_template(state):
        template = getattr(state.auto_scaling_group, "ec2_launch_template", None)
        if template is None:
            return None
        return {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Version": str(launched.get(state.instance.id)),
        }

    InstanceState.__init__ = remember
    InstanceState.launch_template = property(launch_template)


def delete_template_versions():
    """DeleteLaunchTemplateVersions, which moto lacks: a version that is deleted is not
    described any more, and the numbers of others stay."""

    def delete(response):
        template = response.ec2_backend.get_launch_template(response._get_param("LaunchTemplateId"))
        numbers = [int(number) for number in response._get_param("Versions", [])]
        template.deleted = getattr(template, "deleted", set()) | set(numbers)
        return ActionResult({"SuccessfullyDeletedLaunchTemplateVersions": [
            {"LaunchTemplateId": template.id, "VersionNumber": number} for number in numbers]})

    describe = LaunchTemplateBackend.describe_launch_template_versions

    def without_deleted(backend, *args, **kwargs):
        rows = describe(backend, *args, **kwargs)
        return [row for row in rows if row[1].number not in getattr(row[0], "deleted", ())]

    LaunchTemplates.delete_launch_template_versions = delete
    LaunchTemplateBackend.describe_launch_template_versions = without_deleted


def page_templates():
    """DescribeLaunchTemplates and DescribeLaunchTemplateVersions answer with at most 200 rows, or
    MaxResults of them, and a token for the rest, where moto drops what is beyond."""

    def page(operation, rows):
        describe = getattr(LaunchTemplates, operation)

        def paged(response):
            number = response._get_int_param
            most, start = number("MaxResults", 200), number("NextToken", 0)
            response._get_int_param = lambda name, default=None: (
                sys.maxsize if name == "MaxResults" else number(name, default))
            answer = describe(response)
            found = answer.result[rows]
            answer.result[rows] = found[start:start + most]
            if start + most < len(found):
                answer.result["NextToken"] = str(start + most)
            return answer

        setattr(LaunchTemplates, operation, paged)

    page("describe_launch_templates", "LaunchTemplates")
    page("describe_launch_template_versions", "LaunchTemplateVersions")


def update_groups_whole():
    """UpdateAutoScalingGroup takes CapacityRebalance, and a group that is given a launch
    template has no launch configuration any more."""
    update = AutoScalingResponse.update_auto_scaling_group

    def wholly(response):
        answer = update(response)
        name = response._get_param("AutoScalingGroupName")
        group = response.autoscaling_backend.autoscaling_groups[name]
        wanted = response._get_bool_param("CapacityRebalance", None)
        if wanted is not None:
            group.capacity_rebalance = wanted
        if response._get_param("LaunchTemplate") or response._get_param("MixedInstancesPolicy"):
            group.launch_config = group.launch_configuration_name = None
        return answer

    AutoScalingResponse.update_auto_scaling_group = wholly


def keep_lifetimes():
    """CreateAutoScalingGroup and UpdateAutoScalingGroup take MaxInstanceLifetime, of which 0 is
    none; moto passes over it."""
    FakeAutoScalingGroup.max_instance_lifetime = None

    def keeping(operation):
        plain = getattr(AutoScalingResponse, operation)

        def keep(response):
            answer = plain(response)
            wanted = response._get_param("MaxInstanceLifetime")
            if wanted is not None:
                name = response._get_param("AutoScalingGroupName")
                group = response.autoscaling_backend.autoscaling_groups[name]
                group.max_instance_lifetime = int(wanted) or None
            return answer

        setattr(AutoScalingResponse, operation, keep)

    keeping("create_auto_scaling_group")
    keeping("update_auto_scaling_group")


def create_groups_once():
    """CreateAutoScalingGroup refuses a name that is taken; moto overwrites the group."""
    create = AutoScalingResponse.create_auto_scaling_group

    def once(response):
        name = response._get_param("AutoScalingGroupName")
        if name in response.autoscaling_backend.autoscaling_groups:
            message = "AutoScalingGroup by this name already exists - A group with the name " + name + " already exists"
            raise AutoscalingClientError("AlreadyExists", message)
        return create(response)

    AutoScalingResponse.create_auto_scaling_group = once


def keep_hooks_in_groups():
    """A lifecycle hook is part of a group, without which there is none
    (https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html)."""
    create, describe = AutoScalingBackend.create_lifecycle_hook, AutoScalingBackend.describe_lifecycle_hooks
    delete_group = AutoScalingBackend.delete_auto_scaling_group

    def there(backend, name):
        if name not in backend.autoscaling_groups:
            message = f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
            raise AutoscalingClientError("ValidationError", message)

    def in_group(backend, name, as_name, *args, **settings):
        there(backend, as_name)
        return create(backend, name, as_name, *args, **settings)

    def of_group(backend, as_name, *args, **settings):
        there(backend, as_name)
        return describe(backend, as_name, *args, **settings)

    def with_hooks(backend, group_name, *args, **settings):
        delete_group(backend, group_name, *args, **settings)
        for key, hook in list(backend.lifecycle_hooks.items()):
            if hook.auto_scaling_group_name == group_name:
                del backend.lifecycle_hooks[key]

    AutoScalingBackend.create_lifecycle_hook = in_group
    AutoScalingBackend.describe_lifecycle_hooks = of_group
    AutoScalingBackend.delete_auto_scaling_group = with_hooks


def let_go_of_addresses():
    """A NAT gateway that is deleted lets go of its address, and its interface goes
    (https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-working-with.html)."""
    delete = NatGatewayBackend.delete_nat_gateway

    def and_let_go(backend, ident):
        gateway = delete(backend, ident)
        for address in gateway.address_set:
            if address.get("associationId") and backend.address_by_allocation([address["allocationId"]]):
                backend.disassociate_address(association_id=address["associationId"])
        backend.enis.pop(gateway._eni.id, None)
        return gateway

    NatGatewayBackend.delete_nat_gateway = and_let_go


def refuse_to_delete_what_is_held():
    """What something else hangs on is not deleted: a security group that a rule of another or an
    interface names (EC2 User Guide, "Delete security groups"), a subnet with an interface in it
    (VPC User Guide, "Delete a subnet"), a VPC with security groups beside the default one (EC2 API,
    DeleteVpc), a launch configuration that a group has (Auto Scaling API Reference,
    DeleteLaunchConfiguration)."""
    delete_group = SecurityGroupBackend.delete_security_group
    delete_subnet = SubnetBackend.delete_subnet
    delete_vpc = VPCBackend.delete_vpc
    delete_configuration = AutoScalingBackend.delete_launch_configuration

    def hold(what, held):
        if held:
            raise DependencyViolationError(f"resource {what} has a dependent object")

    def names(group, ident):
        rules = [*group.ingress_rules, *group.egress_rules]
        return any(rule.source_group.get("GroupId") == ident for rule in rules)

    def standing(backend):
        # Those of instances go with them here; moto keeps some for longer.
        return [eni for eni in backend.enis.values() if eni.instance is None]

    def group_unless_held(backend, name=None, group_id=None):
        groups = [group for of_vpc in backend.groups.values() for group in of_vpc.values()]
        others = [group for group in groups if group.id != group_id]
        hold(group_id, any(names(group, group_id) for group in others))
        hold(group_id, any(group.id == group_id for eni in standing(backend) for group in eni.group_set))
        return delete_group(backend, name, group_id)

    def subnet_unless_held(backend, subnet_id):
        hold(subnet_id, any(eni.subnet.id == subnet_id for eni in standing(backend)))
        return delete_subnet(backend, subnet_id)

    def vpc_unless_held(backend, vpc_id):
        hold(vpc_id, any(group.name != "default" for group in backend.groups[vpc_id].values()))
        return delete_vpc(backend, vpc_id)

    def configuration_unless_held(backend, name):
        for group in backend.autoscaling_groups.values():
            if getattr(group, "launch_configuration_name", None) == name:
                message = f"Cannot delete launch configuration {name} because it is attached to AutoScalingGroup {group.name}"
                raise AutoscalingClientError("ResourceInUse", message)
        return delete_configuration(backend, name)

    SecurityGroupBackend.delete_security_group = group_unless_held
    SubnetBackend.delete_subnet = subnet_unless_held
    VPCBackend.delete_vpc = vpc_unless_held
    AutoScalingBackend.delete_launch_configuration = configuration_unless_held


def create_balancers_once():
    """A name is taken once in a region: asked for with the same settings again, the load balancer
    that is there is the answer
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html)."""
    create = ELBv2Backend.create_load_balancer

    def once(backend, name, **settings):
        for known in backend.load_balancers.values():
            if known.name == name:
                if (known.scheme, known.type) == (settings["scheme"], settings["loadbalancer_type"]):
                    return known
                raise DuplicateLoadBalancerName()
        return create(backend, name=name, **settings)

    ELBv2Backend.create_load_balancer = once


def take_names_with_two_hyphens():
    """A target group's name may have two hyphens in a row (Elastic Load Balancing API,
    CreateTargetGroup); moto refuses it."""

    class Expressions:
        def __getattr__(self, name):
            return getattr(re, name)

        def match(self, expression, text, *flags):
            return re.match(expression.removeprefix("(?!.*--)"), text, *flags)

    elbv2_models.re = Expressions()


def create_listeners_once():
    """A load balancer listens once on a port: asked for with the same settings again, the listener
    that is there is the answer
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html)."""
    create = ELBv2Backend.create_listener

    def once(backend, load_balancer_arn, **settings):
        balancer = backend.load_balancers.get(load_balancer_arn)
        for known in balancer.listeners.values() if balancer else ():
            if known.port == settings["port"]:
                there = (known.protocol, known.certificate, [action.data for action in known.default_actions])
                if there == (settings["protocol"], settings["certificate"], settings["actions"]):
                    return known
                raise DuplicateListenerError()
        return create(backend, load_balancer_arn, **settings)

    ELBv2Backend.create_listener = once


def take_any_filter_value():
    """A filter chooses what has any one of its values, with wildcards (EC2 API, Filter); moto
    wants all of them where a thing has several, such as keys of tags."""
    matches = ec2_utils.is_filter_matching

    def any_of(thing, name, wanted):
        found = thing.get_filter_value(name)
        if not isinstance(found, (list, set, tuple, type({}.keys()))) or not isinstance(wanted, list):
            return matches(thing, name, wanted)
        return any(fnmatch.fnmatchcase(str(one), pattern) for one in found for pattern in wanted)

    ec2_utils.is_filter_matching = any_of


def choose_instances_by_use():
    """DescribeInstances chooses by the profile that instances carry, and by any of their security
    groups (EC2 API, DescribeInstances); moto does not know the former and sees one group."""
    passes = ec2_utils.passes_filter_dict

    def used(instance, name):
        if name == "instance.group-id":
            return {group.id for group in instance.security_groups}
        found = instance.ec2_backend.iam_instance_profile_associations.get(instance.id)
        profile = found and found.iam_instance_profile
        return {profile.arn} if profile else set()

    def by_use(instance, filters):
        own = {"instance.group-id", "iam-instance-profile.arn"}
        chosen = all(used(instance, name) & set(filters[name]) for name in own & set(filters))
        return chosen and passes(instance, {name: values for name, values in filters.items() if name not in own})

    ec2_utils.passes_filter_dict = by_use


def tag_templates_later():
    """DescribeLaunchTemplates tells of tags that CreateTags and DeleteTags set and took since."""
    LaunchTemplate.tags = property(lambda template: template.get_tags(), lambda template, tags: None)


def tell_digests_of_ed25519_keys():
    """Of an ed25519 key the fingerprint is the SHA-256 that OpenSSH tells, in padded base64 and
    without a word before it; moto tells one of its DER form in hexadecimal digits
    (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-keys.html)."""
    of_der = ec2_utils.public_key_fingerprint

    def as_told(public_key, hash_constructor):
        if not isinstance(public_key, Ed25519PublicKey):
            return of_der(public_key, hash_constructor)
        line = public_key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        wire = base64.b64decode(line.split()[1])
        return base64.b64encode(hashlib.sha256(wire).digest()).decode()

    ec2_utils.public_key_fingerprint = key_pairs.public_key_fingerprint = as_told


def alias_amazon_alone():
    """ImageOwnerAlias is `amazon` for Amazon's own images (EC2 API, Image); moto tells it of all that
    it has loaded."""
    begin = Ami.__init__

    def with_alias(ami, *args, owner_alias=None, **settings):
        alias = owner_alias if settings.get("owner_id") == AMAZON else None
        begin(ami, *args, owner_alias=alias, **settings)

    Ami.__init__ = with_alias


def take_rules_without_ports():
    """TCP, UDP and ICMP alone have ports, or types (EC2 API, IpPermission); moto wants some of every
    protocol but -1."""
    ported = {"-1", "all", "tcp", "6", "udp", "17", "icmp", "1", "icmpv6", "58"}
    begin = SecurityGroupRule.__init__

    def as_told(rule, backend, protocol, group, first, last, *more, **settings):
        has_ports = str(protocol).lower() in ported
        begin(rule, backend, protocol, group, *((first, last) if has_ports else (0, 0)), *more, **settings)
        if not has_ports:
            rule.from_port = rule.to_port = None

    SecurityGroupRule.__init__ = as_told
