//! What each role may do, as tables: the actions of kops v1.10
//! (`pkg/model/iam/iam_builder.go`), each group with what it is for.

/// Nodes find themselves and the state store's region.
pub(super) const NODE_EC2: [&str; 2] = ["ec2:DescribeInstances", "ec2:DescribeRegions"];

/// Bastions need nothing, but AWS refuses a policy without statements.
pub(super) const BASTION: [&str; 1] = ["ec2:DescribeRegions"];

pub(super) const MASTER_EC2_LEGACY: [&str; 1] = ["ec2:*"];

pub(super) const MASTER_EC2_DESCRIBE: [&str; 6] = [
    "ec2:DescribeInstances", "ec2:DescribeRegions", "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVolumes",
];

/// Calls that AWS cannot limit to resources with the cluster's tag.
pub(super) const MASTER_EC2_ANY: [&str; 6] = [
    "ec2:CreateSecurityGroup", "ec2:CreateTags", "ec2:CreateVolume",
    "ec2:DescribeVolumesModifications", "ec2:ModifyInstanceAttribute", "ec2:ModifyVolume",
];

/// Limited to resources with the cluster's tag.
pub(super) const MASTER_EC2_TAGGED: [&str; 8] = [
    "ec2:AttachVolume", "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateRoute", "ec2:DeleteRoute",
    "ec2:DeleteSecurityGroup", "ec2:DeleteVolume", "ec2:DetachVolume",
    "ec2:RevokeSecurityGroupIngress",
];

pub(super) const MASTER_AUTOSCALING_LEGACY: [&str; 7] = [
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeAutoScalingInstances",
    "autoscaling:DescribeLaunchConfigurations",
    "autoscaling:DescribeTags",
    "autoscaling:SetDesiredCapacity",
    "autoscaling:TerminateInstanceInAutoScalingGroup",
    "autoscaling:UpdateAutoScalingGroup",
];

pub(super) const MASTER_AUTOSCALING_DESCRIBE: [&str; 3] = [
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeLaunchConfigurations",
    "autoscaling:DescribeTags",
];

/// Limited to groups with the cluster's tag.
pub(super) const MASTER_AUTOSCALING_TAGGED: [&str; 3] = [
    "autoscaling:SetDesiredCapacity",
    "autoscaling:TerminateInstanceInAutoScalingGroup",
    "autoscaling:UpdateAutoScalingGroup",
];

pub(super) const MASTER_ELB_LEGACY: [&str; 1] = ["elasticloadbalancing:*"];

/// Services of type LoadBalancer: classic load balancers.
pub(super) const MASTER_ELB_CLASSIC: [&str; 16] = [
    "elasticloadbalancing:AddTags",
    "elasticloadbalancing:ApplySecurityGroupsToLoadBalancer",
    "elasticloadbalancing:AttachLoadBalancerToSubnets",
    "elasticloadbalancing:ConfigureHealthCheck",
    "elasticloadbalancing:CreateLoadBalancer",
    "elasticloadbalancing:CreateLoadBalancerListeners",
    "elasticloadbalancing:CreateLoadBalancerPolicy",
    "elasticloadbalancing:DeleteLoadBalancer",
    "elasticloadbalancing:DeleteLoadBalancerListeners",
    "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DetachLoadBalancerFromSubnets",
    "elasticloadbalancing:ModifyLoadBalancerAttributes",
    "elasticloadbalancing:RegisterInstancesWithLoadBalancer",
    "elasticloadbalancing:SetLoadBalancerPoliciesForBackendServer",
];

/// Services of type LoadBalancer: network load balancers.
pub(super) const MASTER_ELB_NETWORK: [&str; 14] = [
    "ec2:DescribeVpcs",
    "elasticloadbalancing:AddTags",
    "elasticloadbalancing:CreateListener",
    "elasticloadbalancing:CreateTargetGroup",
    "elasticloadbalancing:DeleteListener",
    "elasticloadbalancing:DeleteTargetGroup",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancerPolicies",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "elasticloadbalancing:ModifyListener",
    "elasticloadbalancing:ModifyTargetGroup",
    "elasticloadbalancing:RegisterTargets",
    "elasticloadbalancing:SetLoadBalancerPoliciesOfListener",
];

pub(super) const MASTER_CERTIFICATES: [&str; 2] =
    ["iam:GetServerCertificate", "iam:ListServerCertificates"];

pub(super) const S3_BUCKET: [&str; 2] = ["s3:GetBucketLocation", "s3:ListBucket"];
pub(super) const S3_LEGACY: [&str; 1] = ["s3:*"];
pub(super) const S3_READ: [&str; 1] = ["s3:Get*"];
pub(super) const S3_BACKUP: [&str; 3] = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"];

/// What a strict node may read below the state store's path of the cluster.
pub(super) const NODE_STATE: [&str; 8] = [
    "addons/*", "cluster.spec", "config", "instancegroup/*", "pki/issued/*",
    "pki/private/kube-proxy/*", "pki/ssh/*", "secrets/dockerconfig",
];
pub(super) const NODE_KUBELET_KEY: &str = "pki/private/kubelet/*";
/// In place of the kubelet's key, where nodes get theirs with a bootstrap token.
pub(super) const NODE_AUTHORIZER_KEY: &str = "pki/private/node-authorizer-client/*";
pub(super) const NODE_KUBE_ROUTER_KEY: &str = "pki/private/kube-router/*";
/// For calico, and for cilium, which keeps its etcd behind the same certificate.
pub(super) const NODE_CALICO_KEY: &str = "pki/private/calico-client/*";

pub(super) const KMS_LEGACY: [&str; 2] = ["kms:ListGrants", "kms:RevokeGrant"];

pub(super) const KMS: [&str; 6] = [
    "kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*",
    "kms:ReEncrypt*",
];

pub(super) const ROUTE53_ZONE: [&str; 3] =
    ["route53:ChangeResourceRecordSets", "route53:GetHostedZone", "route53:ListResourceRecordSets"];
pub(super) const ROUTE53_CHANGE: [&str; 1] = ["route53:GetChange"];
pub(super) const ROUTE53_LIST: [&str; 1] = ["route53:ListHostedZones"];

/// The name that kops' documentation gives the ECR statement (`docs/iam_roles.md`).
pub(super) const ECR_SID: &str = "kopsK8sECR";

pub(super) const ECR: [&str; 7] = [
    "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeRepositories",
    "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer", "ecr:GetRepositoryPolicy",
    "ecr:ListImages",
];

pub(super) const ROMANA_DESCRIBE: [&str; 2] = ["ec2:DescribeAvailabilityZones", "ec2:DescribeVpcs"];

/// Limited to route tables with the cluster's tag.
pub(super) const ROMANA_TAGGED: [&str; 3] =
    ["ec2:CreateRoute", "ec2:DeleteRoute", "ec2:ReplaceRoute"];

pub(super) const AMAZON_VPC: [&str; 9] = [
    "ec2:AssignPrivateIpAddresses", "ec2:AttachNetworkInterface", "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface", "ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces",
    "ec2:DetachNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute", "tag:TagResources",
];
