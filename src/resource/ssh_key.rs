//! `SSHKey`: the key pair with which people log in to instances.

use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::ResourceType;

use super::ids::Work;
use super::live::Live;
use super::managed::{Fields, Looked, Manage, Ownership, Update, View};
use super::{Kind, ResourceId, Tags, ec2};
use crate::aws::{Answer, Aws, AwsError, Fault, batch};

const DESCRIBE: &str = "ec2:DescribeKeyPairs";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SshKey {
    pub(crate) name: String,
    /// The key in OpenSSH's form; `None` for a key pair of the user's own.
    pub(crate) public_key: Option<String>,
    pub(crate) tags: Tags,
}

/// The names of key pairs that were found. A name carries the key's fingerprint, so that no
/// more need be compared.
pub(super) async fn observe(aws: &Aws, names: &[String]) -> Result<Looked<String>, AwsError> {
    let read = batch::read(names, batch::FILTER_VALUES, async |names: &[String]| {
        let call = aws.ec2.describe_key_pairs().filters(ec2::filter("key-name", names));
        let answer = call.send().await;
        let answer = answer.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
        let keys = answer.key_pairs().iter();
        keys.map(|key| Answer::of(DESCRIBE, "").id("keyName", key.key_name())).collect()
    });
    Looked::sort(read.await)
}

impl Manage for SshKey {
    type Live = String;

    fn id(&self) -> ResourceId {
        ResourceId::new(Kind::SshKey, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn looked(live: &Live) -> &Looked<String> {
        &live.ssh_keys
    }

    fn is(&self, found: &String, _: View<'_>) -> bool {
        *found == self.name
    }

    fn aws_id(found: &String) -> String {
        found.clone()
    }

    fn wanted(&self, _: View<'_>) -> Fields {
        Fields::default()
    }

    fn found(&self, _: &String, _: View<'_>) -> Fields {
        Fields::default()
    }

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

    async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
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

    async fn update(&self, _: &Work<'_>, _: &Update) -> Result<(), AwsError> {
        Ok(())
    }
}
