//! What a write needs to be sent.

use std::sync::{Mutex, PoisonError};

use md5::{Digest as _, Md5};

use crate::aws::{Aws, AwsError, Fault};
use crate::core::id::{Address, Id, Ids, Known, Ref};
use crate::core::kind::ResourceId;
use crate::core::wait::Waits;

/// Where writes go, and for whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) cluster: &'a str,
}

/// What a write needs beside its own content: the clients, and the ids known so far.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) aws: &'a Aws,
    pub(crate) waits: Waits<'a>,
    place: Place<'a>,
    ids: Mutex<Ids>,
    told: Mutex<Vec<Told>>,
}

impl Place<'_> {
    /// The client token under which a resource is created: the same in every run that wants
    /// the same thing, so that AWS makes one of it whoever asks. `within` is what it is part
    /// of; `generation` counts those of the name that were deleted since.
    fn token(&self, resource: &ResourceId, within: &str, generation: u32) -> String {
        let Place { account, region, cluster } = *self;
        let text = format!("{account}\0{region}\0{cluster}\0{resource}\0{within}\0{generation}");
        let mut token = "kapstan-".to_owned();
        for byte in Md5::digest(text) {
            token.push_str(&format!("{byte:02x}"));
        }
        token
    }
}

/// What a write left undone, though that fails nothing.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) object: String,
    pub(crate) message: String,
    pub(crate) next: String,
}

impl<'a> Work<'a> {
    pub(crate) fn new(aws: &'a Aws, place: Place<'a>, ids: Ids, waits: Waits<'a>) -> Self {
        Self { aws, waits, place, ids: Mutex::new(ids), told: Mutex::default() }
    }

    /// Passes over a call that tags and that the region lacks; it is told at the end.
    pub(crate) fn unless_lacking(&self, answer: Result<(), AwsError>) -> Result<(), AwsError> {
        match answer {
            Err(error) if error.fault == Fault::Lacking => {
                self.tell(Told {
                    object: error.object.clone(),
                    message: format!("is left untagged, since this region lacks that: {error}"),
                    next: "nothing need be done; each update tries it again".to_owned(),
                });
                Ok(())
            }
            answer => answer,
        }
    }

    pub(crate) fn tell(&self, told: Told) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }

    /// What was left undone so far.
    pub(crate) fn told(&self) -> Vec<Told> {
        std::mem::take(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn token(&self, resource: &ResourceId, within: &str, generation: u32) -> String {
        self.place.token(resource, within, generation)
    }

    pub(crate) fn learn(&self, known: Known) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).learn(known);
    }

    pub(crate) fn learn_address(&self, resource: ResourceId, address: Address) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.learn_address(resource, address);
    }

    /// Where a load balancer is reached that existed before or was created by now.
    ///
    /// # Errors
    /// None of that name was found or created.
    pub(crate) fn address(&self, resource: &ResourceId) -> Result<Address, AwsError> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.address(resource).cloned().ok_or_else(|| unknown(resource))
    }

    /// AWS' id of a resource that existed before or was created by now.
    ///
    /// # Errors
    /// Nothing of that name was found or created.
    pub(crate) fn id<K>(&self, wanted: &Ref<K>) -> Result<Id<K>, AwsError> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.of(wanted).ok_or_else(|| unknown(wanted))
    }

    pub(crate) fn ids<K>(&self, wanted: &[Ref<K>]) -> Result<Vec<Id<K>>, AwsError> {
        wanted.iter().map(|wanted| self.id(wanted)).collect()
    }
}

fn unknown(resource: &ResourceId) -> AwsError {
    AwsError {
        operation: "kapstan",
        object: resource.to_string(),
        fault: Fault::Other,
        message: "it was neither found nor created, so nothing can refer to it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec2::volume::EbsVolume;
    use crate::vpc::route_table::RouteTable;

    #[test]
    fn a_token_tells_one_thing_from_another_and_fits() {
        let place =
            |cluster: &'static str| Place { account: "123456789012", region: "us-west-2", cluster };
        let volume = ResourceId::new(EbsVolume::KIND, "a.etcd-main.dev.example.com");
        let table = ResourceId::new(RouteTable::KIND, "a.etcd-main.dev.example.com");
        let token = place("dev.example.com").token(&volume, "us-west-2a", 0);
        assert_eq!(token, place("dev.example.com").token(&volume, "us-west-2a", 0));
        // EC2 takes 64 ASCII characters.
        assert!(token.len() <= 64 && token.is_ascii(), "{token}");
        for other in [
            place("dev.example.com").token(&volume, "us-west-2a", 1),
            place("dev.example.com").token(&volume, "us-west-2b", 0),
            place("dev.example.com").token(&table, "us-west-2a", 0),
            place("prod.example.com").token(&volume, "us-west-2a", 0),
        ] {
            assert_ne!(token, other);
        }
    }
}
