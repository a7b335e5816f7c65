//! Machine images: by id, by owner and name, or by a parameter of Systems Manager.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join3;

use crate::aws::{Answer, Aws, AwsError, batch, ec2};
use crate::policy::pattern;

#[derive(Clone, Debug)]
pub(crate) struct LiveImage {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) root_device: String,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Images {
    by_id: BTreeMap<String, LiveImage>,
    /// The ids of the images of each name.
    by_name: BTreeMap<String, BTreeSet<String>>,
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

/// Reads the images that specs name: one call for ids, one for names, and for parameters one
/// for their values and one for what those name.
pub(crate) async fn observe(aws: &Aws, specs: &BTreeSet<String>) -> Result<Images, AwsError> {
    let ids = specs.iter().filter(|spec| spec.starts_with("ami-")).cloned().collect::<Vec<_>>();
    let parameters: Vec<String> =
        specs.iter().filter_map(|spec| spec.strip_prefix("ssm:").map(str::to_owned)).collect();
    let named: Vec<(&str, &str)> = specs.iter().filter_map(|spec| owner_and_name(spec)).collect();
    let by_id = describe(aws, "image-id", &ids, &[]);
    let by_name = async {
        let names: Vec<String> = named.iter().map(|(_, name)| (*name).to_owned()).collect();
        let owners: BTreeSet<&str> = named.iter().map(|(owner, _)| owner_account(owner)).collect();
        let owners: Vec<String> = owners.into_iter().map(str::to_owned).collect();
        describe(aws, "name", &names, &owners).await
    };
    let by_parameter = async {
        let values = read_parameters(aws, &parameters).await?;
        let ids: Vec<String> = values.values().cloned().collect();
        Ok((describe(aws, "image-id", &ids, &[]).await?, values))
    };
    let (mut images, more, (others, parameters)) = try_join3(by_id, by_name, by_parameter).await?;
    images.extend(more);
    images.extend(others);
    Ok(Images::new(images, parameters))
}

async fn describe(
    aws: &Aws,
    by: &str,
    values: &[String],
    owners: &[String],
) -> Result<Vec<LiveImage>, AwsError> {
    const OPERATION: &str = "ec2:DescribeImages";
    batch::read(values, batch::FILTER_VALUES, async |values: &[String]| {
        let call = aws.ec2.describe_images().filters(ec2::filter(by, values));
        let owners = (!owners.is_empty()).then(|| owners.to_vec());
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
                root_device: image.root_device_name().unwrap_or_default().to_owned(),
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
            found.by_name.entry(image.name.clone()).or_default().insert(image.id.clone());
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
                    // Who stands behind such a name, EC2 has decided.
                    "amazon" | "aws-marketplace" => true,
                    id => image.owner == id,
                };
                let ids: Vec<&String> = match name.contains(['*', '?']) {
                    true => {
                        let names = self.by_name.iter();
                        let fit = names.filter(|(found, _)| pattern::covers(name, found));
                        fit.flat_map(|(_, ids)| ids).collect()
                    }
                    false => self.by_name.get(name).into_iter().flatten().collect(),
                };
                let named = ids.into_iter().filter_map(|id| self.by_id.get(id));
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
            [] => Err("no such image can be seen from this account and region".to_owned()),
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
        let image = |id: &str, name: &str, owner: &str| LiveImage {
            id: id.to_owned(),
            name: name.to_owned(),
            owner: owner.to_owned(),
            root_device: "/dev/xvda".to_owned(),
        };
        let found = [
            image("ami-1", "k8s-1.10-debian", "383156758163"),
            image("ami-2", "k8s-1.10-debian", "111122223333"),
            image("ami-3", "k8s-1.11-debian", "383156758163"),
            // A parameter holds it too.
            image("ami-3", "k8s-1.11-debian", "383156758163"),
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
        let several = find("kope.io/k8s-*").unwrap_err();
        assert_eq!(several, "2 images have that name: ami-1, ami-3");
        assert_eq!(find("kope.io/k8s-1.?1-*"), Ok("ami-3"));
    }
}
