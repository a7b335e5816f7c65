"""Things in an account that are not a cluster's to touch, one of every kind.

usage: ownership.py ADDRESS KEY make SITUATION CLUSTER   make them; prints {what it is: its id}
       ownership.py ADDRESS KEY dump [REGION...]         print {id: all that AWS tells of it}; of
                                                         regions that are given, {REGION id: …}

A situation is how they are tagged and named:
  ours    the cluster's own tags, and names below the cluster's
  shared  tagged as shared with the cluster, with its older tag beside
  named   the cluster's own tags; a spec is to name them
  name    names that the cluster gives, and no tags
  old     the cluster's older tag, and the newer one of another cluster
"""

import json
import sys

from account import REGION, Account
from observation import tags_of

OTHER = "other.example.org"


def balancer_name(prefix, cluster):
    """The name that kops gives to a load balancer: cut, with a hash (FNV-1a, base 32)."""
    whole, number = f"{prefix}-{cluster.replace('.', '-')}", 0x811C9DC5
    for byte in whole.encode():
        number = (number ^ byte) * 0x01000193 & 0xFFFFFFFF
    alphabet = "0123456789abcdefghijklmnopqrstuv"
    code = "".join(alphabet[(number << 3) >> at * 5 & 31] for at in reversed(range(7)))[:6]
    return f"{whole[:25]}-{code}"


class Maker:
    """Makes one of every kind; `made` tells the id of each."""

    def __init__(self, aws, situation, cluster):
        self.aws, self.situation, self.cluster, self.made = aws, situation, cluster, {}
        own = f"kubernetes.io/cluster/{cluster}"
        self.tags = {
            "ours": {own: "owned", "KubernetesCluster": cluster},
            "shared": {own: "shared", "KubernetesCluster": cluster},
            "named": {own: "owned", "KubernetesCluster": cluster},
            "name": {},
            "old": {"KubernetesCluster": cluster, f"kubernetes.io/cluster/{OTHER}": "owned"},
        }[situation]

    def named(self, own):
        """A name that the cluster gives, or else one below its own."""
        return own if self.situation == "name" else f"{self.situation}.{self.cluster}"

    def sdk(self, own=None):
        tags = dict(self.tags, **({"Name": self.named(own)} if own else {}))
        return [{"Key": key, "Value": value} for key, value in tags.items()]

    def tag(self, what, id, own):
        self.aws.ec2.create_tags(Resources=[id], Tags=self.sdk(own))
        self.made[what] = id
        return id

    def everything(self):
        self.network()
        self.balancers()
        self.iam()
        self.storage_and_keys()
        self.instances()
        self.records()
        return self.made

    def network(self):
        ec2, cluster = self.aws.ec2, self.cluster
        self.vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        self.tag("VPC", self.vpc, cluster)
        values = [{"Key": "domain-name", "Values": ["example.org"]}, {"Key": "domain-name-servers", "Values": ["10.1.0.2"]}]
        options = ec2.create_dhcp_options(DhcpConfigurations=values)["DhcpOptions"]["DhcpOptionsId"]
        self.tag("DHCPOptions", options, cluster)
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        self.tag("InternetGateway", gateway, cluster)
        self.subnets = []
        for index, zone in enumerate("ab"):
            subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.1.{16 * index}.0/20", AvailabilityZone=REGION + zone)
            subnet = subnet["Subnet"]["SubnetId"]
            self.subnets.append(self.tag(f"Subnet {zone}", subnet, f"{zone}.{cluster}"))
        nat = ec2.allocate_address(Domain="vpc")["AllocationId"]
        self.tag("ElasticIP of the gateway", nat, f"us-west-2a.{cluster}")
        gateway = ec2.create_nat_gateway(SubnetId=self.subnets[0], AllocationId=nat)["NatGateway"]["NatGatewayId"]
        self.tag("NatGateway", gateway, f"us-west-2a.{cluster}")
        address = ec2.allocate_address(Domain="vpc")
        self.tag("ElasticIP", address["AllocationId"], f"us-west-2b.{cluster}")
        self.made["address"] = address["PublicIp"]
        table = ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.tag("RouteTable", table, cluster)
        group = ec2.create_security_group(GroupName=self.named(f"masters.{cluster}"), Description="theirs", VpcId=self.vpc)
        self.group = self.tag("SecurityGroup", group["GroupId"], f"masters.{cluster}")
        rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}
        ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[rule])

    def balancers(self):
        elb, elbv2, short = self.aws.elb, self.aws.elbv2, self.situation
        own = self.situation == "name"
        classic = balancer_name("api", self.cluster) if own else f"{short}-classic"
        listener = {"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 80, "InstanceProtocol": "TCP"}
        tags = self.sdk() + [{"Key": "team", "Value": "web"}]
        answer = elb.create_load_balancer(LoadBalancerName=classic, Subnets=self.subnets, Listeners=[listener], Tags=tags)
        self.made["LoadBalancer classic"] = classic
        self.made["its name in DNS"] = answer["DNSName"]
        name = balancer_name("tcp", self.cluster) if own else f"{short}-targets"
        group = elbv2.create_target_group(Name=name, Protocol="TCP", Port=9, VpcId=self.vpc, Tags=tags)
        self.made["TargetGroup"] = group["TargetGroups"][0]["TargetGroupArn"]
        name = balancer_name("api", self.cluster) if own else f"{short}-network"
        network = elbv2.create_load_balancer(Name=name, Type="network", Subnets=self.subnets, Tags=tags)
        self.made["NetworkLoadBalancer"] = network["LoadBalancers"][0]["LoadBalancerArn"]
        elbv2.create_listener(
            LoadBalancerArn=self.made["NetworkLoadBalancer"], Protocol="TCP", Port=9,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.made["TargetGroup"]}])

    def iam(self):
        iam = self.aws.iam
        # Who may take a role of a name that the cluster gives tells that it is somebody's.
        service = "lambda.amazonaws.com" if self.situation == "name" else "ec2.amazonaws.com"
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        allow = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
        document = lambda statement: json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        # No group of the cluster has this role.
        name = f"bastions.{self.cluster}"
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust), Tags=self.sdk())
        iam.put_role_policy(RoleName=name, PolicyName="theirs", PolicyDocument=document(allow))
        path = {"Path": "/team/"} if self.situation == "named" else {}
        profile = iam.create_instance_profile(InstanceProfileName=name, Tags=self.sdk(), **path)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        self.made["IAMRole"] = self.made["IAMInstanceProfile"] = name
        self.made["arn"] = profile["InstanceProfile"]["Arn"]
        if self.situation == "name":
            name = f"nodes.{self.cluster}"
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
            self.made["IAMRole of nodes"] = name

    def storage_and_keys(self):
        ec2 = self.aws.ec2
        volume = ec2.create_volume(AvailabilityZone=REGION + "c", Size=1)["VolumeId"]
        self.tag("EBSVolume", volume, f"a.etcd-main.{self.cluster}")
        name = f"kubernetes.{self.cluster}-{self.situation}"
        key = ec2.create_key_pair(KeyName=name, TagSpecifications=[
            {"ResourceType": "key-pair", "Tags": self.sdk("key")}])
        self.made["SSHKey"] = key["KeyName"]

    def instances(self):
        ec2, autoscaling = self.aws.ec2, self.aws.autoscaling
        name = self.named(f"nodes.{self.cluster}")
        template = ec2.create_launch_template(
            LaunchTemplateName=name, LaunchTemplateData={"ImageId": "ami-12345678", "InstanceType": "c5.large"})
        self.tag("LaunchTemplate", template["LaunchTemplate"]["LaunchTemplateId"], name)
        # One group on the template, and one on a launch configuration.
        run = {"LaunchTemplate": {"LaunchTemplateName": name, "Version": "1"}}
        self.scaling_group(name, run)
        self.made["AutoscalingGroup"] = name
        configuration = f"{self.situation}-configuration"
        autoscaling.create_launch_configuration(
            LaunchConfigurationName=configuration, ImageId="ami-12345678", InstanceType="c5.large")
        self.made["LaunchConfiguration"] = configuration
        second = f"configured-{self.situation}.{self.cluster}"
        self.scaling_group(second, {"LaunchConfigurationName": configuration})
        self.made["AutoscalingGroup configured"] = second
        lone = ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, SubnetId=self.subnets[0])
        lone = lone["Instances"][0]["InstanceId"]
        self.tag("Instance", lone, "lone")
        # As if a rolling update had detached it, to terminate it.
        ec2.create_tags(Resources=[lone], Tags=[{"Key": "kops.k8s.io/detached-from-asg", "Value": name}])
        groups = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name, second])["AutoScalingGroups"]
        for group in groups:
            self.made[f"Instance of {group['AutoScalingGroupName']}"] = group["Instances"][0]["InstanceId"]

    def scaling_group(self, name, run):
        tags = [dict(tag, ResourceId=name, ResourceType="auto-scaling-group", PropagateAtLaunch=True)
                for tag in self.sdk()]
        self.aws.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name, MinSize=1, MaxSize=1, DesiredCapacity=1, Tags=tags,
            VPCZoneIdentifier=self.subnets[0], **run)

    def records(self):
        route53 = self.aws.route53
        zone = next(zone["Id"] for zone in self.aws.all("route53", "list_hosted_zones", "HostedZones"))
        self.made["zone"] = zone.split("/")[-1]
        # The cluster's own record leads to its own things, whatever else there is.
        names = ["bastion"] if self.situation != "name" else ["bastion", "api"]
        if self.situation == "ours":
            target = {"DNSName": self.made["its name in DNS"], "HostedZoneId": "Z1H1FL5HABSF5", "EvaluateTargetHealth": False}
            content = {"AliasTarget": target}
        else:
            content = {"TTL": 60, "ResourceRecords": [{"Value": "198.51.100.7"}]}
        for name in names:
            record = dict(content, Name=f"{name}.{self.cluster}", Type="A")
            route53.change_resource_record_sets(
                HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]})
            self.made[f"DNSName {name}"] = f"{name}.{self.cluster}. A"


# What changes though nobody changes it.
PASSING = {"AvailableIpAddressCount", "InstancesDistribution", "Tags"}


def dump(aws):
    found = {}

    def add(id, row, tags=None):
        row = {key: value for key, value in row.items() if key not in PASSING}
        found[id] = dict(row, tags=tags_of(row.get("Tags")) if tags is None else tags)

    for operation, result, key in (
            ("describe_vpcs", "Vpcs", "VpcId"),
            ("describe_subnets", "Subnets", "SubnetId"),
            ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
            ("describe_route_tables", "RouteTables", "RouteTableId"),
            ("describe_security_groups", "SecurityGroups", "GroupId"),
            ("describe_volumes", "Volumes", "VolumeId"),
            ("describe_dhcp_options", "DhcpOptions", "DhcpOptionsId"),
            ("describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
            ("describe_nat_gateways", "NatGateways", "NatGatewayId")):
        for row in aws.all("ec2", operation, result):
            # A VPC's first group, and that of load balancers without one, are AWS' own.
            is_default = row.get("GroupName", "").startswith("default")
            if row.get("State") not in ("deleted", "deleting") and not is_default:
                add(row[key], row, tags_of(row.get("Tags")))
    for row in aws.ec2.describe_addresses()["Addresses"]:
        # What it is used by is told there.
        add(row["AllocationId"], {"address": row["PublicIp"]}, tags_of(row.get("Tags")))
    for row in aws.ec2.describe_key_pairs()["KeyPairs"]:
        add(row["KeyName"], row, tags_of(row.get("Tags")))
    for reservation in aws.all("ec2", "describe_instances", "Reservations"):
        for row in reservation["Instances"]:
            if row["State"]["Name"] != "terminated":
                add(row["InstanceId"], {"state": row["State"], "template": row.get("ImageId")}, tags_of(row.get("Tags")))
    for row in aws.all("elb", "describe_load_balancers", "LoadBalancerDescriptions"):
        name = row["LoadBalancerName"]
        tags = aws.elb.describe_tags(LoadBalancerNames=[name])["TagDescriptions"][0]
        add(name, dict(row, Instances=[]), tags_of(tags.get("Tags")))
    for operation, result, key in (("describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
                                   ("describe_target_groups", "TargetGroups", "TargetGroupArn")):
        for row in aws.all("elbv2", operation, result):
            tags = tags_of(aws.elbv2.describe_tags(ResourceArns=[row[key]])["TagDescriptions"][0].get("Tags"))
            more = {}
            if key == "LoadBalancerArn":
                more["listeners"] = aws.elbv2.describe_listeners(LoadBalancerArn=row[key])["Listeners"]
            add(row[key], dict(row, **more), tags)
    for row in aws.all("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"):
        name = row["AutoScalingGroupName"]
        hooks = aws.autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]
        add(name + " group", dict(row, hooks=hooks), tags_of(row.get("Tags")))
    for url in aws.sqs.list_queues().get("QueueUrls", []):
        attributes = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["MessageRetentionPeriod", "Policy"])
        add(url.split("/")[-1] + " queue", attributes["Attributes"], aws.sqs.list_queue_tags(QueueUrl=url).get("Tags", {}))
    for row in aws.all("events", "list_rules", "Rules"):
        targets = aws.events.list_targets_by_rule(Rule=row["Name"])["Targets"]
        add(row["Name"] + " rule", dict(row, targets=targets), tags_of(aws.events.list_tags_for_resource(ResourceARN=row["Arn"]).get("Tags")))
    for row in aws.all("autoscaling", "describe_launch_configurations", "LaunchConfigurations"):
        add(row["LaunchConfigurationName"], row, {})
    for row in aws.all("iam", "list_roles", "Roles"):
        name = row["RoleName"]
        policies = {policy: aws.iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                    for policy in aws.iam.list_role_policies(RoleName=name)["PolicyNames"]}
        whole = aws.iam.get_role(RoleName=name)["Role"]
        add(name + " role", dict(whole, RoleLastUsed=None, policies=policies), tags_of(whole.get("Tags")))
    for row in aws.all("iam", "list_instance_profiles", "InstanceProfiles"):
        whole = aws.iam.get_instance_profile(InstanceProfileName=row["InstanceProfileName"])["InstanceProfile"]
        roles = [role["RoleName"] for role in whole["Roles"]]
        add(row["InstanceProfileName"] + " profile", {"roles": roles, "path": whole["Path"]}, tags_of(whole.get("Tags")))
    for zone in aws.all("route53", "list_hosted_zones", "HostedZones"):
        add(zone["Id"].split("/")[-1], {"name": zone["Name"]}, {})
        for row in aws.all("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"]):
            add(f"{row['Name']} {row['Type']}", row, {})
    return found


def main():
    address, key, command, *more = sys.argv[1:]
    if command == "make":
        result = Maker(Account(address, key), *more).everything()
    elif more:
        regions = [(region, dump(Account(address, key, region))) for region in more]
        result = {f"{region} {id}": row for region, found in regions for id, row in found.items()}
    else:
        result = dump(Account(address, key))
    json.dump(result, sys.stdout, default=str)


if __name__ == "__main__":
    main()
