"""What an account of the sandbox holds, told in the words of tests/goldens/clusters.

usage: account.py ADDRESS KEY lay-out SPEC    make what SPEC takes for granted; prints {text in SPEC: real text}
       account.py ADDRESS KEY observe [IDS]   print {kind/name: fields}; IDS is what lay-out printed
       account.py ADDRESS KEY everything      print the ids of all that there is

A reference is told by name: that of the resource, or, of what lay-out made, its id in the spec.
"""

import json
import re
import sys

import boto3
import botocore.config

from observation import DISCOVERY, REGION, Observation

ACCOUNT = "123456789012"


class Account:
    def __init__(self, address, key, region=REGION):
        self.address, self.key, self.region = address, key, region

    def __getattr__(self, service):
        client = boto3.client(
            service, endpoint_url=self.address, region_name=self.region, aws_access_key_id=self.key,
            aws_secret_access_key="secret", config=botocore.config.Config(retries={"max_attempts": 1}))
        setattr(self, service, client)
        return client

    def all(self, service, operation, result, **arguments):
        client = getattr(self, service)
        if not client.can_paginate(operation):
            return getattr(client, operation)(**arguments).get(result, [])
        pages = client.get_paginator(operation).paginate(**arguments)
        return [row for page in pages for row in page.get(result, [])]


def lay_out(aws, spec):
    """A VPC with what lies in it, zones, balancers, buckets and policies of someone else."""
    ids = {ACCOUNT: aws.sts.get_caller_identity()["Account"]}
    network(aws, spec, ids)
    in_network(aws, spec, ids)
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    for name in named(r"instance-profile/([^\s'\"}]+)", spec):
        aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
        aws.iam.create_instance_profile(InstanceProfileName=name)
        aws.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    nothing = {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"}
    for name in named(rf"arn:aws:iam::{ACCOUNT}:policy/([\w-]+)", spec):
        aws.iam.create_policy(PolicyName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [nothing]}))
    if f"s3://{DISCOVERY}" in spec:
        ids[DISCOVERY] = "discovery-" + re.sub(r"[^a-z0-9]+", "-", aws.key.lower())
        aws.s3.create_bucket(Bucket=ids[DISCOVERY], CreateBucketConfiguration={"LocationConstraint": REGION})
    return ids


def named(form, spec):
    return sorted(set(re.findall(form, spec)))


def network(aws, spec, ids):
    ec2 = aws.ec2
    # Blocks of IPv6 that a spec cuts out of a VPC of others must be there.
    has_six = "networkID:" in spec and "/64#" in spec
    vpc = ec2.create_vpc(CidrBlock="172.20.0.0/16", AmazonProvidedIpv6CidrBlock=has_six)["Vpc"]["VpcId"]
    other = ec2.create_vpc(CidrBlock="172.30.0.0/16")["Vpc"]["VpcId"]
    ids.update({"vpc-12345678": vpc, "vpc-23456789": other})
    zones = [("example.com", "Z1AFAKE1ZON3YO", None), ("internal.example.com", "Z2AFAKE1ZON3NO", other), ("private.example.com", "Z3AFAKE1ZOMORE", vpc)]
    there = {row["Name"].rstrip("."): row["Id"].split("/")[-1] for row in aws.all("route53", "list_hosted_zones", "HostedZones")}
    for name, told, of in zones:
        if name in there:
            ids[told] = there[name]
            continue
        private = dict(HostedZoneConfig={"PrivateZone": True}, VPC={"VPCRegion": REGION, "VPCId": of}) if of else {}
        zone = aws.route53.create_hosted_zone(Name=name, CallerReference=name, **private)["HostedZone"]
        ids[told] = zone["Id"].split("/")[-1]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    egress = ec2.create_egress_only_internet_gateway(VpcId=vpc)["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
    ids.update({"igw-1": gateway, "eigw-1": egress})
    # Ranges that a spec asks for must be free, unless it shares these subnets.
    shares = "id: subnet-" in spec
    ranges = ["172.20.32.0/19", "172.20.4.0/22", "172.20.8.0/22"] if shares else \
             ["172.20.224.0/20", "172.20.240.0/21", "172.20.248.0/21"]
    names = ["subnet-12345678", "subnet-abcdef", "subnet-b2345678"]
    for name, cidr, zone in zip(names, ranges, "aab"):
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=REGION + zone)
        ids[name] = subnet["Subnet"]["SubnetId"]
    for letter, subnet in (("a", "subnet-12345678"), ("b", "subnet-b2345678")):
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = ec2.create_nat_gateway(SubnetId=ids[subnet], AllocationId=address)["NatGateway"]
        ids[f"nat-{letter}2345678"] = nat["NatGatewayId"]
    machine = ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, SubnetId=ids["subnet-12345678"])
    ids["i-12345678"] = machine["Instances"][0]["InstanceId"]


def in_network(aws, spec, ids):
    ec2, vpc = aws.ec2, ids["vpc-12345678"]
    for told in named(r"\beipalloc-\w+", spec):
        ids[told] = ec2.allocate_address(Domain="vpc")["AllocationId"]
    for told in named(r"\bsg-[\w-]+", spec):
        ids[told] = ec2.create_security_group(GroupName=told, Description=told, VpcId=vpc)["GroupId"]
        # What a cluster puts into it must be told from what AWS puts into every group.
        everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        ec2.revoke_security_group_egress(GroupId=ids[told], IpPermissions=everything)
    for told in named(r"\bpl-\w+", spec):
        entries = [{"Cidr": "192.0.2.0/24"}]
        made = ec2.create_managed_prefix_list(PrefixListName=told, MaxEntries=5, AddressFamily="IPv4", Entries=entries)
        ids[told] = made["PrefixList"]["PrefixListId"]
    for told in named(r"\btgw-\w+", spec):
        ids[told] = ec2.create_transit_gateway(Description=told)["TransitGateway"]["TransitGatewayId"]
    listener = {"Protocol": "TCP", "LoadBalancerPort": 443, "InstancePort": 443, "InstanceProtocol": "TCP"}
    for name in named(r"loadBalancerName: (\S+)", spec):
        aws.elb.create_load_balancer(LoadBalancerName=name, Subnets=[ids["subnet-12345678"]], Listeners=[listener])
    for told, name in named(r"(arn:aws:elasticloadbalancing:[^\s\"]*:targetgroup/([\w-]+)/\w+)", spec):
        group = aws.elbv2.create_target_group(Name=name, Protocol="TCP", Port=443, VpcId=vpc)
        ids[told] = group["TargetGroups"][0]["TargetGroupArn"]
    for told in named(r"arn:aws:acm:[^\s\"]+", spec):
        ids[told] = aws.acm.request_certificate(DomainName="api.example.com")["CertificateArn"]


def everything(aws):
    """The ids of all that there is."""
    ids = []
    for service, operation, result, key in (
            ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
            ("ec2", "describe_subnets", "Subnets", "SubnetId"),
            ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
            ("ec2", "describe_egress_only_internet_gateways", "EgressOnlyInternetGateways", "EgressOnlyInternetGatewayId"),
            ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
            ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
            ("ec2", "describe_volumes", "Volumes", "VolumeId"),
            ("ec2", "describe_dhcp_options", "DhcpOptions", "DhcpOptionsId"),
            ("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
            ("iam", "list_roles", "Roles", "RoleName"),
            ("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
            ("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList", "Arn"),
            ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName"),
            ("elb", "describe_load_balancers", "LoadBalancerDescriptions", "LoadBalancerName"),
            ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName"),
            ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupName")):
        ids += [f"{operation} {row[key]}" for row in aws.all(service, operation, result)]
    ids += [f"rule {row['Name']}" for row in aws.all("events", "list_rules", "Rules")]
    ids += [f"queue {url}" for url in aws.sqs.list_queues().get("QueueUrls", [])]
    ids += [f"key {row['KeyName']}" for row in aws.ec2.describe_key_pairs()["KeyPairs"]]
    ids += [f"address {row['AllocationId']}" for row in aws.ec2.describe_addresses()["Addresses"]]
    ids += [f"nat {row['NatGatewayId']}" for row in aws.ec2.describe_nat_gateways()["NatGateways"]
            if row["State"] not in ("deleted", "deleting")]
    for reservation in aws.all("ec2", "describe_instances", "Reservations"):
        ids += [f"instance {row['InstanceId']}" for row in reservation["Instances"] if row["State"]["Name"] != "terminated"]
    for zone in aws.all("route53", "list_hosted_zones", "HostedZones"):
        rows = aws.all("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"])
        ids += [f"record {row['Name']} {row['Type']}" for row in rows]
    return sorted(ids)


def main():
    address, key, command, *more = sys.argv[1:]
    aws = Account(address, key)
    if command == "lay-out":
        result = lay_out(aws, open(more[0], encoding="utf-8").read())
    elif command == "observe":
        result = Observation(aws, json.loads(more[0]) if more else {}).everything()
    else:
        result = everything(aws)
    json.dump(result, sys.stdout, default=str)


if __name__ == "__main__":
    main()
