"""What an account holds, in the words of tests/goldens/clusters (see account.py)."""

import json
import re

REGION = "us-west-2"
# The bucket of a discovery store, and how the addresses of objects in it begin.
DISCOVERY = "discovery.example.com"
ADDRESS_OF_DISCOVERY = re.compile(rf"(?:{DISCOVERY}\.s3\.(?:dualstack\.)?{REGION}\.amazonaws\.com|s3\.(?:dualstack\.)?{REGION}\.amazonaws\.com/{DISCOVERY})")
ROOT = "/dev/xvda"
PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "icmp": "icmp", "tcp": "tcp", "udp": "udp", "icmpv6": "icmpv6"}


def tags_of(tags):
    return {tag["Key"]: tag["Value"] for tag in tags or []}


class Observation:
    """Everything that there is; `names` holds how each id is told."""

    def __init__(self, aws, laid_out):
        self.aws = aws
        self.told_as = {real: told for told, real in laid_out.items() if told != real}
        self.names = dict(self.told_as)
        self.found = {}

    def add(self, kind, name, **fields):
        self.found[f"{kind}/{name}"] = fields

    def name(self, row, key):
        """Names what a row is, after its tag."""
        return self.names.setdefault(row[key], tags_of(row.get("Tags")).get("Name", row[key]))

    def told(self, ids):
        return sorted(self.names.get(one, one) for one in ids)

    def words(self, value):
        """What holds ids somewhere within, with each as it is told."""
        text = json.dumps(value)
        for real in sorted(self.told_as, key=len, reverse=True):
            text = text.replace(real, self.told_as[real])
        return json.loads(ADDRESS_OF_DISCOVERY.sub(DISCOVERY, text))

    def everything(self):
        self.vpcs()
        self.ways_out()
        self.firewall()
        self.iam()
        self.storage()
        self.classic_balancers()
        self.network_balancers()
        self.records()
        self.instances()
        self.events()
        return self.found

    def vpcs(self):
        ec2 = self.aws.ec2
        vpcs = self.aws.all("ec2", "describe_vpcs", "Vpcs")
        subnets = self.aws.all("ec2", "describe_subnets", "Subnets")
        for row in vpcs:
            self.name(row, "VpcId")
        for row in subnets:
            self.name(row, "SubnetId")
        for row in ec2.describe_dhcp_options()["DhcpOptions"]:
            if row.get("Tags"):
                values = {one["Key"]: [value["Value"] for value in one["Values"]] for one in row["DhcpConfigurations"]}
                self.add("DHCPOptions", self.name(row, "DhcpOptionsId"), tags=tags_of(row["Tags"]),
                         domainName=values["domain-name"][0], domainNameServers=values["domain-name-servers"])
        for row in vpcs:
            self.vpc(row)
        for row in subnets:
            six = [one["Ipv6CidrBlock"] for one in row.get("Ipv6CidrBlockAssociationSet", []) if associated(one["Ipv6CidrBlockState"])]
            names = row.get("PrivateDnsNameOptionsOnLaunch") or {}
            self.add("Subnet", self.names[row["SubnetId"]], vpc=self.names[row["VpcId"]], cidr=row.get("CidrBlock"),
                     zone=row["AvailabilityZone"], ipv6Cidr=six[0] if six else None, ipv6Native=row.get("Ipv6Native"),
                     assignIpv6=row.get("AssignIpv6AddressOnCreation"), dns64=row.get("EnableDns64"),
                     hostnames=names.get("HostnameType"), resourceNameA=names.get("EnableResourceNameDnsARecord"),
                     resourceNameAAAA=names.get("EnableResourceNameDnsAAAARecord"), tags=tags_of(row.get("Tags")))

    def vpc(self, row):
        def attribute(name):
            answer = self.aws.ec2.describe_vpc_attribute(VpcId=row["VpcId"], Attribute=name)
            return answer[name[0].upper() + name[1:]]["Value"]

        name = self.names[row["VpcId"]]
        six = [one for one in row.get("Ipv6CidrBlockAssociationSet", []) if associated(one["Ipv6CidrBlockState"])]
        self.add("VPC", name, cidr=row["CidrBlock"], tags=tags_of(row.get("Tags")), ipv6=bool(six),
                 dnsSupport=attribute("enableDnsSupport"), dnsHostnames=attribute("enableDnsHostnames"))
        for one in row.get("CidrBlockAssociationSet", []):
            if one["CidrBlock"] != row["CidrBlock"] and associated(one["CidrBlockState"]):
                self.add("VPCCIDRBlock", f"{name} {one['CidrBlock']}")
        if row.get("DhcpOptionsId") in self.names:
            self.add("VPCDHCPOptionsAssociation", name, dhcpOptions=self.names[row["DhcpOptionsId"]])

    def ways_out(self):
        ec2 = self.aws.ec2
        gateways = [("InternetGateway", row) for row in ec2.describe_internet_gateways()["InternetGateways"]]
        gateways += [("EgressOnlyInternetGateway", row)
                     for row in ec2.describe_egress_only_internet_gateways()["EgressOnlyInternetGateways"]]
        for kind, row in gateways:
            attached = [one["VpcId"] for one in row.get("Attachments", [])]
            self.add(kind, self.name(row, f"{kind}Id"), tags=tags_of(row.get("Tags")), vpc=self.names[attached[0]] if attached else None)
        for row in ec2.describe_nat_gateways()["NatGateways"]:
            if row["State"] in ("deleted", "deleting"):
                continue
            subnet = self.names[row["SubnetId"]]
            address = row["NatGatewayAddresses"][0]["AllocationId"]
            self.add("NatGateway", self.names.setdefault(row["NatGatewayId"], f"nat@{subnet}"), subnet=subnet,
                     elasticIp=self.names.setdefault(address, f"eip@{subnet}"), tags=tags_of(row.get("Tags")))
        for row in ec2.describe_addresses()["Addresses"]:
            self.add("ElasticIP", self.names.get(row["AllocationId"], row["AllocationId"]), domain=row["Domain"], tags=tags_of(row.get("Tags")))
        for row in ec2.describe_route_tables()["RouteTables"]:
            if any(one.get("Main") for one in row["Associations"]) and not row.get("Tags"):
                continue
            name = self.name(row, "RouteTableId")
            self.add("RouteTable", name, vpc=self.names[row["VpcId"]], tags=tags_of(row.get("Tags")))
            for route in row["Routes"]:
                keys = ("GatewayId", "NatGatewayId", "EgressOnlyInternetGatewayId", "TransitGatewayId", "InstanceId")
                via = next((route[key] for key in keys if route.get(key)), None)
                if via != "local":
                    to = route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock")
                    self.add("Route", f"{name} {to}", via=self.names.get(via, via))
            for one in row["Associations"]:
                if "SubnetId" in one:
                    self.add("RouteTableAssociation", self.names[one["SubnetId"]], routeTable=name)

    def firewall(self):
        groups = self.aws.all("ec2", "describe_security_groups", "SecurityGroups")
        for row in groups:
            self.names.setdefault(row["GroupId"], row["GroupName"])
        for row in groups:
            if row["GroupName"] == "default":
                continue
            name = self.names[row["GroupId"]]
            self.add("SecurityGroup", name, vpc=self.names.get(row["VpcId"]), description=row["Description"], tags=tags_of(row.get("Tags")))
            for way, rules in (("ingress", row["IpPermissions"]), ("egress", row["IpPermissionsEgress"])):
                for rule in rules:
                    protocol = PROTOCOLS.get(rule["IpProtocol"], rule["IpProtocol"])
                    ports = f"{rule.get('FromPort')}-{rule.get('ToPort')}" if protocol in PROTOCOLS.values() else "all"
                    peers = [one["GroupId"] for one in rule.get("UserIdGroupPairs", [])]
                    peers += [one["CidrIp"] for one in rule.get("IpRanges", [])]
                    peers += [one["CidrIpv6"] for one in rule.get("Ipv6Ranges", [])]
                    peers += [one["PrefixListId"] for one in rule.get("PrefixListIds", [])]
                    for peer in self.told(peers):
                        self.add("SecurityGroupRule", f"{name} {way} {protocol} {ports} {peer}")
        for row in self.aws.ec2.describe_key_pairs()["KeyPairs"]:
            self.add("SSHKey", row["KeyName"], tags=tags_of(row.get("Tags")))

    def iam(self):
        iam = self.aws.iam
        for name in [row["RoleName"] for row in self.aws.all("iam", "list_roles", "Roles")]:
            row = iam.get_role(RoleName=name)["Role"]
            boundary = row.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
            self.add("IAMRole", name, trust=self.words(row["AssumeRolePolicyDocument"]), permissionsBoundary=boundary,
                     tags=tags_of(row.get("Tags")))
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                self.add("IAMRolePolicy", f"{name}/{policy}", document=self.words(document))
            for one in self.aws.all("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=name):
                self.add("IAMRolePolicyAttachment", f"{name} {self.words(one['PolicyArn'])}")
        for name in [row["InstanceProfileName"] for row in self.aws.all("iam", "list_instance_profiles", "InstanceProfiles")]:
            row = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
            roles = [role["RoleName"] for role in row["Roles"]]
            self.add("IAMInstanceProfile", name, role=roles[0] if roles else None, tags=tags_of(row.get("Tags")))
        for row in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
            provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=row["Arn"])
            self.add("IAMOIDCProvider", self.words(provider["Url"].removeprefix("https://")), clientIds=sorted(provider["ClientIDList"]),
                     thumbprints=sorted(provider["ThumbprintList"]), tags=tags_of(provider.get("Tags")))

    def storage(self):
        for row in self.aws.all("ec2", "describe_volumes", "Volumes"):
            tags = tags_of(row.get("Tags"))
            if "Name" in tags and not row.get("Attachments"):
                self.add("EBSVolume", tags["Name"], zone=row["AvailabilityZone"], size=row["Size"], type=row["VolumeType"],
                         encrypted=row["Encrypted"], kmsKey=row.get("KmsKeyId"), tags=tags,
                         iops=performance(row, "Iops"), throughput=performance(row, "Throughput"))

    def classic_balancers(self):
        elb = self.aws.elb
        for row in self.aws.all("elb", "describe_load_balancers", "LoadBalancerDescriptions"):
            name = row["LoadBalancerName"]
            self.names[row["DNSName"].lower()] = name
            described = elb.describe_tags(LoadBalancerNames=[name])["TagDescriptions"][0]
            attributes = elb.describe_load_balancer_attributes(LoadBalancerName=name)["LoadBalancerAttributes"]
            draining = attributes.get("ConnectionDraining", {})
            form = "{Protocol}:{LoadBalancerPort}->{InstanceProtocol}:{InstancePort}"
            check = "{Target} {HealthyThreshold}/{UnhealthyThreshold} {Interval}s/{Timeout}s"
            self.add("ClassicLoadBalancer", name, securityGroups=self.told(row["SecurityGroups"]),
                     subnets=self.told(row["Subnets"]), internal=row["Scheme"] == "internal", tags=tags_of(described.get("Tags")),
                     idleTimeout=attributes["ConnectionSettings"]["IdleTimeout"],
                     crossZone=attributes.get("CrossZoneLoadBalancing", {}).get("Enabled"),
                     draining=draining.get("Timeout") if draining.get("Enabled") else None,
                     listeners=sorted(form.format(**one["Listener"]) for one in row["ListenerDescriptions"]),
                     healthCheck=check.format(**row["HealthCheck"]) if row.get("HealthCheck") else None)

    def network_balancers(self):
        elb = self.aws.elbv2

        def tags(arn):
            return tags_of(elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0].get("Tags"))

        for row in self.aws.all("elbv2", "describe_target_groups", "TargetGroups"):
            arn, name = row["TargetGroupArn"], row["TargetGroupName"]
            self.names[arn] = name
            attributes = tags_of(elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"])
            path = row.get("HealthCheckPath") if row["HealthCheckProtocol"] in ("HTTP", "HTTPS") else ""
            check = "{HealthyThresholdCount}/{UnhealthyThresholdCount} {HealthCheckIntervalSeconds}s".format(**row)
            self.add("TargetGroup", name, vpc=self.names.get(row["VpcId"]), protocol=row["Protocol"], port=row["Port"],
                     healthCheck=f"{row['HealthCheckProtocol']}{path} {check}", tags=tags(arn),
                     connectionTermination=attributes.get("deregistration_delay.connection_termination.enabled") == "true",
                     deregistrationDelay=int(attributes.get("deregistration_delay.timeout_seconds", 300)))
        for row in self.aws.all("elbv2", "describe_load_balancers", "LoadBalancers"):
            name, arn, zones = row["LoadBalancerName"], row["LoadBalancerArn"], row["AvailabilityZones"]
            self.names[row["DNSName"].lower()] = name
            attributes = tags_of(elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"])
            has_logs = attributes.get("access_logs.s3.enabled") == "true"
            addresses = [(zone["SubnetId"], one["AllocationId"]) for zone in zones
                         for one in zone.get("LoadBalancerAddresses") or [] if one.get("AllocationId")]
            self.add("NetworkLoadBalancer", name, type=row["Type"], internal=row["Scheme"] == "internal", tags=tags(arn),
                     securityGroups=self.told(row.get("SecurityGroups") or []), subnets=self.told(zone["SubnetId"] for zone in zones),
                     addresses=sorted("=".join(self.names.get(id, id) for id in pair) for pair in addresses),
                     crossZone=attributes.get("load_balancing.cross_zone.enabled") == "true",
                     addressType=row.get("IpAddressType", "ipv4"), accessLogs=attributes.get("access_logs.s3.bucket") if has_logs else "")
            for one in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
                certificates = [self.words(own["CertificateArn"]) for own in one.get("Certificates") or []]
                self.add("NetworkLoadBalancerListener", f"{name} {one['Protocol']}:{one['Port']}",
                         targetGroup=self.names[one["DefaultActions"][0]["TargetGroupArn"]],
                         certificate=certificates[0] if certificates else "",
                         sslPolicy=one.get("SslPolicy", "") if one["Protocol"] == "TLS" else "")

    def records(self):
        for row in self.aws.all("route53", "list_hosted_zones", "HostedZones"):
            zone = row["Id"].split("/")[-1]
            told = self.names.get(zone, zone)
            for record in self.aws.all("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone):
                alias = record.get("AliasTarget")
                if alias:
                    target = alias["DNSName"].lower().rstrip(".").removeprefix("dualstack.")
                    self.add("DNSName", f"{record['Name'].rstrip('.')} {record['Type']}", alias=self.names.get(target, target),
                             zone=told, evaluateTargetHealth=alias["EvaluateTargetHealth"])
            if row["Config"]["PrivateZone"]:
                for vpc in self.aws.route53.get_hosted_zone(Id=zone)["VPCs"]:
                    self.add("DNSZoneAssociation", f"{self.names.get(vpc['VPCId'], vpc['VPCId'])} {told}")

    def instances(self):
        autoscaling = self.aws.autoscaling
        for row in self.aws.all("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"):
            name, mixed = row["AutoScalingGroupName"], row.get("MixedInstancesPolicy", {})
            named = row.get("LaunchTemplate") or mixed["LaunchTemplate"]["LaunchTemplateSpecification"]
            newest, version = self.template(named)
            self.add("AutoscalingGroup", name, minSize=row["MinSize"], maxSize=row["MaxSize"], tags=tags_of(row["Tags"]),
                     subnets=self.told(one for one in row["VPCZoneIdentifier"].split(",") if one),
                     metrics=sorted(one["Metric"] for one in row["EnabledMetrics"]),
                     suspended=sorted(one["ProcessName"] for one in row["SuspendedProcesses"]),
                     maxInstanceLifetime=row.get("MaxInstanceLifetime"), protectFromScaleIn=row.get("NewInstancesProtectedFromScaleIn"),
                     capacityRebalance=row.get("CapacityRebalance"), newestTemplate=newest, **distribution(mixed))
            for to in row.get("LoadBalancerNames", []) + row.get("TargetGroupARNs", []):
                self.add("LoadBalancerAttachment", f"{name} {self.names.get(to, to)}")
            for hook in autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]:
                self.add("LifecycleHook", f"{name} {hook['LifecycleHookName']}", transition=hook["LifecycleTransition"],
                         defaultResult=hook.get("DefaultResult"), heartbeat=hook.get("HeartbeatTimeout"))
            pool = autoscaling.describe_warm_pool(AutoScalingGroupName=name).get("WarmPoolConfiguration")
            if pool:
                self.add("WarmPool", name, minSize=pool.get("MinSize"), maxSize=pool.get("MaxGroupPreparedCapacity"))
            self.launch_template(name, version)

    def template(self, named):
        """Whether a group runs the newest version of its launch template, and the version."""
        template = self.aws.ec2.describe_launch_templates(LaunchTemplateIds=[named["LaunchTemplateId"]])["LaunchTemplates"][0]
        versions = self.aws.ec2.describe_launch_template_versions(
            LaunchTemplateId=named["LaunchTemplateId"], Versions=[named["Version"]])
        version = versions["LaunchTemplateVersions"][0]
        return version["VersionNumber"] == template["LatestVersionNumber"], dict(version["LaunchTemplateData"], of=template)

    def launch_template(self, name, data):
        nic = data["NetworkInterfaces"][0]
        mappings = data.get("BlockDeviceMappings", [])
        volumes = [(one["DeviceName"], one["Ebs"]) for one in mappings if "Ebs" in one]
        root = next(ebs for device, ebs in volumes if device == ROOT)
        metadata, market = data.get("MetadataOptions", {}), data.get("InstanceMarketOptions", {})
        tags = {one["ResourceType"]: tags_of(one["Tags"]) for one in data.get("TagSpecifications", [])}
        self.add("LaunchTemplate", name, templateName=data["of"]["LaunchTemplateName"], image=data["ImageId"],
                 machineType=data["InstanceType"], sshKey=data.get("KeyName"), instanceProfile=data["IamInstanceProfile"]["Name"],
                 securityGroups=self.told(nic["Groups"]), publicIp=nic["AssociatePublicIpAddress"],
                 ipv6Addresses=nic.get("Ipv6AddressCount"), nicDeleteOnTermination=nic.get("DeleteOnTermination", True),
                 rootType=root["VolumeType"], rootSize=root["VolumeSize"], rootIops=performance(root, "Iops"),
                 rootThroughput=performance(root, "Throughput"), rootEncrypted=root.get("Encrypted"), rootKmsKey=root.get("KmsKeyId"),
                 rootDeleteOnTermination=root["DeleteOnTermination"],
                 volumes=sorted(volume(device, ebs) for device, ebs in volumes if device != ROOT),
                 ephemeral=sorted(f"{one['DeviceName']}={one['VirtualName']}" for one in mappings if "VirtualName" in one),
                 monitoring=data.get("Monitoring", {}).get("Enabled"), market=market.get("MarketType"),
                 spotPrice=market.get("SpotOptions", {}).get("MaxPrice"), cpuCredits=data.get("CreditSpecification", {}).get("CpuCredits"),
                 httpTokens=metadata.get("HttpTokens", "optional"), hopLimit=metadata.get("HttpPutResponseHopLimit", 1),
                 httpEndpoint=metadata.get("HttpEndpoint", "enabled"), httpIpv6=metadata.get("HttpProtocolIpv6", "disabled"),
                 instanceTags=tags.get("instance"), volumeTags=tags.get("volume"), nicTags=tags.get("network-interface"),
                 userData=data.get("UserData"), tags=tags_of(data["of"].get("Tags")))
        self.add("UserData", name, present="UserData" in data)

    def events(self):
        sqs, events = self.aws.sqs, self.aws.events
        for url in sqs.list_queues().get("QueueUrls", []):
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            name = attributes["QueueArn"].split(":")[-1]
            self.names[attributes["QueueArn"]] = name
            self.add("SQSQueue", name, retention=int(attributes["MessageRetentionPeriod"]),
                     document=self.words(json.loads(attributes["Policy"])) if attributes.get("Policy") else None,
                     tags=sqs.list_queue_tags(QueueUrl=url).get("Tags"))
        for row in self.aws.all("events", "list_rules", "Rules"):
            tags = events.list_tags_for_resource(ResourceARN=row["Arn"]).get("Tags")
            self.add("EventRule", row["Name"], pattern=json.loads(row["EventPattern"]), tags=tags_of(tags))
            for target in events.list_targets_by_rule(Rule=row["Name"])["Targets"]:
                self.add("EventTarget", f"{row['Name']} {self.names.get(target['Arn'], target['Arn'])}")


def associated(state):
    return state["State"] == "associated"


def performance(volume, what):
    """What a volume has; AWS' default for gp3 where nothing is said."""
    default = {"Iops": 3000, "Throughput": 125}[what] if volume.get("VolumeType") == "gp3" else None
    return volume.get(what) or default


def volume(device, ebs):
    """A volume beside the root volume, as one line."""
    performance = [str(ebs.get(what) or "-") for what in ("Iops", "Throughput", "KmsKeyId")]
    encrypted = "encrypted" if ebs.get("Encrypted") else "plain"
    return " ".join([device, ebs.get("VolumeType", ""), str(ebs.get("VolumeSize", "")), encrypted, *performance])


def distribution(mixed):
    """How a group with a mixed policy shares out its instances."""
    if not mixed:
        return {}
    share = mixed.get("InstancesDistribution", {})
    types = [one.get("InstanceType") for one in mixed["LaunchTemplate"].get("Overrides", [])]
    return dict(instanceTypes=types, onDemandBase=share.get("OnDemandBaseCapacity"), spotPools=share.get("SpotInstancePools"),
                onDemandPercent=share.get("OnDemandPercentageAboveBaseCapacity"), spotStrategy=share.get("SpotAllocationStrategy"),
                spotMaxPrice=share.get("SpotMaxPrice"))
