//! What kops v1.36 lets each part of a cluster do, as tables of actions.

/// Actions on any resource, by the condition under which they are allowed.
pub(super) struct Block {
    /// Without any.
    pub(super) free: &'static [&'static str],
    /// On what has the cluster's tag.
    pub(super) tagged: &'static [&'static str],
    /// Where the request gives the cluster's tag to what it makes.
    pub(super) create: &'static [&'static str],
    /// With a key of KMS, through a service that uses it.
    pub(super) through_services: &'static [&'static str],
    /// Calls of EC2 that make what has the cluster's tag, with the kinds of what they make.
    pub(super) making: Option<(&'static [&'static str], &'static [&'static str])>,
}

const NOTHING: Block =
    Block { free: &[], tagged: &[], create: &[], through_services: &[], making: None };

/// What a node reads of the state where no server tells it.
pub(super) const NODE_STATE: [&str; 2] = ["cluster-completed.spec", "igconfig/node/*"];

pub(super) static ETCD_MANAGER: Block = Block {
    free: &["ec2:DescribeInstances", "ec2:DescribeRegions", "ec2:DescribeVolumes"],
    ..NOTHING
};

pub(super) static NODEUP: Block = Block { free: &["ec2:DescribeInstanceTypes"], ..NOTHING };

pub(super) static NODEUP_IPV6: Block = Block { free: &["ec2:AssignIpv6Addresses"], ..NOTHING };

pub(super) static KOPS_CONTROLLER_IPV6: Block =
    Block { free: &["ec2:DescribeNetworkInterfaces"], ..NOTHING };

/// An instance tells its pool when it is ready.
pub(super) static WARM_POOL: Block = Block {
    free: &["autoscaling:DescribeLifecycleHooks"],
    tagged: &["autoscaling:CompleteLifecycleAction"],
    ..NOTHING
};

pub(super) static GOSSIP: Block = Block { free: &["ec2:DescribeInstances"], ..NOTHING };

/// Bastions need nothing, but AWS refuses a policy without statements.
pub(super) static BASTION: Block = Block { free: &["ec2:DescribeRegions"], ..NOTHING };

pub(super) static KMS_GRANTS: Block =
    Block { free: &["kms:CreateGrant", "kms:DescribeKey"], ..NOTHING };

pub(super) static KMS_THROUGH_SERVICES: Block = Block {
    through_services: &["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
    ..NOTHING
};

pub(super) static KMS_DIRECTLY: Block = Block {
    free: &["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
    ..NOTHING
};

pub(super) static ECR: Block = Block {
    free: &[
        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeRepositories",
        "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer", "ecr:GetRepositoryPolicy",
        "ecr:ListImages",
    ],
    ..NOTHING
};

pub(super) static ECR_MIRRORS: Block = Block {
    free: &[
        "ecr:BatchImportUpstreamImage", "ecr:CreateRepository", "ecr:ReplicateImage",
        "ecr:TagResource",
    ],
    ..NOTHING
};

pub(super) static AMAZON_VPC: Block = Block {
    free: &[
        "ec2:AssignPrivateIpAddresses", "ec2:AttachNetworkInterface", "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface", "ec2:DescribeInstanceTypes", "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DescribeTags",
        "ec2:DetachNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute",
        "ec2:UnassignPrivateIpAddresses",
    ],
    ..NOTHING
};

pub(super) static CILIUM_ENI: Block = Block {
    free: &[
        "ec2:AssignPrivateIpAddresses", "ec2:AttachNetworkInterface", "ec2:CreateNetworkInterface",
        "ec2:CreateTags", "ec2:DeleteNetworkInterface", "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets", "ec2:DescribeTags", "ec2:DescribeVpcs",
        "ec2:ModifyNetworkInterfaceAttribute", "ec2:UnassignPrivateIpAddresses",
    ],
    ..NOTHING
};

/// Instances turn the check of sources and destinations off for themselves.
pub(super) static CALICO: Block =
    Block { free: &["ec2:DescribeInstances", "ec2:ModifyNetworkInterfaceAttribute"], ..NOTHING };

pub(super) static KINDNET: Block = Block { free: &["ec2:ModifyInstanceAttribute"], ..NOTHING };

pub(super) static NODE_KUBE_ROUTER: Block =
    Block { free: &["ec2:ModifyInstanceAttribute"], ..NOTHING };

pub(super) static KUBE_ROUTER: Block =
    Block { tagged: &["ec2:ModifyInstanceAttribute"], ..NOTHING };

pub(super) static EBS_CSI: Block = Block {
    free: &[
        "ec2:DescribeAvailabilityZones", "ec2:DescribeInstanceTypes", "ec2:DescribeInstances",
        "ec2:DescribeTags", "ec2:DescribeVolumeStatus", "ec2:DescribeVolumes",
        "ec2:DescribeVolumesModifications",
    ],
    tagged: &["ec2:AttachVolume", "ec2:DeleteVolume", "ec2:DetachVolume", "ec2:ModifyVolume"],
    making: Some((&["CopyVolumes", "CreateVolume"], &["volume", "snapshot"])),
    ..NOTHING
};

pub(super) static SNAPSHOTS: Block = Block {
    free: &["ec2:CreateSnapshot", "ec2:DescribeAvailabilityZones", "ec2:DescribeSnapshots"],
    tagged: &["ec2:DeleteSnapshot", "ec2:EnableFastSnapshotRestores"],
    making: Some((&["CreateSnapshot"], &["volume", "snapshot"])),
    ..NOTHING
};

pub(super) static CLOUD_CONTROLLER: Block = Block {
    free: &[
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeTags",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeInstanceTopology",
        "ec2:DescribeInstances",
        "ec2:DescribeRegions",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeLoadBalancerPolicies",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "iam:CreateServiceLinkedRole",
        "kms:DescribeKey",
    ],
    tagged: &[
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:DeleteSecurityGroup",
        "ec2:ModifyInstanceAttribute",
        "ec2:RevokeSecurityGroupIngress",
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:ApplySecurityGroupsToLoadBalancer",
        "elasticloadbalancing:AttachLoadBalancerToSubnets",
        "elasticloadbalancing:ConfigureHealthCheck",
        "elasticloadbalancing:CreateLoadBalancerListeners",
        "elasticloadbalancing:CreateLoadBalancerPolicy",
        "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:DeleteLoadBalancerListeners",
        "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
        "elasticloadbalancing:DeregisterTargets",
        "elasticloadbalancing:DetachLoadBalancerFromSubnets",
        "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:RegisterInstancesWithLoadBalancer",
        "elasticloadbalancing:RegisterTargets",
        "elasticloadbalancing:SetLoadBalancerPoliciesForBackendServer",
        "elasticloadbalancing:SetLoadBalancerPoliciesOfListener",
    ],
    create: &[
        "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:CreateLoadBalancer",
        "elasticloadbalancing:CreateTargetGroup",
    ],
    making: Some((&["CreateSecurityGroup"], &["security-group"])),
    ..NOTHING
};

pub(super) static NLB_GROUPS: Block =
    Block { tagged: &["elasticloadbalancing:SetSecurityGroups"], ..NOTHING };

pub(super) static KUBENET_ROUTES: Block =
    Block { tagged: &["ec2:CreateRoute", "ec2:DeleteRoute"], ..NOTHING };

pub(super) static LOAD_BALANCER_CONTROLLER: Block = Block {
    free: &[
        "acm:DescribeCertificate",
        "acm:ListCertificates",
        "cognito-idp:DescribeUserPoolClient",
        "ec2:DescribeAccountAttributes",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeInstances",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcPeeringConnections",
        "ec2:DescribeVpcs",
        "ec2:GetSecurityGroupsForVpc",
        "elasticloadbalancing:DescribeCapacityReservation",
        "elasticloadbalancing:DescribeListenerAttributes",
        "elasticloadbalancing:DescribeListenerCertificates",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "elasticloadbalancing:DescribeTrustStores",
        "elasticloadbalancing:SetRulePriorities",
    ],
    tagged: &[
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:DeleteSecurityGroup",
        "ec2:RevokeSecurityGroupIngress",
        "elasticloadbalancing:AddListenerCertificates",
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:DeleteRule",
        "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:DeregisterTargets",
        "elasticloadbalancing:ModifyCapacityReservation",
        "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:ModifyListenerAttributes",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:ModifyRule",
        "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:RegisterTargets",
        "elasticloadbalancing:RemoveListenerCertificates",
        "elasticloadbalancing:RemoveTags",
        "elasticloadbalancing:SetIpAddressType",
        "elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:SetSubnets",
    ],
    create: &[
        "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:CreateLoadBalancer",
        "elasticloadbalancing:CreateRule",
        "elasticloadbalancing:CreateTargetGroup",
    ],
    making: Some((&["CreateSecurityGroup"], &["security-group"])),
    ..NOTHING
};

pub(super) static WAF: Block = Block {
    free: &[
        "elasticloadbalancing:SetWebACL", "waf-regional:AssociateWebACL",
        "waf-regional:DisassociateWebACL", "waf-regional:GetWebACL",
        "waf-regional:GetWebACLForResource",
    ],
    ..NOTHING
};

pub(super) static WAF_V2: Block = Block {
    free: &[
        "elasticloadbalancing:SetWebACL", "wafv2:AssociateWebACL", "wafv2:DisassociateWebACL",
        "wafv2:GetWebACL", "wafv2:GetWebACLForResource",
    ],
    ..NOTHING
};

pub(super) static SHIELD: Block = Block {
    free: &[
        "shield:CreateProtection", "shield:DeleteProtection", "shield:DescribeProtection",
        "shield:GetSubscriptionState",
    ],
    ..NOTHING
};

pub(super) static CLUSTER_AUTOSCALER: Block = Block {
    free: &[
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeLaunchConfigurations",
        "autoscaling:DescribeScalingActivities",
        "ec2:DescribeImages",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:GetInstanceTypesFromInstanceRequirements",
    ],
    tagged: &["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"],
    ..NOTHING
};

/// Queues cannot be told by the cluster's tag.
pub(super) static TERMINATION_HANDLER: Block = Block {
    free: &[
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeTags",
        "ec2:DescribeInstances",
        "sqs:DeleteMessage",
        "sqs:ReceiveMessage",
    ],
    tagged: &["autoscaling:CompleteLifecycleAction"],
    ..NOTHING
};

pub(super) static KARPENTER: Block = Block {
    free: &[
        "ec2:CreateFleet", "ec2:CreateLaunchTemplate", "ec2:CreateTags",
        "ec2:DeleteLaunchTemplate", "ec2:DescribeCapacityReservations", "ec2:DescribeImages",
        "ec2:DescribeInstanceStatus", "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeInstanceTypes", "ec2:DescribeInstances", "ec2:DescribeLaunchTemplates",
        "ec2:DescribePlacementGroups", "ec2:DescribeSecurityGroups",
        "ec2:DescribeSpotPriceHistory", "ec2:DescribeSubnets", "ec2:RunInstances",
        "ec2:TerminateInstances", "iam:AddRoleToInstanceProfile", "iam:DeleteInstanceProfile",
        "iam:GetInstanceProfile", "iam:ListInstanceProfiles", "iam:PassRole",
        "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "pricing:GetProducts",
        "ssm:GetParameter",
    ],
    ..NOTHING
};
