//! The certificates that AWS' endpoints are trusted by, where the user names them.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use aws_sdk_sts::config::SharedHttpClient;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::files;

/// Far above what all authorities of the world together have.
const MOST: u64 = 16 * 1024 * 1024;

/// The SDK's own client, but for whom it trusts: those of a bundle alone, as other tools of AWS
/// have it.
///
/// # Errors
/// The bundle cannot be read, or not all of it. The SDK would end the program.
pub(super) fn client(origin: &str, path: &Path) -> anyhow::Result<SharedHttpClient> {
    let refused = |reason: String| {
        anyhow!(
            "{origin} names {}, which {reason}; correct it, or remove it to trust what the system \
             trusts",
            path.display()
        )
    };
    let bytes = files::read(path, MOST);
    let bytes = bytes.map_err(|error| refused(format!("{:#}", anyhow::Error::new(error))))?;
    check(&bytes).map_err(refused)?;
    let trusted = TrustStore::empty().with_pem_certificate(bytes);
    let context = TlsContext::builder().with_trust_store(trusted).build();
    let context = context.context("the connection to AWS")?;
    Ok(Builder::new().build_with_connector_fn(move |settings, components| {
        let provider = Provider::Rustls(CryptoMode::AwsLc);
        let mut connector = ConnectorBuilder::default().tls_provider(provider);
        connector.set_tls_context(context.clone());
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.build()
    }))
}

/// What is wrong with a bundle, as the client will read it. Nothing of it is repeated: it may hold
/// keys.
fn check(bytes: &[u8]) -> Result<(), String> {
    let mut trusted = RootCertStore::empty();
    for (before, certificate) in CertificateDer::pem_slice_iter(bytes).enumerate() {
        let number = before + 1;
        let certificate =
            certificate.map_err(|_| format!("is no whole PEM: certificate {number} in it"))?;
        trusted
            .add(certificate)
            .map_err(|_| format!("holds what is no certificate: number {number} in it"))?;
    }
    match trusted.is_empty() {
        true => Err("holds no certificate (PEM, -----BEGIN CERTIFICATE-----)".to_owned()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_that_is_not_whole_is_refused_and_not_repeated() {
        let section = |kind: &str, text: &str| {
            format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        for (text, reason) in [
            (String::new(), "holds no certificate"),
            ("s3cr3t".to_owned(), "holds no certificate"),
            (section("PRIVATE KEY", "czNjcjN0"), "holds no certificate"),
            (section("TRUSTED CERTIFICATE", "czNjcjN0"), "holds no certificate"),
            (section("CERTIFICATE", "czNjcjN0"), "holds what is no certificate: number 1"),
            (section("CERTIFICATE", "s3cr3t!!"), "is no whole PEM: certificate 1"),
            ("-----BEGIN CERTIFICATE-----\nczNjcjN0\n".to_owned(), "is no whole PEM"),
            ("-----BEGIN CERTIFICATE-----\nczNjcjN0".to_owned(), "is no whole PEM"),
        ] {
            std::fs::write(&path, &text).unwrap();
            let told = client("AWS_CA_BUNDLE", &path).unwrap_err().to_string();
            let begin = format!("AWS_CA_BUNDLE names {}, which {reason}", path.display());
            assert!(told.starts_with(&begin), "{text:?}: {told}");
            assert!(!told.contains("czNj") && !told.contains("s3cr3t"), "{told}");
        }
        let told = client("AWS_CA_BUNDLE", folder.path()).unwrap_err().to_string();
        assert!(told.contains("which is a folder, not a file; correct it"), "{told}");
        let told = client("AWS_CA_BUNDLE", &path.with_extension("no")).unwrap_err().to_string();
        assert!(told.contains("which cannot be read: No such file"), "{told}");
    }
}
