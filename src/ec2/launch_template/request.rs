//! What is sent of a version.

use aws_sdk_ec2::types::{
    CreditSpecificationRequest, HttpTokensState, InstanceInterruptionBehavior, InstanceType,
    LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateHttpTokensState, LaunchTemplateIamInstanceProfileSpecificationRequest,
    LaunchTemplateInstanceMarketOptionsRequest, LaunchTemplateInstanceMetadataOptionsRequest,
    LaunchTemplateInstanceMetadataProtocolIpv6,
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest, LaunchTemplatePlacementRequest,
    LaunchTemplateSpotMarketOptionsRequest, LaunchTemplateTagSpecificationRequest,
    LaunchTemplatesMonitoringRequest, MarketType, RequestLaunchTemplateData, ResourceType, Tenancy,
    VolumeType,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::content::Content;
use crate::aws::ec2;

/// The security groups of the content are told by their ids.
pub(super) fn data(content: &Content) -> RequestLaunchTemplateData {
    let volumes = content.volumes.iter().map(|(device, volume)| {
        let ebs = LaunchTemplateEbsBlockDeviceRequest::builder()
            .volume_size(volume.size)
            .volume_type(VolumeType::from(volume.volume_type.as_str()))
            .set_iops(volume.iops)
            .set_throughput(volume.throughput)
            .encrypted(volume.encrypted)
            .set_kms_key_id(volume.kms_key.clone())
            .delete_on_termination(volume.delete_on_termination)
            .build();
        let mapping = LaunchTemplateBlockDeviceMappingRequest::builder();
        mapping.device_name(device).ebs(ebs).build()
    });
    let disks = content.ephemeral.iter().map(|(device, disk)| {
        let mapping = LaunchTemplateBlockDeviceMappingRequest::builder();
        mapping.device_name(device).virtual_name(disk).build()
    });
    let nic = LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder()
        .device_index(0)
        .set_associate_public_ip_address(content.public_ip)
        .ipv6_address_count(content.ipv6_addresses)
        .delete_on_termination(true)
        .set_groups(Some(content.security_groups.clone()))
        .build();
    let profile = content.profile.as_ref().map(|name| {
        let profile = LaunchTemplateIamInstanceProfileSpecificationRequest::builder();
        profile.name(name).build()
    });
    let monitoring = LaunchTemplatesMonitoringRequest::builder().enabled(content.monitoring);
    let tokens = content.http_tokens.as_deref().map(HttpTokensState::from);
    let tokens = tokens.map(|t| LaunchTemplateHttpTokensState::from(t.as_str()));
    let ipv6 = match content.http_ipv6 {
        true => LaunchTemplateInstanceMetadataProtocolIpv6::Enabled,
        false => LaunchTemplateInstanceMetadataProtocolIpv6::Disabled,
    };
    let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .set_http_tokens(tokens)
        .set_http_put_response_hop_limit(content.http_hop_limit)
        .http_protocol_ipv6(ipv6);
    let started = content.started_tags.each().into_iter().filter(|(_, tags)| !tags.is_empty());
    let started = started.map(|(of, tags)| {
        LaunchTemplateTagSpecificationRequest::builder()
            .resource_type(ResourceType::from(of))
            .set_tags(Some(ec2::tags_to_sdk(tags)))
            .build()
    });
    let mut data = RequestLaunchTemplateData::builder()
        .disable_api_termination(false)
        .metadata_options(metadata.build())
        .set_tag_specifications(Some(started.collect()))
        .set_image_id(content.image.clone())
        .set_instance_type(content.machine_type.as_deref().map(InstanceType::from))
        .set_key_name(content.ssh_key.clone())
        .set_iam_instance_profile(profile)
        .network_interfaces(nic)
        .set_block_device_mappings(Some(volumes.chain(disks).collect()))
        .monitoring(monitoring.build())
        .set_ebs_optimized(content.ebs_optimized)
        .set_user_data(content.user_data.as_ref().map(|data| STANDARD.encode(data)));
    if let Some(tenancy) = &content.tenancy {
        let placement = LaunchTemplatePlacementRequest::builder();
        data = data.placement(placement.tenancy(Tenancy::from(tenancy.as_str())).build());
    }
    if let Some(spot) = &content.spot {
        let behavior = spot.interruption.as_deref().map(InstanceInterruptionBehavior::from);
        let options = LaunchTemplateSpotMarketOptionsRequest::builder()
            .set_max_price(spot.price.clone())
            .set_block_duration_minutes(spot.minutes)
            .set_instance_interruption_behavior(behavior)
            .build();
        let market = LaunchTemplateInstanceMarketOptionsRequest::builder();
        let market = market.market_type(MarketType::Spot).spot_options(options);
        data = data.instance_market_options(market.build());
    }
    if let Some(credits) = &content.cpu_credits {
        let credits = CreditSpecificationRequest::builder().cpu_credits(credits).build();
        data = data.credit_specification(credits);
    }
    data.build()
}
