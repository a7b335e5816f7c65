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
    pub(crate) root_device: String,
    /// Whose images were asked for when this was the answer; an alias stands for accounts that only
    /// EC2 knows.
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
/// `resolveImage`).
fn owner_account(owner: &str) -> &str {
    match owner {
        "kope.io" => "383156758163",
        "coreos.com" => "595879546273",
        "redhat.com" => "309956199498",
        "amazon.com" => "amazon",
        other => other,
    }
}

/// Reads the images that specs name: one call for ids, one an owner for names, so that nobody's
/// answers another's question, and for parameters one for their values and one for what those name.
pub(crate) async fn observe(aws: &Aws, specs: &BTreeSet<String>) -> Result<Images, AwsError> {
    let ids = specs.iter().filter(|spec| spec.starts_with("ami-")).cloned().collect::<Vec<_>>();
    let parameters: Vec<String> =
        specs.iter().filter_map(|spec| spec.strip_prefix("ssm:").map(str::to_owned)).collect();
    let mut named: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (owner, name) in specs.iter().filter_map(|spec| owner_and_name(spec)) {
        named.entry(owner_account(owner)).or_default().push(name.to_owned());
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
            Ok((name, value))
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

    /// The image that a spec names.
    ///
    /// # Errors
    /// Why there is none, or more than one.
    pub(crate) fn find(&self, spec: &str, account: &str) -> Result<&LiveImage, String> {
        let matches: Vec<&LiveImage> = match owner_and_name(spec) {
            Some((owner, name)) => {
                let is_owners = |image: &LiveImage| match owner_account(owner) {
                    "self" => image.owner == account,
                    // Who stands behind such a name, EC2 has decided, which was asked for no other.
                    "amazon" | "aws-marketplace" => true,
                    id => image.owner == id,
                };
                let Some(names) = self.by_name.get(owner_account(owner)) else {
                    return Err(NONE.to_owned());
                };
                let names = names.iter().filter(|(found, _)| pattern::filters(name, found));
                let ids = names.flat_map(|(_, ids)| ids);
                let named = ids.filter_map(|id| self.by_id.get(id));
                named.filter(|image| is_owners(image)).collect()
            }
            None => {
                let id = match spec.strip_prefix("ssm:") {
                    Some(parameter) => self
                        .parameters
                        .get(parameter)
                        .ok_or_else(|| format!("Systems Manager has no parameter {parameter}"))?,
                    None => spec,
                };
                self.by_id.get(id).into_iter().collect()
            }
        };
        match matches[..] {
            [image] => Ok(image),
            [] => Err(NONE.to_owned()),
            ref several => {
                let ids: Vec<&str> = several.iter().map(|image| image.id.as_str()).collect();
                Err(format!("{} images have that name: {}", ids.len(), ids.join(", ")))
            }
        }
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
            root_device: "/dev/xvda".to_owned(),
            asked: asked.map(str::to_owned),
        };
        let (kops, own) = ("383156758163", "111122223333");
        let found = [
            image("ami-1", "k8s-1.10-debian", kops, Some(kops)),
            image("ami-2", "k8s-1.10-debian", own, Some("self")),
            image("ami-3", "k8s-1.11-debian", kops, Some(kops)),
            // A parameter holds it too.
            image("ami-3", "k8s-1.11-debian", kops, None),
            image("ami-4", "al2023", "137112412989", Some("amazon")),
            // Anybody may call an image so.
            image("ami-5", "al2023", "210987654321", Some("210987654321")),
            image("ami-6", "gone", "210987654321", Some("210987654321")),
        ];
        let parameters = BTreeMap::from([("/aws/x".to_owned(), "ami-3".to_owned())]);
        Images::new(found.to_vec(), parameters)
    }

    #[test]
    fn images_are_found_by_id_owner_and_name_and_parameter() {
        let images = images();
        let find = |spec: &str| images.find(spec, "111122223333").map(|image| image.id.as_str());
        assert_eq!(find("ami-2"), Ok("ami-2"));
        assert_eq!(find("kope.io/k8s-1.10-debian"), Ok("ami-1"));
        assert_eq!(find("383156758163/k8s-1.10-debian"), Ok("ami-1"));
        assert_eq!(find("k8s-1.10-debian"), Ok("ami-2"));
        assert_eq!(find("ssm:/aws/x"), Ok("ami-3"));
        assert_eq!(find("kope.io/k8s-1.11-debian"), Ok("ami-3"));
        assert!(find("ssm:/aws/y").unwrap_err().contains("/aws/y"));
        assert!(find("kope.io/k8s-1.12").unwrap_err().contains("no such image"));
        assert_eq!(find("amazon.com/al2023"), Ok("ami-4"));
        assert_eq!(find("210987654321/al2023"), Ok("ami-5"));
        assert!(find("amazon.com/gone").unwrap_err().contains("no such image"));
        let several = find("kope.io/k8s-*").unwrap_err();
        assert_eq!(several, "2 images have that name: ami-1, ami-3");
        assert_eq!(find("kope.io/k8s-1.?1-*"), Ok("ami-3"));
        assert_eq!(find(r"kope.io/k8s-1.11-\*"), Err(NONE.to_owned()));
    }
}
