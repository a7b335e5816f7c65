//! What instances are made of.

use crate::aws::tags::Tags;

/// What a version of a launch template holds, one that is there or one that is wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Content {
    pub(crate) image: Option<String>,
    pub(crate) machine_type: Option<String>,
    pub(crate) ssh_key: Option<String>,
    /// The name of the instance profile.
    pub(crate) profile: Option<String>,
    /// By their ids, or by their names where they are compared.
    pub(crate) security_groups: Vec<String>,
    pub(crate) public_ip: Option<bool>,
    /// How many addresses of IPv6 an instance gets.
    pub(crate) ipv6_addresses: i32,
    /// By their devices.
    pub(crate) volumes: Vec<(String, Volume)>,
    /// The disks of the instance itself, by the devices that they are mapped to.
    pub(crate) ephemeral: Vec<(String, String)>,
    pub(crate) monitoring: bool,
    pub(crate) tenancy: Option<String>,
    pub(crate) spot: Option<Spot>,
    /// `required` or `optional`.
    pub(crate) http_tokens: Option<String>,
    pub(crate) http_hop_limit: Option<i32>,
    /// Whether metadata is there over IPv6 too.
    pub(crate) http_ipv6: bool,
    pub(crate) cpu_credits: Option<String>,
    pub(crate) ebs_optimized: Option<bool>,
    pub(crate) user_data: Option<Vec<u8>>,
    pub(crate) started_tags: StartedTags,
}

/// The tags of what is started with it: instances, their volumes and their interfaces.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StartedTags {
    pub(crate) instance: Tags,
    pub(crate) volume: Tags,
    pub(crate) interface: Tags,
}

impl StartedTags {
    pub(crate) fn all(tags: &Tags) -> Self {
        let [instance, volume, interface] = [tags.clone(), tags.clone(), tags.clone()];
        Self { instance, volume, interface }
    }

    /// Each with what carries it.
    pub(super) fn each(&self) -> [(&'static str, &Tags); 3] {
        [
            ("instance", &self.instance),
            ("volume", &self.volume),
            ("network-interface", &self.interface),
        ]
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Volume {
    /// In GiB.
    pub(crate) size: i32,
    pub(crate) volume_type: String,
    pub(crate) iops: Option<i32>,
    /// In MiB a second.
    pub(crate) throughput: Option<i32>,
    pub(crate) encrypted: bool,
    pub(crate) kms_key: Option<String>,
    pub(crate) delete_on_termination: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spot {
    /// In dollars an hour; `None` for up to the price on demand.
    pub(crate) price: Option<String>,
    pub(crate) minutes: Option<i32>,
    pub(crate) interruption: Option<String>,
}
