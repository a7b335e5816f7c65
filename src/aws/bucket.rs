//! An S3 bucket: objects read, written and removed under conditions.

use std::time::SystemTime;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use aws_sdk_s3::types::{Delete, ObjectCannedAcl, ObjectIdentifier};

use super::config::sdk_config;
use super::error::{AwsError, Fault};
use super::network::Network;

/// The metadata under which an object keeps who wrote it.
const WRITTEN_BY: &str = "kapstan-written-by";

#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    client: Client,
    name: String,
    /// What is written gets it.
    acl: Option<ObjectCannedAcl>,
    owner: Owner,
}

/// Whose a bucket must be. A bucket's name is anybody's who takes it first, so each call says it (S3
/// user guide, "Verifying bucket ownership with bucket owner condition").
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) account: String,
    /// How that is known, and what to do where it is another; for who was refused.
    pub(crate) advice: String,
}

/// How a bucket is reached, and whose it must be.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) network: Network,
    pub(crate) owner: Owner,
}

/// An object as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) content: Content,
    pub(crate) etag: String,
    pub(crate) written_by: Option<String>,
    /// As RFC 3339, in UTC.
    pub(crate) written_at: Option<String>,
}

/// What an object holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Content {
    Bytes(Vec<u8>),
    /// So many bytes, more than were asked for, of which none was read.
    TooLarge(u64),
}

/// What a write to an object expects to find.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition<'a> {
    Absent,
    Etag(&'a str),
}

impl Bucket {
    /// Finds the bucket's region, wherever the user's default is.
    ///
    /// # Errors
    /// [`Fault::Missing`] if there is no such bucket.
    pub(crate) async fn open(
        name: &str,
        acl: Option<ObjectCannedAcl>,
        Access { network, owner }: &Access,
    ) -> Result<Self, AwsError> {
        let config = sdk_config(network, None).await;
        let builder = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(network.has_own_s3)
            .interceptor(owner.clone());
        let client = Client::from_conf(builder.clone().build());
        let region = region_of(&client, name, owner).await?;
        let client = match region {
            Some(region) if config.region().is_none_or(|own| own.as_ref() != region) => {
                Client::from_conf(builder.region(aws_config::Region::new(region)).build())
            }
            _ => client,
        };
        Ok(Self { client, name: name.to_owned(), acl, owner: owner.clone() })
    }

    /// Reads an object, and what it holds if that is at most so many bytes.
    pub(crate) async fn get(&self, key: &str, most: u64) -> Result<Option<Object>, AwsError> {
        const OPERATION: &str = "s3:GetObject";
        let answer = self.client.get_object().bucket(&self.name).key(key).send().await;
        let answer = match answer.map_err(|error| self.error(OPERATION, key, error)) {
            Ok(answer) => answer,
            Err(error) if error.fault == Fault::Missing => return Ok(None),
            Err(error) => return Err(error),
        };
        let failed = |message: String| {
            let object = self.place(key);
            AwsError { operation: OPERATION, object, fault: Fault::Other, message }
        };
        let etag = answer.e_tag().map(str::to_owned);
        let etag = etag.ok_or_else(|| failed("S3 gave no ETag".to_owned()))?;
        let written_by = answer.metadata().and_then(|about| about.get(WRITTEN_BY)).cloned();
        let written_at = answer.last_modified().and_then(time);
        let size = answer.content_length().and_then(|length| u64::try_from(length).ok());
        let content = match size.filter(|size| *size > most) {
            Some(size) => Content::TooLarge(size),
            None => {
                let body =
                    answer.body.collect().await.map_err(|error| failed(error.to_string()))?;
                Content::Bytes(body.to_vec())
            }
        };
        Ok(Some(Object { content, etag, written_by, written_at }))
    }

    /// Writes an object, if it is as expected. Returns its new ETag.
    ///
    /// # Errors
    /// [`Fault::Conflict`] or, where it is gone, [`Fault::Missing`] if it is not.
    pub(crate) async fn put(
        &self,
        key: &str,
        bytes: &[u8],
        condition: Condition<'_>,
        writer: &str,
    ) -> Result<String, AwsError> {
        const OPERATION: &str = "s3:PutObject";
        let call = self.client.put_object().bucket(&self.name).key(key);
        let call = match condition {
            Condition::Absent => call.if_none_match("*"),
            Condition::Etag(etag) => call.if_match(etag),
        };
        // Metadata travels in HTTP headers.
        let writer: String = writer.chars().filter(|c| c.is_ascii_graphic()).collect();
        let call = call
            .set_acl(self.acl.clone())
            .metadata(WRITTEN_BY, writer)
            .body(ByteStream::from(bytes.to_vec()));
        let answer = call.send().await.map_err(|error| self.error(OPERATION, key, error))?;
        answer.e_tag.ok_or_else(|| AwsError {
            operation: OPERATION,
            object: self.place(key),
            fault: Fault::Other,
            message: "S3 gave no ETag".to_owned(),
        })
    }

    /// Removes an object, if it is as expected; errors as for [`Self::put`].
    pub(crate) async fn delete(&self, key: &str, etag: &str) -> Result<(), AwsError> {
        let call = self.client.delete_object().bucket(&self.name).key(key).if_match(etag);
        let answer = call.send().await;
        answer.map(|_| ()).map_err(|error| self.error("s3:DeleteObject", key, error))
    }

    /// Removes objects, whatever they hold. Returns those that S3 did not remove, and why.
    pub(crate) async fn delete_all(
        &self,
        keys: &[String],
    ) -> Result<Vec<(String, String)>, AwsError> {
        const OPERATION: &str = "s3:DeleteObjects";
        /// As many as one call takes.
        const MOST: usize = 1000;
        let mut failed = Vec::new();
        for batch in keys.chunks(MOST) {
            let about = || self.place(batch.first().map_or("", String::as_str));
            let objects: Result<Vec<ObjectIdentifier>, _> =
                batch.iter().map(|key| ObjectIdentifier::builder().key(key).build()).collect();
            let delete = objects.and_then(|objects| {
                Delete::builder().set_objects(Some(objects)).quiet(true).build()
            });
            let delete = delete.map_err(|error| AwsError {
                operation: OPERATION,
                object: about(),
                fault: Fault::Other,
                message: error.to_string(),
            })?;
            let call = self.client.delete_objects().bucket(&self.name).delete(delete);
            let answer = call.send().await;
            let answer = answer.map_err(|error| AwsError::new(OPERATION, about(), error));
            let answer = answer.map_err(|error| self.owner.told(error))?;
            failed.extend(answer.errors().iter().map(|error| {
                let key = error.key().unwrap_or("an object that S3 does not name");
                let words = [error.code(), error.message()].into_iter().flatten();
                (key.to_owned(), words.collect::<Vec<_>>().join(": "))
            }));
        }
        Ok(failed)
    }

    /// The keys of all objects below a prefix.
    pub(crate) async fn keys(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
        let call = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let mut pages = call.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.error("s3:ListBucket", prefix, error))?;
            keys.extend(
                page.contents().iter().filter_map(|object| object.key().map(str::to_owned)),
            );
        }
        Ok(keys)
    }

    /// The names of objects and folders directly below a prefix, which ends with a slash or
    /// is empty.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
        let call = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let mut pages = call.delimiter("/").into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.error("s3:ListBucket", prefix, error))?;
            let folders = page.common_prefixes().iter().filter_map(|folder| folder.prefix());
            let objects = page.contents().iter().filter_map(|object| object.key());
            let own = folders.chain(objects).filter_map(|key| key.strip_prefix(prefix));
            names.extend(own.map(|name| name.trim_end_matches('/').to_owned()));
        }
        names.retain(|name| !name.is_empty());
        Ok(names)
    }

    fn place(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    fn error<E>(&self, operation: &'static str, key: &str, error: SdkError<E>) -> AwsError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.owner.told(AwsError::new(operation, self.place(key), error))
    }
}

impl Intercept for Owner {
    fn name(&self) -> &'static str {
        "Owner"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        headers.insert("x-amz-expected-bucket-owner", self.account.clone());
        Ok(())
    }
}

impl Owner {
    /// S3 says no more than "denied" of a bucket that is another's.
    fn told(&self, mut error: AwsError) -> AwsError {
        if error.fault == Fault::Denied {
            error.message.push_str(&format!(
                "; so S3 answers too of a bucket that is not of account {}, {}",
                self.account, self.advice
            ));
        }
        error
    }
}

/// The ACL of `KOPS_STATE_S3_ACL`, kops' way to share a bucket between accounts
/// (`util/pkg/vfs/s3fs.go`).
///
/// # Errors
/// S3 has no such ACL, or it would let strangers read specs, or write them.
pub(crate) fn configured_acl() -> Result<Option<ObjectCannedAcl>, String> {
    std::env::var("KOPS_STATE_S3_ACL")
        .ok()
        .filter(|acl| !acl.is_empty())
        .map(|acl| acl_named(&acl))
        .transpose()
        .map_err(|reason| format!("KOPS_STATE_S3_ACL {reason}"))
}

fn acl_named(name: &str) -> Result<ObjectCannedAcl, String> {
    let strangers = match ObjectCannedAcl::from(name) {
        ObjectCannedAcl::PublicRead => "anybody could read",
        ObjectCannedAcl::PublicReadWrite => "anybody could read and write",
        ObjectCannedAcl::AuthenticatedRead => "everybody with an account of AWS could read",
        acl if ObjectCannedAcl::values().contains(&acl.as_str()) => return Ok(acl),
        _ => {
            let taken = ObjectCannedAcl::values().iter().filter(|name| acl_named(name).is_ok());
            let taken: Vec<&str> = taken.copied().collect();
            return Err(format!("is {name:?}; S3 has {}", taken.join(", ")));
        }
    };
    Err(format!("is {name}: {strangers} what is kept, user data and keys too; unset it"))
}

/// The region that S3 tells for a bucket, also when it refuses the request or sends it
/// elsewhere; `None` from a store that does not tell.
async fn region_of(
    client: &Client,
    bucket: &str,
    owner: &Owner,
) -> Result<Option<String>, AwsError> {
    let error = match client.head_bucket().bucket(bucket).send().await {
        Ok(answer) => return Ok(answer.bucket_region().map(str::to_owned)),
        Err(error) => error,
    };
    let response = error.raw_response();
    let status = response.map(|response| response.status().as_u16());
    let region = response.and_then(|response| response.headers().get("x-amz-bucket-region"));
    match (status, region.map(str::to_owned)) {
        (Some(301 | 400 | 403), Some(region)) => Ok(Some(region)),
        (status, _) => {
            let mut error = AwsError::new("s3:HeadBucket", format!("s3://{bucket}"), error);
            // The answer to HEAD has no body that could tell more.
            match status {
                Some(404) => error.fault = Fault::Missing,
                Some(403) => error.fault = Fault::Denied,
                _ => {}
            }
            Err(owner.told(error))
        }
    }
}

fn time(at: &DateTime) -> Option<String> {
    at.fmt(DateTimeFormat::DateTime).ok()
}

/// A point in time as RFC 3339 in UTC, to the second.
pub(crate) fn time_text(at: SystemTime) -> Option<String> {
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    time(&DateTime::from_secs(i64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::acl_named;

    #[test]
    fn acls_that_let_strangers_in_and_unknown_ones_are_refused() {
        for name in ["private", "bucket-owner-full-control", "bucket-owner-read", "aws-exec-read"] {
            assert_eq!(acl_named(name).unwrap().as_str(), name);
        }
        for (name, reason) in [
            ("public-read", "anybody could read"),
            ("public-read-write", "anybody could read and write"),
            ("authenticated-read", "everybody with an account of AWS could read"),
            ("Public-Read", "S3 has "),
            (" public-read", "S3 has "),
            ("publik-read", "S3 has "),
            ("log-delivery-write", "S3 has "),
        ] {
            assert!(acl_named(name).unwrap_err().contains(reason), "{name}");
        }
    }
}
