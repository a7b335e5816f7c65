//! `SSHKey`: the key pair with which people log in to instances.

use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::ResourceType;

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, batch, done, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::Delete;
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, Ownership, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::Work;
use crate::limits::KEY_PAIR_NAME;

const DESCRIBE: &str = "ec2:DescribeKeyPairs";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SshKey {
    pub(crate) name: String,
    /// The key in OpenSSH's form; `None` for a key pair of the user's own.
    pub(crate) public_key: Option<String>,
    pub(crate) tags: Tags,
}

/// A key pair that was found. Its name carries the key's fingerprint, so that no more need be
/// compared.
#[derive(Clone, Debug)]
pub(crate) struct LiveKeyPair {
    /// That of EC2, which no call needs.
    pub(crate) id: String,
    pub(crate) name: Id<SshKey>,
    pub(crate) tags: Tags,
}

impl LiveKeyPair {
    /// kops does not tag key pairs, but a name of its form is no one else's: the cluster's, and
    /// the sixteen bytes of the key's fingerprint.
    pub(crate) fn marks(&self, cluster: &str) -> Marks<'_> {
        let own = self.name.strip_prefix("kubernetes.").and_then(|own| own.strip_prefix(cluster));
        let fits = own.and_then(|own| own.strip_prefix('-')).is_some_and(is_fingerprint);
        Marks::of(&self.name).or_id(&self.id).tags(&self.tags).fits(fits)
    }
}

/// Whether a text is sixteen bytes in hexadecimal digits, with colons between them.
fn is_fingerprint(text: &str) -> bool {
    let bytes: Vec<&str> = text.split(':').collect();
    let is_byte = |byte: &&str| byte.len() == 2 && byte.bytes().all(|b| b.is_ascii_hexdigit());
    bytes.len() == 16 && bytes.iter().all(is_byte)
}

/// The key pairs of these names, and all that bear a name of the cluster's.
#[derive(Debug)]
pub(crate) struct KeyPairs(Vec<String>);

impl Look for KeyPairs {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let own = format!("kubernetes.{}-*", asked.cluster());
        let wanted = asked.wanted::<SshKey>().iter().map(|key| key.name.clone());
        let names = std::iter::once(own).chain(wanted).collect();
        asked.looks_at(&[SshKey::KIND]).then_some(Self(names))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let named = async |names: &[String]| read(aws, names).await;
        let rows = batch::read(&self.0, batch::FILTER_VALUES, named).await;
        Ok(Seen::default().with(Looked::sort(rows)?))
    }
}

impl Presence for SshKey {
    const LOOKS: &'static [Looking] = &[Looking::of::<KeyPairs>()];

    const IS_SOUGHT: bool = true;

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let keys = around.seen.rows::<LiveKeyPair>().iter().map(|key| {
            let whose = around.owner.whose(Self::KIND, &key.marks(around.owner.cluster()));
            let deletion = KeyPairDeletion(key.name.clone());
            Belonging::new(ResourceId::new(Self::KIND, &key.name), whose, deletion)
        });
        keys.collect()
    }
}

async fn read(aws: &Aws, names: &[String]) -> Result<Vec<LiveKeyPair>, AwsError> {
    let call = aws.ec2.describe_key_pairs().filters(ec2::filter("key-name", names));
    let answer = call.send().await;
    let answer = answer.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
    let live = answer.key_pairs().iter().map(|key| {
        let name = Id::given(Answer::of(DESCRIBE, ""), "keyName", key.key_name())?;
        Ok(LiveKeyPair {
            id: Answer::of(DESCRIBE, &name).text("keyPairId", key.key_pair_id())?,
            tags: ec2::tags_from_sdk(key.tags()),
            name,
        })
    });
    live.collect()
}

impl Manage for SshKey {
    type Live = LiveKeyPair;
    type Fields = ();

    fn id(&self) -> ResourceId {
        ResourceId::new(SshKey::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn is(&self, found: &LiveKeyPair, _: View<'_>) -> bool {
        found.name == self.name
    }

    fn marks<'a>(&self, found: &'a LiveKeyPair, view: View<'a>) -> Vec<Marks<'a>> {
        vec![found.marks(view.owner.cluster())]
    }

    fn adopt(&self, found: &LiveKeyPair, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::Ec2(&found.id)))
    }

    fn aws_id(found: &LiveKeyPair) -> Id<Self> {
        found.name.clone()
    }

    fn wanted(&self, _: View<'_>) {}

    fn found(&self, _: &LiveKeyPair, _: View<'_>) {}

    fn ownership(&self) -> Ownership {
        if self.public_key.is_none() { Ownership::Shared } else { Ownership::Ours }
    }

    fn obstacle(&self, _: View<'_>) -> Option<(String, String)> {
        self.public_key.is_none().then(|| {
            (
                "spec.sshKeyName names a key pair that does not exist in EC2".to_owned(),
                "correct the name, or keep a public key: kapstan create secret sshpublickey"
                    .to_owned(),
            )
        })
    }

    fn given(&self) -> Given<'_> {
        Given::name(&KEY_PAIR_NAME, &self.name).tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let Some(key) = &self.public_key else { return Ok(None) };
        let call = work.aws.ec2.import_key_pair().key_name(&self.name);
        let answer = call
            .public_key_material(Blob::new(key.trim()))
            .tag_specifications(ec2::specification(ResourceType::KeyPair, &self.tags))
            .send()
            .await;
        match answer.map_err(|error| AwsError::new("ec2:ImportKeyPair", &self.name, error)) {
            // The name carries the key's fingerprint: what has it is the same key.
            Err(error) if error.fault == Fault::Conflict => Ok(None),
            answer => answer.map(|_| None),
        }
    }

    async fn update(&self, _: &Work<'_>, _: &Id<Self>, (): &()) -> Result<(), AwsError> {
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, _: View<'_>) -> LiveKeyPair {
        let name = Id::imagined(&self.name);
        LiveKeyPair { id: id.to_string(), name, tags: self.tags.clone() }
    }

    #[cfg(test)]
    fn disturbed(&self, _: &LiveKeyPair) -> Vec<(&'static str, LiveKeyPair)> {
        Vec::new()
    }
}

/// Deletes a key pair, by its name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeyPairDeletion(pub(crate) Id<SshKey>);

impl Delete for KeyPairDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(name) = self;
        let call = aws.ec2.delete_key_pair().key_name(name);
        done("ec2:DeleteKeyPair", name, call.send().await)
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}

impl Unclaimed for SshKey {
    /// Key pairs that earlier keys have left. What still starts instances with one holds it: those
    /// that run need none, but none starts from a version of a launch template that names one which
    /// is gone (EC2 API, `RunInstances`).
    fn unclaimed(sweep: &mut Sweep<'_>) {
        let cluster = sweep.view().owner.cluster();
        for found in sweep.rows::<LiveKeyPair>(SshKey::KIND) {
            let id = ResourceId::new(SshKey::KIND, &found.name);
            let is_ours = sweep.whose(SshKey::KIND, &found.marks(cluster)).is_owned();
            if is_ours && !sweep.is_wanted(&id) {
                let place = Place::new(SshKey::KIND, &found.name);
                sweep.offer(Offer::new(id, place, KeyPairDeletion(found.name.clone())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::whose::Owner;

    #[test]
    fn a_key_pair_is_the_cluster_s_by_the_whole_form_of_its_name() {
        const BYTES: &str = "aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99";
        let owner = Owner::with_spec("a.com");
        for (name, expected) in [
            (format!("kubernetes.a.com-{BYTES}"), true),
            (format!("kubernetes.a.com-b-{BYTES}"), false),
            (format!("kubernetes.b.a.com-{BYTES}"), false),
            (format!("kubernetes.a.com-{BYTES}:00"), false),
            ("kubernetes.a.com-aa:bb".to_owned(), false),
            ("kubernetes.a.com-mine".to_owned(), false),
        ] {
            let key =
                LiveKeyPair { id: "key-1".to_owned(), name: Id::imagined(name), tags: Tags::new() };
            let whose = owner.whose(SshKey::KIND, &key.marks("a.com"));
            assert_eq!(whose.is_owned(), expected, "{}", key.name);
        }
    }
}
