"""Where moto behaves otherwise than AWS documents, on the paths that kapstan uses."""

import copy
import sys
from urllib.parse import parse_qs

from moto.autoscaling.models import InstanceState
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.launch_templates import LaunchTemplateBackend, LaunchTemplateVersion
from moto.ec2.responses.dhcp_options import DHCPOptions
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.elb.models import LoadBalancer
from moto.iam.models import iam_backends

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
INLINE_POLICIES = 10_240
ROLE_NAME = 64


def refuse(call, body, account):
    """The error with which AWS would refuse a call that moto takes, or None."""
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
    tag_dhcp_options()
    remember_template_versions()
    delete_template_versions()
    page_templates()
    update_groups_whole()


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
    (AWS General Reference, "Elastic Load Balancing endpoints")."""
    LoadBalancer.canonical_hosted_zone_name_id = "Z1H1FL5HABSF5"


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
