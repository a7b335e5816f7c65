//! The images of kops' stable channel, for groups that name none (kops v1.36.2,
//! `channels/stable`).

use crate::ec2::instance_type::{ARM64, X86_64};
use crate::ec2::launch_template::WantedImage;
use crate::spec::cluster::{Cluster, Version};
use crate::spec::object::filled;

const STABLE: &str = "stable";

type ByArchitecture = [(&'static str, &'static str); 2];

/// From which Kubernetes on, the newest first.
const IMAGES: [(Version, ByArchitecture); 3] = [
    (
        Version(1, 32),
        [
            (
                X86_64,
                "099720109477/ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260218",
            ),
            (
                ARM64,
                "099720109477/ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20260218",
            ),
        ],
    ),
    (
        Version(1, 27),
        [
            (X86_64, "099720109477/ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20260410"),
            (ARM64, "099720109477/ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-arm64-server-20260410"),
        ],
    ),
    (
        Version(1, 20),
        [
            (X86_64, "099720109477/ubuntu/images/hvm-ssd/ubuntu-focal-20.04-amd64-server-20250624"),
            (ARM64, "099720109477/ubuntu/images/hvm-ssd/ubuntu-focal-20.04-arm64-server-20250624"),
        ],
    ),
];

/// The image of a group that names none.
///
/// # Errors
/// Why it is not known.
pub(super) fn image(cluster: &Cluster) -> Result<WantedImage, String> {
    let channel = filled(&cluster.spec.channel).unwrap_or(STABLE);
    if channel != STABLE {
        return Err(format!("what images the channel {channel:?} names is not known here"));
    }
    let version = filled(&cluster.spec.kubernetes_version).unwrap_or_default();
    let of_version = Version::parse(version).and_then(|version| {
        let mut images = IMAGES.iter();
        images.find(|(from, _)| version >= *from).map(|(_, images)| images)
    });
    match of_version {
        Some(images) => Ok(WantedImage::ByArchitecture(images)),
        None => Err(format!("the channel {STABLE} names none for Kubernetes {version:?}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn image_of(spec: Json, architectures: &[&str]) -> Result<String, String> {
        let cluster: Cluster = serde_json::from_value(json!({"spec": spec})).unwrap();
        let architectures: Vec<String> = architectures.iter().map(|own| (*own).into()).collect();
        Ok(image(&cluster)?.of(&architectures).unwrap_or_default().to_owned())
    }

    #[test]
    fn the_version_and_the_architecture_tell_the_image() {
        for (version, architectures, expected) in [
            ("1.36.2", &["x86_64"][..], "ubuntu-noble-24.04-amd64-server-20260218"),
            ("v1.32.0", &["arm64"], "ubuntu-noble-24.04-arm64-server-20260218"),
            ("1.31.9", &["i386", "x86_64"], "ubuntu-jammy-22.04-amd64-server-20260410"),
            ("1.27.0", &["arm64"], "ubuntu-jammy-22.04-arm64-server-20260410"),
            ("1.26.5", &["x86_64"], "ubuntu-focal-20.04-amd64-server-20250624"),
            ("1.32.0", &["mips"], ""),
        ] {
            let found = image_of(json!({"kubernetesVersion": version}), architectures).unwrap();
            assert!(found.ends_with(expected), "{version}: {found}");
        }
    }

    #[test]
    fn what_the_channel_does_not_tell_is_an_error() {
        let old = image_of(json!({"kubernetesVersion": "1.10.3"}), &["x86_64"]).unwrap_err();
        assert_eq!(old, "the channel stable names none for Kubernetes \"1.10.3\"");
        let other = json!({"kubernetesVersion": "1.36.2", "channel": "alpha"});
        let other = image_of(other, &["x86_64"]).unwrap_err();
        assert_eq!(other, "what images the channel \"alpha\" names is not known here");
    }
}
