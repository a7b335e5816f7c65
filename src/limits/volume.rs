//! EBS volumes: what each type takes.
//!
//! Sources: EC2 API, `CreateVolume`; EBS user guide, "Amazon EBS volume types".

use super::kms;

/// What a type of volume takes.
#[derive(Debug)]
pub(crate) struct VolumeType {
    pub(crate) name: &'static str,
    /// In GiB.
    pub(crate) size: (i64, i64),
    pub(crate) iops: Option<Iops>,
    /// In MiB a second.
    pub(crate) throughput: Option<(i64, i64)>,
    /// Whether instances can start from it.
    pub(crate) boots: bool,
}

/// Operations a second.
#[derive(Debug)]
pub(crate) struct Iops {
    pub(crate) least: i64,
    pub(crate) most: i64,
    /// Never fewer than `least`, whatever the size.
    pub(crate) per_gib: i64,
}

/// MiB a second need four operations each.
const OPERATIONS_PER_MIB: i64 = 4;

const fn iops(least: i64, most: i64, per_gib: i64) -> Option<Iops> {
    Some(Iops { least, most, per_gib })
}

#[rustfmt::skip]
pub(crate) const TYPES: [VolumeType; 7] = [
    VolumeType { name: "gp2", size: (1, 16_384), iops: None, throughput: None, boots: true },
    VolumeType { name: "gp3", size: (1, 65_536), iops: iops(3_000, 80_000, 500), throughput: Some((125, 2_000)), boots: true },
    VolumeType { name: "io1", size: (4, 16_384), iops: iops(100, 64_000, 50), throughput: None, boots: true },
    VolumeType { name: "io2", size: (4, 65_536), iops: iops(100, 256_000, 1_000), throughput: None, boots: true },
    VolumeType { name: "sc1", size: (125, 16_384), iops: None, throughput: None, boots: false },
    VolumeType { name: "st1", size: (125, 16_384), iops: None, throughput: None, boots: false },
    VolumeType { name: "standard", size: (1, 1_024), iops: None, throughput: None, boots: true },
];

const SOURCE: &str = "EC2 API, CreateVolume";
const GUIDE: &str = "EBS user guide, volume types";

/// A volume as it is asked for, defaults filled in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Asked {
    pub(crate) kind: String,
    pub(crate) size: i64,
    pub(crate) iops: Option<i64>,
    pub(crate) throughput: Option<i64>,
    pub(crate) encrypted: bool,
    pub(crate) key: Option<String>,
}

/// The part of a volume that AWS refuses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    Kind,
    Size,
    Iops,
    Throughput,
    Key,
}

/// What a volume is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Use {
    Root,
    Data,
    /// A member of etcd, for which kops takes fewer operations than EBS.
    Etcd,
}

/// Operations a second of io2 for each GiB (kops `pkg/model/master_volumes.go`).
const ETCD_PER_GIB: i64 = 500;

pub(crate) fn named(name: &str) -> Option<&'static VolumeType> {
    TYPES.iter().find(|kind| kind.name == name)
}

/// Whether a type has operations a second to choose.
pub(crate) fn has_iops(name: &str) -> bool {
    named(name).is_some_and(|kind| kind.iops.is_some())
}

/// Whether a type has a throughput to choose.
pub(crate) fn has_throughput(name: &str) -> bool {
    named(name).is_some_and(|kind| kind.throughput.is_some())
}

/// Everything of a volume that AWS or kops refuses, and why.
pub(crate) fn refusals(asked: &Asked, purpose: Use) -> Vec<(Part, String)> {
    let mut found = Vec::new();
    if let Some(reason) = asked.key.as_deref().and_then(kms::key_refusal) {
        found.push((Part::Key, reason));
    }
    if asked.key.is_some() && !asked.encrypted {
        let message = format!("is for encrypted volumes only ({SOURCE}); encrypt this one too");
        found.push((Part::Key, message));
    }
    let Some(kind) = named(&asked.kind) else {
        let known: Vec<&str> = TYPES.iter().map(|kind| kind.name).collect();
        let message = format!("is {:?}; allowed are {} ({SOURCE})", asked.kind, known.join(", "));
        found.push((Part::Kind, message));
        return found;
    };
    let name = kind.name;
    if purpose == Use::Root && !kind.boots {
        let message = format!("is {name}, from which no instance starts ({GUIDE}); choose another");
        found.push((Part::Kind, message));
    }
    let size_is_right = (kind.size.0..=kind.size.1).contains(&asked.size);
    if !size_is_right {
        let (least, most) = kind.size;
        let message = format!("is {}; {name} takes {least} to {most} GiB ({SOURCE})", asked.size);
        found.push((Part::Size, message));
    }
    if let (Some(asked_iops), Some(iops)) = (asked.iops, &kind.iops) {
        let (per_gib, source) = match purpose {
            Use::Etcd if iops.per_gib > ETCD_PER_GIB => (ETCD_PER_GIB, "kops, etcd's volumes"),
            _ => (iops.per_gib, GUIDE),
        };
        let most = iops.least.max(asked.size.saturating_mul(per_gib)).min(iops.most);
        if !(iops.least..=iops.most).contains(&asked_iops) {
            let Iops { least, most, .. } = iops;
            let message = format!("is {asked_iops}; {name} takes {least} to {most} ({SOURCE})");
            found.push((Part::Iops, message));
        } else if size_is_right && asked_iops > most {
            let message = format!(
                "is {asked_iops}; {name} takes {per_gib} a GiB, so {most} for {} GiB ({source})",
                asked.size
            );
            found.push((Part::Iops, message));
        }
    }
    match (asked.throughput, kind.throughput, &kind.iops) {
        (Some(wanted), Some((least, most)), _) if !(least..=most).contains(&wanted) => {
            let message = format!("is {wanted}; {name} takes {least} to {most} MiB/s ({SOURCE})");
            found.push((Part::Throughput, message));
        }
        (Some(wanted), Some(_), Some(iops)) => {
            let given = asked.iops.unwrap_or(iops.least);
            let most = given / OPERATIONS_PER_MIB;
            if wanted > most {
                let message = format!(
                    "is {wanted}; {name} takes a quarter of its {given} operations, {most} MiB/s \
                     ({GUIDE}); raise them too"
                );
                found.push((Part::Throughput, message));
            }
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(kind: &VolumeType, size: i64) -> Asked {
        Asked {
            kind: kind.name.to_owned(),
            size,
            iops: None,
            throughput: None,
            encrypted: false,
            key: None,
        }
    }

    fn parts(asked: &Asked) -> Vec<Part> {
        refusals(asked, Use::Data).into_iter().map(|(part, _)| part).collect()
    }

    #[test]
    fn sizes_are_taken_at_the_limits_of_their_type() {
        for kind in &TYPES {
            let (least, most) = kind.size;
            for size in [least, least + 1, most - 1, most] {
                assert_eq!(parts(&asked(kind, size)), [], "{} of {size}", kind.name);
            }
            for size in [least - 1, most + 1, -5, i64::MAX] {
                assert_eq!(parts(&asked(kind, size)), [Part::Size], "{} of {size}", kind.name);
            }
        }
    }

    #[test]
    fn operations_are_taken_at_the_limits_of_type_and_size() {
        for kind in &TYPES {
            let Some(iops) = &kind.iops else { continue };
            let with = |size, number| {
                let asked = Asked { iops: Some(number), ..asked(kind, size) };
                parts(&asked)
            };
            let largest = kind.size.1;
            for number in [iops.least, iops.most - 1, iops.most] {
                assert_eq!(with(largest, number), [], "{} with {number}", kind.name);
            }
            for number in [iops.least - 1, iops.most + 1, -1] {
                assert_eq!(with(largest, number), [Part::Iops], "{} with {number}", kind.name);
            }
            let size = iops.least / iops.per_gib + kind.size.0;
            let most = size * iops.per_gib;
            assert_eq!(with(size, most), [], "{} of {size} with {most}", kind.name);
            assert_eq!(with(size, most + 1), [Part::Iops], "{} of {size}", kind.name);
            // What any size has.
            assert_eq!(with(kind.size.0, iops.least), [], "{}", kind.name);
        }
    }

    #[test]
    fn etcd_takes_half_of_the_operations_that_io2_has() {
        for (purpose, most) in [(Use::Etcd, 50_000), (Use::Data, 100_000)] {
            for (number, is_taken) in [(most, true), (most + 1, false)] {
                let io2 = Asked { iops: Some(number), ..asked(&TYPES[3], 100) };
                assert_eq!(refusals(&io2, purpose).is_empty(), is_taken, "{purpose:?} {number}");
            }
        }
    }

    #[test]
    fn throughput_is_for_gp3_and_follows_its_operations() {
        for kind in &TYPES {
            let with = |throughput, iops| {
                let asked =
                    Asked { throughput: Some(throughput), iops, ..asked(kind, kind.size.1) };
                parts(&asked)
            };
            assert_eq!(has_throughput(kind.name), kind.name == "gp3");
            if kind.throughput.is_none() {
                continue;
            }
            for (throughput, iops, is_taken) in [
                (124, None, false),
                (125, None, true),
                (750, None, true),
                (751, None, false),
                (1_000, Some(4_000), true),
                (1_001, Some(4_000), false),
                (2_000, Some(8_000), true),
                (2_001, Some(80_000), false),
            ] {
                assert_eq!(with(throughput, iops).is_empty(), is_taken, "{throughput} {iops:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_told() {
        let gp3 = asked(&TYPES[1], 20);
        let key = Some("key-1".to_owned());
        assert_eq!(parts(&Asked { key: key.clone(), ..gp3.clone() }), [Part::Key]);
        assert_eq!(parts(&Asked { key, encrypted: true, ..gp3.clone() }), []);
        assert_eq!(parts(&Asked { kind: "gp9".to_owned(), ..gp3 }), [Part::Kind]);
        for kind in &TYPES {
            let found = refusals(&asked(kind, kind.size.1), Use::Root);
            assert_eq!(found.is_empty(), kind.boots, "{}", kind.name);
        }
    }
}
