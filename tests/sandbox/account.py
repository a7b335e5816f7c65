"""What an account of the sandbox holds, told in the words of tests/goldens/clusters.

usage: account.py ADDRESS KEY lay-out SPEC    make what SPEC takes for granted; prints {id in SPEC: real id}
       account.py ADDRESS KEY observe [IDS]   print {kind/name: fields}; IDS is what lay-out printed
       account.py ADDRESS KEY everything      print the ids of all that there is

A reference is told by name: that of the resource, or, of what lay-out made, its id in the spec.
"""

import json
import re
import sys

import boto3
import botocore.config

REGION = "us-west-2"


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
        pages = getattr(self, service).get_paginator(operation).paginate(**arguments)
        return [row for page in pages for row in page[result]]


def lay_out(aws, spec):
    """A VPC with subnets, gateways and load balancers of someone else."""
    ec2, ids = aws.ec2, {}
    vpc = ec2.create_vpc(CidrBlock="172.20.0.0/16")["Vpc"]["VpcId"]
    ids["vpc-12345678"] = vpc
    aws.route53.create_hosted_zone(
        Name="private.example.com", CallerReference="private", HostedZoneConfig={"PrivateZone": True},
        VPC={"VPCRegion": REGION, "VPCId": ec2.create_vpc(CidrBlock="172.30.0.0/16")["Vpc"]["VpcId"]})
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ids["igw-1"] = gateway
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
    for name in ("sg-exampleid3", "sg-exampleid4"):
        ids[name] = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
    listener = {"Protocol": "TCP", "LoadBalancerPort": 443, "InstancePort": 443, "InstanceProtocol": "TCP"}
    for name in ("my-elb", "my-other-elb"):
        aws.elb.create_load_balancer(
            LoadBalancerName=name, Subnets=[ids["subnet-12345678"]], Listeners=[listener])
    group = aws.elbv2.create_target_group(Name="my-tg", Protocol="TCP", Port=443, VpcId=vpc)
    ids["TARGET_GROUP_ARN"] = group["TargetGroups"][0]["TargetGroupArn"]
    machine = ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, SubnetId=ids["subnet-12345678"])
    ids["i-12345678"] = machine["Instances"][0]["InstanceId"]
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    for name in sorted(set(re.findall(r"instance-profile/([^\s'\"}]+)", spec))):
        aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
        aws.iam.create_instance_profile(InstanceProfileName=name)
        aws.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return ids


def tags_of(row):
    return {tag["Key"]: tag["Value"] for tag in row.get("Tags") or []}


class Observation:
    """Everything that there is; `names` holds how each id is told."""

    def __init__(self, aws, laid_out):
        self.aws = aws
        self.names = {real: told for told, real in laid_out.items()}
        self.found = {}

    def add(self, kind, name, **fields):
        self.found[f"{kind}/{name}"] = fields

    def name(self, row, key):
        """Names what a row is, after its tag."""
        return self.names.setdefault(row[key], tags_of(row).get("Name", row[key]))

    def told(self, ids):
        return sorted(self.names.get(one, one) for one in ids)

    def everything(self):
        self.network()
        self.security()
        self.storage()
        self.balancers()
        self.instances()
        return self.found

    def network(self):
        ec2 = self.aws.ec2
        vpcs = self.aws.all("ec2", "describe_vpcs", "Vpcs")
        subnets = self.aws.all("ec2", "describe_subnets", "Subnets")
        for row in vpcs:
            self.name(row, "VpcId")
        for row in subnets:
            self.name(row, "SubnetId")
        for row in ec2.describe_dhcp_options()["DhcpOptions"]:
            if tags_of(row):
                values = {one["Key"]: [value["Value"] for value in one["Values"]] for one in row["DhcpConfigurations"]}
                self.add("DHCPOptions", self.name(row, "DhcpOptionsId"), tags=tags_of(row),
                         domainName=values["domain-name"][0], domainNameServers=values["domain-name-servers"])
        for row in vpcs:
            def attribute(name):
                answer = ec2.describe_vpc_attribute(VpcId=row["VpcId"], Attribute=name)
                return answer[name[0].upper() + name[1:]]["Value"]

            name = self.name(row, "VpcId")
            more = [one["CidrBlock"] for one in row.get("CidrBlockAssociationSet", [])
                    if one["CidrBlockState"]["State"] == "associated" and one["CidrBlock"] != row["CidrBlock"]]
            self.add("VPC", name, cidr=row["CidrBlock"], tags=tags_of(row), cidrs=sorted(more),
                     dnsSupport=attribute("enableDnsSupport"), dnsHostnames=attribute("enableDnsHostnames"))
            if row.get("DhcpOptionsId") in self.names:
                self.add("VPCDHCPOptionsAssociation", name, dhcpOptions=self.names[row["DhcpOptionsId"]])
        for row in subnets:
            self.add("Subnet", self.name(row, "SubnetId"), vpc=self.names[row["VpcId"]], cidr=row["CidrBlock"],
                     zone=row["AvailabilityZone"], tags=tags_of(row))
        for row in ec2.describe_internet_gateways()["InternetGateways"]:
            attached = [one["VpcId"] for one in row.get("Attachments", [])]
            self.add("InternetGateway", self.name(row, "InternetGatewayId"), tags=tags_of(row),
                     vpc=self.names[attached[0]] if attached else None)
        self.ways_out()

    def ways_out(self):
        ec2, addresses = self.aws.ec2, {}
        for row in ec2.describe_nat_gateways()["NatGateways"]:
            if row["State"] in ("deleted", "deleting"):
                continue
            subnet = self.names[row["SubnetId"]]
            allocation = row["NatGatewayAddresses"][0]["AllocationId"]
            addresses[allocation] = f"eip@{subnet}"
            name = self.names.setdefault(row["NatGatewayId"], f"nat@{subnet}")
            self.add("NatGateway", name, subnet=subnet, elasticIp=addresses[allocation], tags=tags_of(row))
        for row in ec2.describe_addresses()["Addresses"]:
            allocation = row["AllocationId"]
            self.add("ElasticIP", addresses.get(allocation, allocation), tags=tags_of(row))
        for row in ec2.describe_route_tables()["RouteTables"]:
            if any(one.get("Main") for one in row["Associations"]) and not tags_of(row):
                continue
            name = self.name(row, "RouteTableId")
            self.add("RouteTable", name, vpc=self.names[row["VpcId"]], tags=tags_of(row))
            for route in row["Routes"]:
                via = route.get("GatewayId") or route.get("NatGatewayId") or route.get("InstanceId")
                if via and via != "local":
                    self.add("Route", f"{name} {route['DestinationCidrBlock']}", via=self.names.get(via, via))
            for one in row["Associations"]:
                if "SubnetId" in one:
                    self.add("RouteTableAssociation", self.names[one["SubnetId"]], routeTable=name)

    def security(self):
        groups = self.aws.all("ec2", "describe_security_groups", "SecurityGroups")
        for row in groups:
            self.names.setdefault(row["GroupId"], row["GroupName"])
        for row in groups:
            name = self.names[row["GroupId"]]
            self.add("SecurityGroup", name, vpc=self.names.get(row["VpcId"]), description=row["Description"],
                     tags=tags_of(row))
            for way, rules in (("ingress", row["IpPermissions"]), ("egress", row["IpPermissionsEgress"])):
                for rule in rules:
                    protocol = rule["IpProtocol"]
                    ports = "all" if protocol == "-1" else f"{rule.get('FromPort')}-{rule.get('ToPort')}"
                    peers = self.told(pair["GroupId"] for pair in rule.get("UserIdGroupPairs", []))
                    peers += [one["CidrIp"] for one in rule.get("IpRanges", [])]
                    peers += [one["CidrIpv6"] for one in rule.get("Ipv6Ranges", [])]
                    for peer in peers:
                        self.add("SecurityGroupRule", f"{name} {way} {protocol} {ports} {peer}")
        for row in self.aws.all("iam", "list_roles", "Roles"):
            self.add("IAMRole", row["RoleName"])
            for policy in self.aws.iam.list_role_policies(RoleName=row["RoleName"])["PolicyNames"]:
                self.add("IAMRolePolicy", policy, role=row["RoleName"])
        for row in self.aws.all("iam", "list_instance_profiles", "InstanceProfiles"):
            roles = [role["RoleName"] for role in row["Roles"]]
            self.add("IAMInstanceProfile", row["InstanceProfileName"], role=roles[0] if roles else None)
        for row in self.aws.ec2.describe_key_pairs()["KeyPairs"]:
            self.add("SSHKey", row["KeyName"])

    def storage(self):
        for row in self.aws.all("ec2", "describe_volumes", "Volumes"):
            tags = tags_of(row)
            if "Name" in tags and not row.get("Attachments"):
                self.add("EBSVolume", tags["Name"], zone=row["AvailabilityZone"], size=row["Size"],
                         type=row["VolumeType"], encrypted=row["Encrypted"], kmsKey=row.get("KmsKeyId"),
                         iops=row.get("Iops"), throughput=row.get("Throughput"), tags=tags)

    def balancers(self):
        aliases = {}
        for row in self.aws.all("elb", "describe_load_balancers", "LoadBalancerDescriptions"):
            name = row["LoadBalancerName"]
            aliases[row["DNSName"].lower()] = name
            described = self.aws.elb.describe_tags(LoadBalancerNames=[name])["TagDescriptions"][0]
            attributes = self.aws.elb.describe_load_balancer_attributes(LoadBalancerName=name)["LoadBalancerAttributes"]
            listeners = [one["Listener"] for one in row["ListenerDescriptions"]]
            form = "{Protocol}:{LoadBalancerPort}->{InstanceProtocol}:{InstancePort}"
            check = "{Target} {HealthyThreshold}/{UnhealthyThreshold} {Interval}s/{Timeout}s"
            self.add("LoadBalancer", name, securityGroups=self.told(row["SecurityGroups"]),
                     subnets=self.told(row["Subnets"]), internal=row["Scheme"] == "internal",
                     idleTimeout=attributes["ConnectionSettings"]["IdleTimeout"], tags=tags_of(described),
                     listeners=sorted(form.format(**one) for one in listeners),
                     healthCheck=check.format(**row["HealthCheck"]) if row.get("HealthCheck") else None)
        groups = {row["TargetGroupArn"]: row for row in self.aws.all("elbv2", "describe_target_groups", "TargetGroups")}
        for arn, row in groups.items():
            self.names.setdefault(arn, row["TargetGroupName"])
        for row in self.aws.all("elbv2", "describe_load_balancers", "LoadBalancers"):
            name, arn = row["LoadBalancerName"], row["LoadBalancerArn"]
            aliases[row["DNSName"].lower()] = name
            listeners = self.aws.elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]
            described = self.aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]
            self.add("NetworkLoadBalancer", name, type=row["Type"], internal=row["Scheme"] == "internal",
                     securityGroups=self.told(row.get("SecurityGroups", [])), tags=tags_of(described),
                     subnets=self.told(zone["SubnetId"] for zone in row["AvailabilityZones"]),
                     listeners=sorted(f"{one['Protocol']}:{one['Port']}->{self.names[one['DefaultActions'][0]['TargetGroupArn']]}"
                                      for one in listeners))
        for zone in self.aws.all("route53", "list_hosted_zones", "HostedZones"):
            for row in self.aws.all("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"]):
                if row["Type"] == "A":
                    target = row.get("AliasTarget", {}).get("DNSName", "").lower().rstrip(".")
                    self.add("DNSName", f"{row['Name'].rstrip('.')} A", alias=aliases.get(target, target))
            if zone["Config"]["PrivateZone"]:
                for vpc in self.aws.route53.get_hosted_zone(Id=zone["Id"])["VPCs"]:
                    self.add("DNSZoneAssociation", self.names.get(vpc["VPCId"], vpc["VPCId"]))

    def instances(self):
        for row in self.aws.all("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"):
            name = row["AutoScalingGroupName"]
            mixed = row.get("MixedInstancesPolicy", {})
            subnets = [one for one in row["VPCZoneIdentifier"].split(",") if one]
            template = row.get("LaunchTemplate") or mixed.get("LaunchTemplate", {}).get("LaunchTemplateSpecification")
            self.add("AutoscalingGroup", name, minSize=row["MinSize"], maxSize=row["MaxSize"], tags=tags_of(row),
                     subnets=self.told(subnets), metrics=sorted(one["Metric"] for one in row["EnabledMetrics"]),
                     suspended=sorted(one["ProcessName"] for one in row["SuspendedProcesses"]),
                     version=template["Version"] if template else None)
            for to in row.get("LoadBalancerNames", []) + row.get("TargetGroupARNs", []):
                self.add("LoadBalancerAttachment", f"{name} {self.names.get(to, to)}")
            if template:
                self.template(name, template)

    def template(self, name, specification):
        versions = self.aws.ec2.describe_launch_template_versions(
            LaunchTemplateId=specification["LaunchTemplateId"], Versions=[specification["Version"]])
        data = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        nic = data["NetworkInterfaces"][0]
        mappings = data.get("BlockDeviceMappings", [])
        root = next(one["Ebs"] for one in mappings if "Ebs" in one)
        spot = data.get("InstanceMarketOptions", {}).get("SpotOptions", {})
        self.add("LaunchTemplate", name, image=data["ImageId"], machineType=data["InstanceType"],
                 sshKey=data.get("KeyName"), instanceProfile=data["IamInstanceProfile"]["Name"],
                 securityGroups=self.told(nic["Groups"]), publicIp=nic["AssociatePublicIpAddress"],
                 rootVolumeType=root["VolumeType"], rootVolumeSize=root["VolumeSize"],
                 rootDeleteOnTermination=root["DeleteOnTermination"], rootIops=root.get("Iops"),
                 rootEncrypted=root.get("Encrypted", False), monitoring=data["Monitoring"]["Enabled"],
                 ephemeral=sorted(f"{one['DeviceName']}={one['VirtualName']}" for one in mappings if "VirtualName" in one),
                 spotPrice=spot.get("MaxPrice"), userData=data.get("UserData"),
                 metadata=data.get("MetadataOptions"))


def everything(aws):
    """The ids of all that there is."""
    ids = []
    for service, operation, result, key in (
            ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
            ("ec2", "describe_subnets", "Subnets", "SubnetId"),
            ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
            ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
            ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
            ("ec2", "describe_volumes", "Volumes", "VolumeId"),
            ("ec2", "describe_dhcp_options", "DhcpOptions", "DhcpOptionsId"),
            ("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
            ("iam", "list_roles", "Roles", "RoleName"),
            ("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
            ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName"),
            ("elb", "describe_load_balancers", "LoadBalancerDescriptions", "LoadBalancerName"),
            ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName"),
            ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupName")):
        ids += [f"{operation} {row[key]}" for row in aws.all(service, operation, result)]
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
