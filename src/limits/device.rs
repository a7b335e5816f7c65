//! Names of devices at which volumes are attached.

const SOURCE: &str = "EC2 user guide, Device names for volumes";

/// Why EC2 refuses a name, or `None` if it does not.
pub(crate) fn refusal(device: &str) -> Option<String> {
    let name = bare(device);
    let rest = name.strip_prefix("xvd").or_else(|| name.strip_prefix("sd"));
    let is_device = rest.is_some_and(|rest| {
        let letters = rest.bytes().take_while(u8::is_ascii_lowercase).count();
        let digits = &rest[letters..];
        (1..=2).contains(&letters)
            && digits.len() <= 2
            && digits.bytes().all(|b| b.is_ascii_digit())
    });
    (!is_device).then(|| {
        format!(
            "is {}; EC2 takes /dev/xvdX and /dev/sdX, such as /dev/xvdd ({SOURCE})",
            super::shorten(device)
        )
    })
}

/// Whether two names are those of one device: `/dev/` may be left out.
pub(crate) fn is_same(left: &str, right: &str) -> bool {
    bare(left) == bare(right)
}

fn bare(device: &str) -> &str {
    device.strip_prefix("/dev/").unwrap_or(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_ec2_names_them() {
        for device in ["/dev/xvdd", "/dev/sdf", "xvdh", "/dev/sda1", "/dev/xvdba", "/dev/sdb15"] {
            assert_eq!(refusal(device), None, "{device}");
        }
        for device in
            ["disk one", "/dev/nvme1n1", "/dev/xvd", "/dev/sdF", "/dev/xvdabc", "/dev/hda", ""]
        {
            assert!(refusal(device).is_some(), "{device}");
        }
        assert!(is_same("/dev/sdf", "sdf") && !is_same("/dev/sdf", "/dev/sdg"));
    }
}
