//! A store in an S3 bucket. Writes carry `If-Match` or `If-None-Match`, so that S3 itself
//! refuses the one who comes too late.

use std::time::SystemTime;

use anyhow::{Context as _, bail};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use aws_sdk_s3::types::ObjectCannedAcl;

use super::{Expect, Refused, Stored, Version, Written};
use crate::aws::{self, AwsError, Fault};
use crate::spec::yaml;

/// The name under which an object keeps who wrote it.
const WRITTEN_BY: &str = "kapstan-written-by";

#[derive(Debug)]
pub(crate) struct S3Store {
    client: Client,
    bucket: String,
    prefix: String,
}

impl S3Store {
    /// Finds the bucket's region, wherever the user's default is.
    pub(super) async fn open(bucket: &str, prefix: &str) -> anyhow::Result<Self> {
        let config = aws::sdk_config(None).await;
        let own_endpoint =
            config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        let builder = aws_sdk_s3::config::Builder::from(&config).force_path_style(own_endpoint);
        let client = Client::from_conf(builder.clone().build());
        let region = region_of(&client, bucket).await?;
        let client = match region {
            Some(region) if config.region().is_none_or(|own| own.as_ref() != region) => {
                Client::from_conf(builder.region(aws_config::Region::new(region)).build())
            }
            _ => client,
        };
        Ok(Self { client, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    pub(super) async fn read(&self, key: &str) -> anyhow::Result<Option<Stored>> {
        let key = self.key(key);
        let answer = self.client.get_object().bucket(&self.bucket).key(&key).send().await;
        let answer = match answer.map_err(|error| self.error("s3:GetObject", &key, error)) {
            Ok(answer) => answer,
            Err(error) if error.fault == Fault::Missing => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let place = self.place(&key);
        let length = answer.content_length().and_then(|length| u64::try_from(length).ok());
        if let Some(length) = length.filter(|length| *length > yaml::MAX_BYTES as u64) {
            bail!("{place}: {}", yaml::too_large(length));
        }
        let written = Written {
            by: answer.metadata().and_then(|about| about.get(WRITTEN_BY)).cloned(),
            at: answer.last_modified().and_then(time),
        };
        let etag = answer.e_tag().map(str::to_owned);
        let etag = etag.with_context(|| format!("{place}: S3 gave no ETag"))?;
        let bytes = answer.body.collect().await.with_context(|| place)?.to_vec();
        Ok(Some(Stored { bytes, version: Version::Etag(etag), written }))
    }

    pub(super) async fn write(
        &self,
        key: &str,
        bytes: &[u8],
        expect: Expect<'_>,
    ) -> Result<(), Refused> {
        let key = self.key(key);
        let call = self.client.put_object().bucket(&self.bucket).key(&key);
        let call = match expect {
            Expect::Absent => call.if_none_match("*"),
            Expect::Unchanged(Version::Etag(etag)) => call.if_match(etag),
            Expect::Unchanged(Version::Content(_)) => return Err(Refused::Conflict),
        };
        // kops' way to share a bucket between accounts (`util/pkg/vfs/s3fs.go`).
        let acl = std::env::var("KOPS_STATE_S3_ACL").ok().filter(|acl| !acl.is_empty());
        let call = call
            .set_acl(acl.map(|acl| ObjectCannedAcl::from(acl.as_str())))
            .metadata(WRITTEN_BY, writer())
            .body(ByteStream::from(bytes.to_vec()));
        let answer = call.send().await.map_err(|error| self.error("s3:PutObject", &key, error));
        refused(answer.map(|_| ()))
    }

    pub(super) async fn delete(&self, key: &str, version: &Version) -> Result<(), Refused> {
        let Version::Etag(etag) = version else { return Err(Refused::Conflict) };
        let key = self.key(key);
        let call = self.client.delete_object().bucket(&self.bucket).key(&key).if_match(etag);
        let answer = call.send().await.map_err(|error| self.error("s3:DeleteObject", &key, error));
        refused(answer.map(|_| ()))
    }

    pub(super) async fn list(&self, folder: &str) -> anyhow::Result<Vec<String>> {
        let prefix = match self.key(folder) {
            whole if whole.is_empty() => whole,
            folder => format!("{folder}/"),
        };
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(&prefix)
            .delimiter("/")
            .into_paginator()
            .send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.error("s3:ListBucket", &prefix, error))?;
            let folders = page.common_prefixes().iter().filter_map(|folder| folder.prefix());
            let objects = page.contents().iter().filter_map(|object| object.key());
            let own = folders.chain(objects).filter_map(|key| key.strip_prefix(&prefix));
            names.extend(own.map(|name| name.trim_end_matches('/').to_owned()));
        }
        names.retain(|name| !name.is_empty());
        names.sort();
        Ok(names)
    }

    fn key(&self, key: &str) -> String {
        match (self.prefix.as_str(), key) {
            ("", key) => key.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, key) => format!("{prefix}/{key}"),
        }
    }

    fn place(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    fn error<E>(&self, operation: &'static str, key: &str, error: SdkError<E>) -> AwsError
    where
        E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        AwsError::new(operation, self.place(key), error)
    }
}

fn refused(answer: Result<(), AwsError>) -> Result<(), Refused> {
    match answer {
        Ok(()) => Ok(()),
        // With If-Match, an object that is gone is a conflict as well.
        Err(error) if matches!(error.fault, Fault::Conflict | Fault::Missing) => {
            Err(Refused::Conflict)
        }
        Err(error) => Err(error.into()),
    }
}

/// The region that S3 tells for a bucket, also when it refuses the request or sends it
/// elsewhere; `None` from a store that does not tell.
async fn region_of(client: &Client, bucket: &str) -> anyhow::Result<Option<String>> {
    const HEADER: &str = "x-amz-bucket-region";
    match client.head_bucket().bucket(bucket).send().await {
        Ok(answer) => Ok(answer.bucket_region().map(str::to_owned)),
        Err(error) => {
            let response = error.raw_response();
            let region = response.and_then(|response| response.headers().get(HEADER));
            let region = region.map(str::to_owned);
            let status = response.map(|response| response.status().as_u16());
            match (status, region) {
                (Some(404), _) => bail!(
                    "the bucket {bucket} does not exist; create it, or correct --state \
                     (KOPS_STATE_STORE)"
                ),
                (Some(301 | 400 | 403), Some(region)) => Ok(Some(region)),
                _ => Err(AwsError::new("s3:HeadBucket", format!("s3://{bucket}"), error).into()),
            }
        }
    }
}

/// The user and machine that write, for those who come after.
fn writer() -> String {
    let of = |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok());
    let user = of(&["USER", "LOGNAME", "USERNAME"]).unwrap_or_else(|| "someone".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or(of(&["HOSTNAME"]));
    let text = match host.as_deref().map(str::trim).filter(|host| !host.is_empty()) {
        Some(host) => format!("{user}@{host}"),
        None => user,
    };
    // Metadata travels in HTTP headers.
    text.chars().filter(|c| c.is_ascii_graphic()).collect()
}

fn time(at: &DateTime) -> Option<String> {
    at.fmt(DateTimeFormat::DateTime).ok()
}

/// A point in time as RFC 3339 in UTC, to the second.
pub(super) fn time_of(at: SystemTime) -> Option<String> {
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    time(&DateTime::from_secs(i64::try_from(seconds).ok()?))
}
