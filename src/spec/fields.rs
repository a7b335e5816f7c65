//! The fields that kops v1.10 knows, by object, as its API types declare them
//! (`pkg/apis/kops/v1alpha2` and, for `metadata`, `ObjectMeta` of apimachinery).
//!
//! Data only: [`super::schema`] reads it to tell a misspelt field from a known one and a
//! number from a text.

use super::kind::{Kind::*, Object};

const ROLE: super::kind::Kind = OneOf(&["Master", "Node", "Bastion"]);

pub(super) static METADATA: Object = Object {
    text: &[
        "name", "namespace", "generateName", "selfLink", "uid", "resourceVersion",
        "creationTimestamp", "deletionTimestamp", "clusterName",
    ],
    flags: &[],
    whole: &["generation", "deletionGracePeriodSeconds"],
    other: &[
        ("labels", Map(&Text)),
        ("annotations", Map(&Text)),
        ("ownerReferences", Open),
        ("initializers", Open),
        ("finalizers", List(&Text)),
    ],
};

pub(super) static CLUSTER_SPEC: Object = Object {
    text: &[
        "channel", "configBase", "cloudProvider", "kubernetesVersion", "project",
        "masterPublicName", "masterInternalName", "networkCIDR", "networkID", "secretStore",
        "keyStore", "configStore", "dnsZone", "clusterDNSDomain", "serviceClusterIPRange",
        "nonMasqueradeCIDR", "sshKeyName", "updatePolicy", // kapstan's own.
        "bootstrap",
    ],
    flags: &["isolateMasters", "encryptionConfig"],
    whole: &[],
    other: &[
        ("addons", List(&Object(&ADDON_SPEC))),
        ("subnets", List(&Object(&CLUSTER_SUBNET_SPEC))),
        ("additionalNetworkCIDRs", List(&Text)),
        ("topology", Object(&TOPOLOGY_SPEC)),
        ("rollingUpdate", Object(&ROLLING_UPDATE_SPEC)),
        ("additionalSans", List(&Text)),
        ("sshAccess", List(&Text)),
        ("nodePortAccess", List(&Text)),
        ("egressProxy", Object(&EGRESS_PROXY_SPEC)),
        ("kubernetesApiAccess", List(&Text)),
        ("additionalPolicies", Map(&Text)),
        ("fileAssets", List(&Object(&FILE_ASSET_SPEC))),
        ("etcdClusters", List(&Object(&ETCD_CLUSTER_SPEC))),
        ("docker", Object(&DOCKER_CONFIG)),
        ("kubeDNS", Object(&KUBE_DNS_CONFIG)),
        ("kubeAPIServer", Object(&KUBE_API_SERVER_CONFIG)),
        ("kubeControllerManager", Object(&KUBE_CONTROLLER_MANAGER_CONFIG)),
        ("cloudControllerManager", Object(&CLOUD_CONTROLLER_MANAGER_CONFIG)),
        ("kubeScheduler", Object(&KUBE_SCHEDULER_CONFIG)),
        ("kubeProxy", Object(&KUBE_PROXY_CONFIG)),
        ("kubelet", Object(&KUBELET_CONFIG_SPEC)),
        ("masterKubelet", Object(&KUBELET_CONFIG_SPEC)),
        ("cloudConfig", Object(&CLOUD_CONFIGURATION)),
        ("externalDns", Object(&EXTERNAL_DNS_CONFIG)),
        ("networking", Object(&NETWORKING_SPEC)),
        ("api", Object(&ACCESS_SPEC)),
        ("authentication", Object(&AUTHENTICATION_SPEC)),
        ("authorization", Object(&AUTHORIZATION_SPEC)),
        ("nodeAuthorization", Object(&NODE_AUTHORIZATION_SPEC)),
        ("cloudLabels", Map(&Text)),
        ("hooks", List(&Object(&HOOK_SPEC))),
        ("assets", Object(&ASSETS)),
        ("iam", Object(&IAM_SPEC)),
        ("target", Object(&TARGET_SPEC)),
    ],
};

pub(super) static INSTANCE_GROUP_SPEC: Object = Object {
    text: &[
        "image", "machineType", "rootVolumeType", "maxPrice", "tenancy",
        // Newer than v1.10.
        "securityGroupOverride", "rootVolumeEncryptionKey", "cpuCredits",
        "instanceInterruptionBehavior",
    ],
    flags: &[
        "rootVolumeOptimization", "associatePublicIp", "detailedInstanceMonitoring",
        // Newer than v1.10.
        "rootVolumeEncryption", "rootVolumeDeleteOnTermination", "instanceProtection",
        "capacityRebalance",
    ],
    whole: &[
        "minSize", "maxSize", "rootVolumeSize", "rootVolumeIops",
        // Newer than v1.10.
        "rootVolumeThroughput",
    ],
    other: &[
        ("role", ROLE),
        ("subnets", List(&Text)),
        ("zones", List(&Text)),
        ("hooks", List(&Object(&HOOK_SPEC))),
        ("additionalSecurityGroups", List(&Text)),
        ("cloudLabels", Map(&Text)),
        ("nodeLabels", Map(&Text)),
        ("fileAssets", List(&Object(&FILE_ASSET_SPEC))),
        ("kubelet", Object(&KUBELET_CONFIG_SPEC)),
        ("taints", List(&Text)),
        ("additionalUserData", List(&Object(&USER_DATA))),
        ("suspendProcesses", List(&Text)),
        ("externalLoadBalancers", List(&Object(&LOAD_BALANCER))),
        ("iam", Object(&IAM_PROFILE_SPEC)),
        // Newer than v1.10.
        ("volumes", List(&Object(&VOLUME_SPEC))),
        ("mixedInstancesPolicy", Object(&MIXED_INSTANCES_POLICY_SPEC)),
        ("instanceMetadata", Object(&INSTANCE_METADATA_OPTIONS)),
        ("warmPool", Object(&WARM_POOL_SPEC)),
        ("rollingUpdate", Object(&ROLLING_UPDATE_SPEC)),
    ],
};

/// Newer than v1.10, as kops documents it (`docs/instance_groups.md`).
pub(super) static VOLUME_SPEC: Object = Object {
    text: &["device", "type", "key"],
    flags: &["encrypted", "deleteOnTermination"],
    whole: &["size", "iops", "throughput"],
    other: &[],
};

/// Newer than v1.10, as kops documents it (`docs/instance_groups.md`).
pub(super) static MIXED_INSTANCES_POLICY_SPEC: Object = Object {
    text: &["onDemandAllocationStrategy", "spotAllocationStrategy"],
    flags: &[],
    whole: &["onDemandBase", "onDemandAboveBase", "spotInstancePools"],
    other: &[("instances", List(&Text))],
};

/// Newer than v1.10, as kops documents it (`docs/instance_groups.md`).
pub(super) static INSTANCE_METADATA_OPTIONS: Object =
    Object { text: &["httpTokens"], flags: &[], whole: &["httpPutResponseHopLimit"], other: &[] };

/// Newer than v1.10, as kops documents it (`docs/instance_groups.md`).
/// Newer than v1.10, as kops documents it (`docs/operations/rolling-update.md`).
pub(super) static ROLLING_UPDATE_SPEC: Object = Object {
    text: &[],
    flags: &["drainAndTerminate"],
    whole: &[],
    other: &[("maxSurge", Open), ("maxUnavailable", Open)],
};

pub(super) static WARM_POOL_SPEC: Object = Object {
    text: &[],
    flags: &["enableLifecycleHook"],
    whole: &["minSize", "maxSize"],
    other: &[],
};

pub(super) static SSH_CREDENTIAL_SPEC: Object =
    Object { text: &["publicKey"], flags: &[], whole: &[], other: &[] };

pub(super) static ADDON_SPEC: Object =
    Object { text: &["manifest"], flags: &[], whole: &[], other: &[] };

pub(super) static CLUSTER_SUBNET_SPEC: Object = Object {
    text: &["name", "zone", "region", "cidr", "id", "egress", "publicIP"],
    flags: &[],
    whole: &[],
    other: &[("type", OneOf(&["Public", "Private", "Utility"]))],
};

pub(super) static TOPOLOGY_SPEC: Object = Object {
    text: &["masters", "nodes"],
    flags: &[],
    whole: &[],
    other: &[("bastion", Object(&BASTION_SPEC)), ("dns", Object(&DNS_SPEC))],
};

pub(super) static EGRESS_PROXY_SPEC: Object = Object {
    text: &["excludes"],
    flags: &[],
    whole: &[],
    other: &[("httpProxy", Object(&HTTP_PROXY))],
};

pub(super) static FILE_ASSET_SPEC: Object = Object {
    text: &["name", "path", "content"],
    flags: &["isBase64"],
    whole: &[],
    other: &[("roles", List(&ROLE))],
};

pub(super) static ETCD_CLUSTER_SPEC: Object = Object {
    text: &["name", "version", "leaderElectionTimeout", "heartbeatInterval", "image"],
    flags: &["enableEtcdTLS", "enableTLSAuth"],
    whole: &[],
    other: &[
        ("etcdMembers", List(&Object(&ETCD_MEMBER_SPEC))),
        ("backups", Object(&ETCD_BACKUP_SPEC)),
        ("manager", Object(&ETCD_MANAGER_SPEC)),
    ],
};

pub(super) static DOCKER_CONFIG: Object = Object {
    text: &[
        "bridge", "bridgeIP", "dataRoot", "execRoot", "insecureRegistry", "logDriver", "logLevel",
        "storage", "userNamespaceRemap", "version",
    ],
    flags: &["ipMasq", "ipTables", "liveRestore"],
    whole: &["mtu"],
    other: &[
        ("authorizationPlugins", List(&Text)),
        ("defaultUlimit", List(&Text)),
        ("hosts", List(&Text)),
        ("logOpt", List(&Text)),
        ("registryMirrors", List(&Text)),
        ("storageOpts", List(&Text)),
    ],
};

pub(super) static KUBE_DNS_CONFIG: Object = Object {
    text: &["domain", "image", "provider", "serverIP"],
    flags: &[],
    whole: &["cacheMaxSize", "cacheMaxConcurrent", "replicas"],
    other: &[("stubDomains", Map(&List(&Text))), ("upstreamNameservers", List(&Text))],
};

pub(super) static KUBE_API_SERVER_CONFIG: Object = Object {
    text: &[
        "image", "cloudProvider", "address", "bindAddress", "insecureBindAddress",
        "serviceClusterIPRange", "serviceNodePortRange", "etcdCaFile", "etcdCertFile",
        "etcdKeyFile", "basicAuthFile", "clientCAFile", "tlsCertFile", "tlsPrivateKeyFile",
        "tokenAuthFile", "kubeletClientCertificate", "kubeletClientKey", "storageBackend",
        "oidcUsernameClaim", "oidcUsernamePrefix", "oidcGroupsClaim", "oidcGroupsPrefix",
        "oidcIssuerURL", "oidcClientID", "oidcCAFile", "proxyClientCertFile", "proxyClientKeyFile",
        "auditLogFormat", "auditLogPath", "auditPolicyFile",
        "authenticationTokenWebhookConfigFile", "authenticationTokenWebhookCacheTtl",
        "authorizationMode", "authorizationRbacSuperUser", "experimentalEncryptionProviderConfig",
        "requestheaderClientCAFile",
    ],
    flags: &[
        "enableBootstrapTokenAuth", "enableAggregatorRouting", "allowPrivileged", "anonymousAuth",
        "etcdQuorumRead",
    ],
    whole: &[
        "logLevel", "securePort", "insecurePort", "apiServerCount", "auditLogMaxAge",
        "auditLogMaxBackups", "auditLogMaxSize", "maxRequestsInflight", "minRequestTimeout",
    ],
    other: &[
        ("admissionControl", List(&Text)),
        ("enableAdmissionPlugins", List(&Text)),
        ("disableAdmissionPlugins", List(&Text)),
        ("etcdServers", List(&Text)),
        ("etcdServersOverrides", List(&Text)),
        ("runtimeConfig", Map(&Text)),
        ("kubeletPreferredAddressTypes", List(&Text)),
        ("requestheaderUsernameHeaders", List(&Text)),
        ("requestheaderGroupHeaders", List(&Text)),
        ("requestheaderExtraHeaderPrefixes", List(&Text)),
        ("requestheaderAllowedNames", List(&Text)),
        ("featureGates", Map(&Text)),
    ],
};

pub(super) static KUBE_CONTROLLER_MANAGER_CONFIG: Object = Object {
    text: &[
        "master", "serviceAccountPrivateKeyFile", "image", "cloudProvider", "clusterName",
        "clusterCIDR", "cidrAllocatorType", "rootCAFile", "attachDetachReconcileSyncPeriod",
        "nodeMonitorPeriod", "nodeMonitorGracePeriod", "podEvictionTimeout",
        "horizontalPodAutoscalerSyncPeriod", "horizontalPodAutoscalerDownscaleDelay",
        "horizontalPodAutoscalerUpscaleDelay",
    ],
    flags: &[
        "allocateNodeCIDRs", "configureCloudRoutes", "useServiceAccountCredentials",
        "horizontalPodAutoscalerUseRestClients",
    ],
    whole: &["logLevel", "terminatedPodGCThreshold"],
    other: &[
        ("leaderElection", Object(&LEADER_ELECTION_CONFIGURATION)),
        ("featureGates", Map(&Text)),
    ],
};

pub(super) static CLOUD_CONTROLLER_MANAGER_CONFIG: Object = Object {
    text: &["master", "image", "cloudProvider", "clusterName", "clusterCIDR", "cidrAllocatorType"],
    flags: &["allocateNodeCIDRs", "configureCloudRoutes", "useServiceAccountCredentials"],
    whole: &["logLevel"],
    other: &[("leaderElection", Object(&LEADER_ELECTION_CONFIGURATION))],
};

pub(super) static KUBE_SCHEDULER_CONFIG: Object = Object {
    text: &["master", "image"],
    flags: &["usePolicyConfigMap"],
    whole: &["logLevel"],
    other: &[
        ("leaderElection", Object(&LEADER_ELECTION_CONFIGURATION)),
        ("featureGates", Map(&Text)),
    ],
};

pub(super) static KUBE_PROXY_CONFIG: Object = Object {
    text: &["image", "clusterCIDR", "hostnameOverride", "bindAddress", "master", "proxyMode"],
    flags: &["enabled"],
    whole: &["logLevel", "conntrackMaxPerCore", "conntrackMin"],
    other: &[
        ("featureGates", Map(&Text)),
        // Quantities: text, or a number.
        ("cpuRequest", Open),
        ("cpuLimit", Open),
        ("memoryRequest", Open),
        ("memoryLimit", Open),
    ],
};

pub(super) static KUBELET_CONFIG_SPEC: Object = Object {
    text: &[
        "apiServers", "authorizationMode", "bootstrapKubeconfig", "clientCaFile", "tlsCertFile",
        "tlsPrivateKeyFile", "kubeconfigPath", "podManifestPath", "hostnameOverride",
        "podInfraContainerImage", "seccompProfileRoot", "nodeStatusUpdateFrequency",
        "clusterDomain", "clusterDNS", "networkPluginName", "cloudProvider", "kubeletCgroups",
        "runtimeCgroups", "systemCgroups", "cgroupRoot", "hairpinMode", "podCIDR", "resolvConf",
        "nonMasqueradeCIDR", "imagePullProgressDeadline", "evictionHard", "evictionSoft",
        "evictionSoftGracePeriod", "evictionPressureTransitionPeriod", "evictionMinimumReclaim",
        "volumePluginDirectory", "kubeReservedCgroup", "systemReservedCgroup",
        "enforceNodeAllocatable", "runtimeRequestTimeout", "volumeStatsAggPeriod",
        "streamingConnectionIdleTimeout", "rootDir", "authenticationTokenWebhookCacheTtl",
    ],
    flags: &[
        "anonymousAuth", "requireKubeconfig", "allowPrivileged", "enableDebuggingHandlers",
        "registerNode", "configureCbr0", "babysitDaemons", "reconcileCIDR", "registerSchedulable",
        "serializeImagePulls", "enableCustomMetrics", "failSwapOn", "dockerDisableSharedPID",
        "authenticationTokenWebhook",
    ],
    whole: &[
        "logLevel", "readOnlyPort", "maxPods", "nvidiaGPUs", "networkPluginMTU",
        "imageGCHighThresholdPercent", "imageGCLowThresholdPercent", "evictionMaxPodGracePeriod",
    ],
    other: &[
        ("nodeLabels", Map(&Text)),
        ("taints", List(&Text)),
        ("featureGates", Map(&Text)),
        ("kubeReserved", Map(&Text)),
        ("systemReserved", Map(&Text)),
        ("experimental_allowed_unsafe_sysctls", List(&Text)),
    ],
};

pub(super) static CLOUD_CONFIGURATION: Object = Object {
    text: &[
        "nodeTags", "nodeInstancePrefix", "elbSecurityGroup", "vSphereUsername", "vSpherePassword",
        "vSphereServer", "vSphereDatacenter", "vSphereResourcePool", "vSphereDatastore",
        "vSphereCoreDNSServer",
    ],
    flags: &["multizone", "disableSecurityGroupIngress"],
    whole: &[],
    other: &[],
};

pub(super) static EXTERNAL_DNS_CONFIG: Object = Object {
    text: &["watchNamespace"],
    flags: &["disable", "watchIngress"],
    whole: &[],
    other: &[],
};

pub(super) static NETWORKING_SPEC: Object = Object {
    text: &[],
    flags: &[],
    whole: &[],
    other: &[
        ("classic", Object(&CLASSIC_NETWORKING_SPEC)),
        ("kubenet", Object(&KUBENET_NETWORKING_SPEC)),
        ("external", Object(&EXTERNAL_NETWORKING_SPEC)),
        ("cni", Object(&CNI_NETWORKING_SPEC)),
        ("kopeio", Object(&KOPEIO_NETWORKING_SPEC)),
        ("weave", Object(&WEAVE_NETWORKING_SPEC)),
        ("flannel", Object(&FLANNEL_NETWORKING_SPEC)),
        ("calico", Object(&CALICO_NETWORKING_SPEC)),
        ("canal", Object(&CANAL_NETWORKING_SPEC)),
        ("kuberouter", Object(&KUBEROUTER_NETWORKING_SPEC)),
        ("romana", Object(&ROMANA_NETWORKING_SPEC)),
        ("amazonvpc", Object(&AMAZON_VPC_NETWORKING_SPEC)),
        ("cilium", Object(&CILIUM_NETWORKING_SPEC)),
    ],
};

pub(super) static ACCESS_SPEC: Object = Object {
    text: &[],
    flags: &[],
    whole: &[],
    other: &[
        ("dns", Object(&DNS_ACCESS_SPEC)),
        ("loadBalancer", Object(&LOAD_BALANCER_ACCESS_SPEC)),
    ],
};

pub(super) static AUTHENTICATION_SPEC: Object = Object {
    text: &[],
    flags: &[],
    whole: &[],
    other: &[
        ("kopeio", Object(&KOPEIO_AUTHENTICATION_SPEC)),
        ("aws", Object(&AWS_AUTHENTICATION_SPEC)),
    ],
};

pub(super) static AUTHORIZATION_SPEC: Object = Object {
    text: &[],
    flags: &[],
    whole: &[],
    other: &[
        ("alwaysAllow", Object(&ALWAYS_ALLOW_AUTHORIZATION_SPEC)),
        ("rbac", Object(&RBAC_AUTHORIZATION_SPEC)),
    ],
};

pub(super) static NODE_AUTHORIZATION_SPEC: Object = Object {
    text: &[],
    flags: &[],
    whole: &[],
    other: &[("nodeAuthorizer", Object(&NODE_AUTHORIZER_SPEC))],
};

pub(super) static HOOK_SPEC: Object = Object {
    text: &["name", "manifest"],
    flags: &["disabled"],
    whole: &[],
    other: &[
        ("roles", List(&ROLE)),
        ("requires", List(&Text)),
        ("before", List(&Text)),
        ("execContainer", Object(&EXEC_CONTAINER_ACTION)),
    ],
};

pub(super) static ASSETS: Object = Object {
    text: &["containerRegistry", "fileRepository", "containerProxy"],
    flags: &[],
    whole: &[],
    other: &[],
};

pub(super) static IAM_SPEC: Object =
    Object { text: &[], flags: &["legacy", "allowContainerRegistry"], whole: &[], other: &[] };

pub(super) static TARGET_SPEC: Object =
    Object { text: &[], flags: &[], whole: &[], other: &[("terraform", Object(&TERRAFORM_SPEC))] };

pub(super) static USER_DATA: Object =
    Object { text: &["name", "type", "content"], flags: &[], whole: &[], other: &[] };

pub(super) static LOAD_BALANCER: Object =
    Object { text: &["loadBalancerName", "targetGroupArn"], flags: &[], whole: &[], other: &[] };

pub(super) static IAM_PROFILE_SPEC: Object =
    Object { text: &["profile"], flags: &[], whole: &[], other: &[] };

pub(super) static BASTION_SPEC: Object =
    Object { text: &["bastionPublicName"], flags: &[], whole: &["idleTimeoutSeconds"], other: &[] };

pub(super) static DNS_SPEC: Object =
    Object { text: &[], flags: &[], whole: &[], other: &[("type", OneOf(&["Public", "Private"]))] };

pub(super) static HTTP_PROXY: Object =
    Object { text: &["host"], flags: &[], whole: &["port"], other: &[] };

pub(super) static ETCD_MEMBER_SPEC: Object = Object {
    text: &["name", "instanceGroup", "volumeType", "kmsKeyId"],
    flags: &["encryptedVolume"],
    // The throughput is newer than v1.10.
    whole: &["volumeIops", "volumeSize", "volumeThroughput"],
    other: &[],
};

pub(super) static ETCD_BACKUP_SPEC: Object =
    Object { text: &["backupStore", "image"], flags: &[], whole: &[], other: &[] };

pub(super) static ETCD_MANAGER_SPEC: Object =
    Object { text: &["image"], flags: &[], whole: &[], other: &[] };

pub(super) static LEADER_ELECTION_CONFIGURATION: Object =
    Object { text: &[], flags: &["leaderElect"], whole: &[], other: &[] };

pub(super) static CLASSIC_NETWORKING_SPEC: Object =
    Object { text: &[], flags: &[], whole: &[], other: &[] };

pub(super) static KUBENET_NETWORKING_SPEC: Object =
    Object { text: &[], flags: &[], whole: &[], other: &[] };

pub(super) static EXTERNAL_NETWORKING_SPEC: Object =
    Object { text: &[], flags: &[], whole: &[], other: &[] };

pub(super) static CNI_NETWORKING_SPEC: Object =
    Object { text: &[], flags: &["usesSecondaryIP"], whole: &[], other: &[] };

pub(super) static KOPEIO_NETWORKING_SPEC: Object =
    Object { text: &[], flags: &[], whole: &[], other: &[] };

pub(super) static WEAVE_NETWORKING_SPEC: Object =
    Object { text: &[], flags: &[], whole: &["mtu", "connLimit"], other: &[] };

pub(super) static FLANNEL_NETWORKING_SPEC: Object =
    Object { text: &["backend"], flags: &[], whole: &[], other: &[] };

pub(super) static CALICO_NETWORKING_SPEC: Object = Object {
    text: &["logSeverityScreen"],
    flags: &[
        "crossSubnet", "prometheusMetricsEnabled", "prometheusGoMetricsEnabled",
        "prometheusProcessMetricsEnabled",
    ],
    whole: &["mtu", "prometheusMetricsPort"],
    other: &[],
};

pub(super) static CANAL_NETWORKING_SPEC: Object = Object {
    text: &["chainInsertMode", "defaultEndpointToHostAction", "logSeveritySys"],
    flags: &[
        "prometheusGoMetricsEnabled", "prometheusMetricsEnabled", "prometheusProcessMetricsEnabled",
    ],
    whole: &["prometheusMetricsPort"],
    other: &[],
};

pub(super) static KUBEROUTER_NETWORKING_SPEC: Object =
    Object { text: &[], flags: &[], whole: &[], other: &[] };

pub(super) static ROMANA_NETWORKING_SPEC: Object =
    Object { text: &["daemonServiceIP", "etcdServiceIP"], flags: &[], whole: &[], other: &[] };

pub(super) static AMAZON_VPC_NETWORKING_SPEC: Object =
    Object { text: &["imageName"], flags: &[], whole: &[], other: &[] };

pub(super) static CILIUM_NETWORKING_SPEC: Object = Object {
    text: &[
        "version", "accessLog", "allowLocalhost", "bpfRoot", "device", "enablePolicy", "envoyLog",
        "ipv4Node", "ipv4Range", "ipv4ServiceRange", "ipv6ClusterAllocCidr", "ipv6Node",
        "ipv6Range", "ipv6ServiceRange", "k8sApiServer", "k8sKubeconfigPath", "labelPrefixFile",
        "lb", "libDir", "logstashAgent", "nat46Range", "prefilterDevice", "prometheusServeAddr",
        "socketPath", "stateDir", "tunnel",
    ],
    flags: &[
        "autoIpv6NodeRoutes", "debug", "disableConntrack", "disableIpv4", "disableK8sServices",
        "enableTracing", "keepBpfTemplates", "keepConfig", "logstash", "disableMasquerade",
        "pprof", "restore", "singleClusterRoute",
    ],
    whole: &["ipv4ClusterCidrMaskSize", "logstashProbeTimer", "tracePayloadlen"],
    other: &[
        ("agentLabels", List(&Text)),
        ("containerRuntime", List(&Text)),
        ("containerRuntimeEndpoint", Map(&Text)),
        ("debugVerbose", List(&Text)),
        ("labels", List(&Text)),
        ("logDriver", List(&Text)),
        ("logOpt", Map(&Text)),
    ],
};

pub(super) static DNS_ACCESS_SPEC: Object =
    Object { text: &[], flags: &[], whole: &[], other: &[] };

pub(super) static LOAD_BALANCER_ACCESS_SPEC: Object = Object {
    text: &[
        "sslCertificate", // Newer than v1.10.
        "securityGroupOverride",
    ],
    flags: &[
        "useForInternalApi", // Newer than v1.10.
        "crossZoneLoadBalancing",
    ],
    whole: &["idleTimeoutSeconds"],
    other: &[
        ("type", OneOf(&["Public", "Internal"])),
        ("additionalSecurityGroups", List(&Text)),
        // Newer than v1.10.
        ("class", OneOf(&["Classic", "Network"])),
    ],
};

pub(super) static KOPEIO_AUTHENTICATION_SPEC: Object =
    Object { text: &[], flags: &[], whole: &[], other: &[] };

pub(super) static AWS_AUTHENTICATION_SPEC: Object =
    Object { text: &[], flags: &[], whole: &[], other: &[] };

pub(super) static ALWAYS_ALLOW_AUTHORIZATION_SPEC: Object =
    Object { text: &[], flags: &[], whole: &[], other: &[] };

pub(super) static RBAC_AUTHORIZATION_SPEC: Object =
    Object { text: &[], flags: &[], whole: &[], other: &[] };

pub(super) static NODE_AUTHORIZER_SPEC: Object = Object {
    text: &["authorizer", "image", "nodeURL", "timeout", "tokenTTL"],
    flags: &[],
    whole: &["port"],
    other: &[("features", List(&Text))],
};

pub(super) static EXEC_CONTAINER_ACTION: Object = Object {
    text: &["image"],
    flags: &[],
    whole: &[],
    other: &[("command", List(&Text)), ("environment", Map(&Text))],
};

pub(super) static TERRAFORM_SPEC: Object =
    Object { text: &[], flags: &[], whole: &[], other: &[("providerExtraConfig", Map(&Text))] };

pub(super) static CLUSTER: Object = Object {
    text: &["apiVersion", "kind"],
    flags: &[],
    whole: &[],
    other: &[("metadata", Object(&METADATA)), ("spec", Object(&CLUSTER_SPEC))],
};

pub(super) static INSTANCE_GROUP: Object = Object {
    text: &["apiVersion", "kind"],
    flags: &[],
    whole: &[],
    other: &[("metadata", Object(&METADATA)), ("spec", Object(&INSTANCE_GROUP_SPEC))],
};

pub(super) static SSH_CREDENTIAL: Object = Object {
    text: &["apiVersion", "kind"],
    flags: &[],
    whole: &[],
    other: &[("metadata", Object(&METADATA)), ("spec", Object(&SSH_CREDENTIAL_SPEC))],
};
