//! Machine images: by id, by owner and name, or by a parameter of Systems Manager.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{try_join_all, try_join3};

use crate::aws::{Answer, Aws, AwsError, batch, ec2};
use crate::core::drift::Image;
use crate::policy::pattern;

const NONE: &str = "no such image can be seen from this account and region";

#[derive(Clone, Debug)]
pub(crate) struct LiveImage {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: String,
    /// What AWS calls the owner, where it has a word for it.
    pub(crate) alias: Option<String>,
    /// `x86_64` or `arm64`; empty where it is not told.
    pub(crate) architecture: String,
    /// When it was made, by which texts of it sort.
    pub(crate) made: String,
    pub(crate) root_device: String,
    /// Whose images were asked for when this was the answer.
    pub(crate) asked: Option<String>,
}

impl LiveImage {
    pub(crate) fn told(&self) -> Image {
        let Self { id, name, owner, alias, .. } = self.clone();
        Image { id, name, owner, owner_alias: alias }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Images {
    by_id: BTreeMap<String, LiveImage>,
    /// The ids of the images of each name, by the owner that was asked for.
    by_name: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// The image ids that parameters hold.
    parameters: BTreeMap<String, String>,
}

/// The accounts behind the names that kops knows (`upup/pkg/fi/cloudup/awsup`,
/// `ResolveImageOwnerAlias`).
const OWNERS: [(&str, &str); 10] = [
    ("amazon", "137112412989"),
    ("amazon.com", "137112412989"),
    ("debian", "136693071363"),
    ("debian11", "136693071363"),
    ("flatcar", "075585003325"),
    ("redhat", "309956199498"),
    ("redhat.com", "309956199498"),
    ("ubuntu", "099720109477"),
    ("rocky", "792107900819"),
    ("rockylinux", "792107900819"),
];

/// What stands for accounts that only EC2 knows.
const MARKETPLACE: &str = "aws-marketplace";

fn owner_account(owner: &str) -> &str {
    OWNERS.iter().find(|(name, _)| *name == owner).map_or(owner, |(_, account)| account)
}

/// Whether EC2 takes it for an owner: it refuses a whole call for one that it does not know.
fn is_owner(account: &str) -> bool {
    let is_number = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    is_number || ["self", MARKETPLACE].contains(&account)
}

/// Reads the images that specs name: one call for ids, one an owner for names, so that nobody's
/// answers another's question, and for parameters one for their values and one for what those name.
pub(crate) async fn observe(aws: &Aws, specs: &BTreeSet<String>) -> Result<Images, AwsError> {
    let ids = specs.iter().filter(|spec| spec.starts_with("ami-")).cloned().collect::<Vec<_>>();
    let parameters: Vec<String> =
        specs.iter().filter_map(|spec| spec.strip_prefix("ssm:").map(str::to_owned)).collect();
    let mut named: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (owner, name) in specs.iter().filter_map(|spec| owner_and_name(spec)) {
        let account = owner_account(owner);
        if is_owner(account) {
            named.entry(account).or_default().push(name.to_owned());
        }
    }
    let by_id = describe(aws, "image-id", &ids, None);
    let by_name =
        try_join_all(named.iter().map(|(owner, names)| describe(aws, "name", names, Some(owner))));
    let by_parameter = async {
        let values = read_parameters(aws, &parameters).await?;
        let ids: Vec<String> = values.values().cloned().collect();
        Ok((describe(aws, "image-id", &ids, None).await?, values))
    };
    let (mut images, more, (others, parameters)) = try_join3(by_id, by_name, by_parameter).await?;
    images.extend(others);
    images.extend(more.into_iter().flatten());
    Ok(Images::new(images, parameters))
}

async fn describe(
    aws: &Aws,
    by: &str,
    values: &[String],
    owner: Option<&str>,
) -> Result<Vec<LiveImage>, AwsError> {
    const OPERATION: &str = "ec2:DescribeImages";
    batch::read(values, batch::FILTER_VALUES, async |values: &[String]| {
        let call = aws.ec2.describe_images().filters(ec2::filter(by, values));
        let owners = owner.map(|owner| vec![owner.to_owned()]);
        let pages = call.set_owners(owners).into_paginator().items().send();
        let rows = pages.collect::<Result<Vec<_>, _>>().await;
        let rows = rows.map_err(|error| AwsError::new(OPERATION, "", error))?;
        let live = rows.iter().map(|image| {
            let id = Answer::of(OPERATION, "").text("imageId", image.image_id())?;
            let answer = Answer::of(OPERATION, &id);
            Ok(LiveImage {
                // Images without a name, or without a disk, are of old kinds that none of ours is.
                name: image.name().unwrap_or_default().to_owned(),
                owner: answer.text("imageOwnerId", image.owner_id())?,
                alias: image.image_owner_alias().map(str::to_owned),
                architecture: image.architecture().map_or("", |own| own.as_str()).to_owned(),
                made: image.creation_date().unwrap_or_default().to_owned(),
                root_device: image.root_device_name().unwrap_or_default().to_owned(),
                asked: owner.map(str::to_owned),
                id: id.clone(),
            })
        });
        live.collect()
    })
    .await
}

async fn read_parameters(
    aws: &Aws,
    names: &[String],
) -> Result<BTreeMap<String, String>, AwsError> {
    const OPERATION: &str = "ssm:GetParameters";
    let read = batch::read(names, batch::PARAMETERS, async |names: &[String]| {
        let call = aws.ssm.get_parameters().set_names(Some(names.to_vec()));
        let answer = call.send().await;
        let answer = answer.map_err(|error| AwsError::new(OPERATION, "", error))?;
        let pair = |parameter: &aws_sdk_ssm::types::Parameter| {
            let name = Answer::of(OPERATION, "").text("Name", parameter.name())?;
            let value = Answer::of(OPERATION, &name).text("Value", parameter.value())?;
            // A version or a label that was asked for is told beside the name.
            Ok((format!("{name}{}", parameter.selector().unwrap_or_default()), value))
        };
        answer.parameters().iter().map(pair).collect()
    });
    Ok(read.await?.into_iter().collect())
}

/// `OWNER/NAME`, or a name alone, which is the account's own.
fn owner_and_name(spec: &str) -> Option<(&str, &str)> {
    if spec.starts_with("ami-") || spec.starts_with("ssm:") {
        return None;
    }
    Some(spec.split_once('/').unwrap_or(("self", spec)))
}

impl Images {
    pub(crate) fn new(images: Vec<LiveImage>, parameters: BTreeMap<String, String>) -> Self {
        let mut found = Self { parameters, ..Self::default() };
        for image in images {
            if let Some(owner) = &image.asked {
                let of_owner = found.by_name.entry(owner.clone()).or_default();
                of_owner.entry(image.name.clone()).or_default().insert(image.id.clone());
            }
            found.by_id.insert(image.id.clone(), image);
        }
        found
    }

    /// The image that a spec names; of several, the newest.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn find(&self, spec: &str, account: &str) -> Result<&LiveImage, String> {
        let Some((owner, name)) = owner_and_name(spec) else {
            let id = match spec.strip_prefix("ssm:") {
                Some(parameter) => self
                    .parameters
                    .get(parameter)
                    .ok_or_else(|| format!("Systems Manager has no parameter {parameter}"))?,
                None => spec,
            };
            return self.by_id.get(id).ok_or_else(|| NONE.to_owned());
        };
        let asked = owner_account(owner);
        if !is_owner(asked) {
            let known = OWNERS.map(|(name, _)| name).join(", ");
            return Err(format!(
                "{owner:?} is no owner of images that kops knows any more; known are {known}, \
                 {MARKETPLACE} and the numbers of accounts"
            ));
        }
        let is_owners = |image: &&LiveImage| match asked {
            "self" => image.owner == account,
            // Who stands behind it, EC2 has decided, which was asked for no other.
            MARKETPLACE => true,
            id => image.owner == id,
        };
        let names = self.by_name.get(asked).into_iter().flatten();
        let ids = names.filter(|(found, _)| pattern::filters(name, found)).flat_map(|(_, ids)| ids);
        let images = ids.filter_map(|id| self.by_id.get(id)).filter(is_owners);
        images.max_by_key(|image| (&image.made, &image.id)).ok_or_else(|| NONE.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Images {
        let image = |id: &str, name: &str, owner: &str, asked: Option<&str>| LiveImage {
            id: id.to_owned(),
            name: name.to_owned(),
            owner: owner.to_owned(),
            alias: None,
            architecture: "x86_64".to_owned(),
            made: format!("2026-01-0{}T00:00:00.000Z", &id[4..]),
            root_device: "/dev/xvda".to_owned(),
            asked: asked.map(str::to_owned),
        };
        let (ubuntu, own, amazon) = ("099720109477", "111122223333", "137112412989");
        let found = [
            image("ami-1", "ubuntu/noble-1", ubuntu, Some(ubuntu)),
            image("ami-2", "ubuntu/noble-1", own, Some("self")),
            image("ami-3", "ubuntu/noble-2", ubuntu, Some(ubuntu)),
            // A parameter holds it too.
            image("ami-3", "ubuntu/noble-2", ubuntu, None),
            image("ami-4", "al2023", amazon, Some(amazon)),
            // Anybody may call an image so.
            image("ami-5", "al2023", "210987654321", Some("210987654321")),
            image("ami-6", "gone", "210987654321", Some("210987654321")),
            image("ami-7", "router", "679593333241", Some("aws-marketplace")),
        ];
        let parameters =
            ["/aws/x", "/aws/x:3"].map(|name| (name.to_owned(), "ami-3".to_owned())).into();
        Images::new(found.to_vec(), parameters)
    }

    #[test]
    fn images_are_found_by_id_owner_and_name_and_parameter() {
        let images = images();
        let find = |spec: &str| images.find(spec, "111122223333").map(|image| image.id.as_str());
        assert_eq!(find("ami-2"), Ok("ami-2"));
        for owner in ["ubuntu", "099720109477"] {
            assert_eq!(find(&format!("{owner}/ubuntu/noble-1")), Ok("ami-1"));
        }
        assert_eq!(find("ssm:/aws/x"), Ok("ami-3"));
        assert_eq!(find("ssm:/aws/x:3"), Ok("ami-3"));
        assert!(find("ssm:/aws/y").unwrap_err().contains("/aws/y"));
        assert!(find("ubuntu/ubuntu/noble-9").unwrap_err().contains("no such image"));
        for owner in ["amazon", "amazon.com", "137112412989"] {
            assert_eq!(find(&format!("{owner}/al2023")), Ok("ami-4"));
        }
        assert_eq!(find("210987654321/al2023"), Ok("ami-5"));
        assert_eq!(find("aws-marketplace/router"), Ok("ami-7"));
        assert!(find("amazon.com/gone").unwrap_err().contains("no such image"));
        assert!(find("noble-1").unwrap_err().contains("no such image"));
        for owner in ["kope.io", "coreos.com"] {
            let refused = find(&format!("{owner}/k8s-1.10")).unwrap_err();
            assert!(refused.starts_with(&format!("{owner:?} is no owner")), "{refused}");
        }
    }

    #[test]
    fn of_several_the_newest_is_taken() {
        let images = images();
        let find = |spec: &str| images.find(spec, "111122223333").map(|image| image.id.as_str());
        assert_eq!(find("ubuntu/ubuntu/noble-*"), Ok("ami-3"));
        assert_eq!(find("ubuntu/ubuntu/noble-?"), Ok("ami-3"));
        assert_eq!(find(r"ubuntu/ubuntu/noble-\*"), Err(NONE.to_owned()));
    }
}
