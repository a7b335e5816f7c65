//! Versions of templates as tests imagine them: each with one field otherwise.

use super::content::{Content, Spot, StartedTags, Volume};

/// The root device of the images that tests imagine.
pub(crate) const ROOT_DEVICE: &str = "/dev/xvda";

/// By the names under which the fields are told. The root volume is the first.
pub(super) fn contents(content: &Content) -> Vec<(&'static str, Content)> {
    let other = || Some("other".to_owned());
    let (mut device, mut root, mut more) =
        (content.volumes.clone(), content.volumes.clone(), content.volumes.clone());
    device[0].0 = "/dev/sda1".to_owned();
    root[0].1.size += 1;
    more.push(("/dev/xvdz".to_owned(), Volume::default()));
    let disks = vec![("/dev/sdc".to_owned(), "ephemeral0".to_owned())];
    let all = vec![
        ("image", Content { image: other(), ..content.clone() }),
        ("machineType", Content { machine_type: other(), ..content.clone() }),
        ("sshKey", Content { ssh_key: other(), ..content.clone() }),
        ("instanceProfile", Content { profile: other(), ..content.clone() }),
        ("securityGroups", Content { security_groups: Vec::new(), ..content.clone() }),
        ("publicIp", Content { public_ip: None, ..content.clone() }),
        ("ipv6AddressCount", Content { ipv6_addresses: 9, ..content.clone() }),
        ("rootDevice", Content { volumes: device, ..content.clone() }),
        ("rootVolume", Content { volumes: root, ..content.clone() }),
        ("volumes", Content { volumes: more, ..content.clone() }),
        ("ephemeral", Content { ephemeral: disks, ..content.clone() }),
        ("monitoring", Content { monitoring: !content.monitoring, ..content.clone() }),
        ("tenancy", Content { tenancy: other(), ..content.clone() }),
        ("httpTokens", Content { http_tokens: other(), ..content.clone() }),
        ("httpPutResponseHopLimit", Content { http_hop_limit: Some(9), ..content.clone() }),
        ("httpProtocolIpv6", Content { http_ipv6: !content.http_ipv6, ..content.clone() }),
        ("cpuCredits", Content { cpu_credits: other(), ..content.clone() }),
        ("ebsOptimized", Content { ebs_optimized: Some(false), ..content.clone() }),
        ("userData", Content { user_data: Some(b"other".to_vec()), ..content.clone() }),
        ("instanceTags", Content { started_tags: StartedTags::default(), ..content.clone() }),
    ];
    let spots = match &content.spot {
        None => vec![("market", Spot { price: None, minutes: None, interruption: None })],
        Some(spot) => vec![
            ("maxPrice", Spot { price: other(), ..spot.clone() }),
            ("spotDurationInMinutes", Spot { minutes: Some(9), ..spot.clone() }),
            ("instanceInterruptionBehavior", Spot { interruption: other(), ..spot.clone() }),
        ],
    };
    let spots = spots.into_iter().map(|(field, spot)| (field, Some(spot)));
    let spots = spots.map(|(field, spot)| (field, Content { spot, ..content.clone() }));
    all.into_iter().chain(spots).collect()
}
