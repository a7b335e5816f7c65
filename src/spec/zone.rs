//! Availability zones, and the region that each lies in.

/// The region of an availability zone, local and wavelength zones included:
/// `us-west-2a`, `us-west-2-lax-1a` and `us-east-1-wl1-bos-wlz-1` lie in the region whose
/// name ends with their first number. `None` for what is no zone.
pub(crate) fn region_of_zone(zone: &str) -> Option<&str> {
    let letters = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase());
    let number = zone.find(|c: char| c.is_ascii_digit())?;
    let digits = zone[number..].bytes().take_while(u8::is_ascii_digit).count();
    let (region, rest) = zone.split_at(number + digits);
    let mut words = region[..number].strip_suffix('-')?.split('-');
    let is_region = words.clone().count() >= 2 && words.all(letters);
    let is_zone = match rest.strip_prefix('-') {
        Some(group) => !group.is_empty(),
        None => rest.len() == 1 && letters(rest),
    };
    (is_region && is_zone).then_some(region)
}

#[cfg(test)]
mod tests {
    use super::region_of_zone;

    #[test]
    fn zones_tell_their_region() {
        for (zone, region) in [
            ("us-west-2a", Some("us-west-2")),
            ("us-gov-west-1b", Some("us-gov-west-1")),
            ("us-west-2-lax-1a", Some("us-west-2")),
            ("us-west-2", None),
            ("uswest2a", None),
            ("us-west-2ab", None),
            ("", None),
        ] {
            assert_eq!(region_of_zone(zone), region, "{zone}");
        }
    }
}
