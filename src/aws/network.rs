//! How AWS is reached, by the environment and AWS' own files: whose certificates are trusted,
//! which endpoints are asked, and what others could read on the way there.

use std::env;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use aws_config::profile::ProfileSet;
use aws_runtime::env_config::EnvConfigValue;
use aws_sdk_sts::config::SharedHttpClient;
use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use super::trust;
use crate::visible::on_the_way::is_loopback;
use crate::visible::text::visible;

/// The services that are asked, as settings of their endpoints name them.
const SERVICES: [&str; 10] = [
    "Auto Scaling", "EC2", "Elastic Load Balancing", "Elastic Load Balancing v2", "EventBridge",
    "IAM", "Route 53", "S3", "SQS", "SSM",
];
/// Those that tell whose credentials are at work, and give some.
const OF_CREDENTIALS: [&str; 4] = ["STS", "SSO", "SSO OIDC", "Signin"];

const ENDPOINT: (&str, &str) = ("AWS_ENDPOINT_URL", "endpoint_url");
const IGNORE: (&str, &str) =
    ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls");
const BUNDLE: (&str, &str) = ("AWS_CA_BUNDLE", "ca_bundle");

/// What all clients of AWS share.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// One that trusts what the user names, or none where the system's certificates do.
    pub(super) http_client: Option<SharedHttpClient>,
    /// S3 is another's, which may know no buckets by the names of hosts.
    pub(super) has_own_s3: bool,
    /// What others could read, in words for a warning.
    pub(crate) doubts: Vec<String>,
}

/// An endpoint that is not AWS' own, and what sets it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Endpoint {
    origin: String,
    address: String,
}

impl Network {
    /// Reads the environment and AWS' files; nothing is sent.
    ///
    /// # Errors
    /// AWS' files cannot be read, or what they or the environment name: it is never passed over.
    pub(crate) async fn configured() -> anyhow::Result<Self> {
        let (disk, variables, files) = Default::default();
        let profiles = aws_config::profile::load(&disk, &variables, &files, None)
            .await
            .context("the config files of AWS cannot be read")?;
        let setting = |(variable, key): (&'static str, &'static str),
                       service: Option<&'static str>| {
            let value = EnvConfigValue::new().env(variable).profile(key);
            let value = service.into_iter().fold(value, EnvConfigValue::service_id);
            value.load(&variables, Some(&profiles)).map(|(value, _)| value.into_owned())
        };
        let ignores = setting(IGNORE, None).is_some_and(|told| told.eq_ignore_ascii_case("true"));
        let asked = match ignores {
            false => [SERVICES.as_slice(), OF_CREDENTIALS.as_slice()].concat(),
            // What the SDK has to give credentials asks there all the same.
            true if gives_credentials(&profiles) => OF_CREDENTIALS.to_vec(),
            true => Vec::new(),
        };
        let proxies = Matcher::from_env();
        let mut endpoints: Vec<Endpoint> = Vec::new();
        let mut doubts = Vec::new();
        for service in &asked {
            let Some(address) = setting(ENDPOINT, Some(service)) else { continue };
            let endpoint = Endpoint { origin: origin(service, &address, &profiles), address };
            if !endpoints.contains(&endpoint) {
                doubts.extend(endpoint.doubt(&proxies)?);
                endpoints.push(endpoint);
            }
        }
        Ok(Self {
            http_client: bundle(&profiles)
                .map(|(origin, path)| trust::client(&origin, &path))
                .transpose()?,
            has_own_s3: asked.contains(&"S3") && setting(ENDPOINT, Some("S3")).is_some(),
            doubts,
        })
    }
}

impl Endpoint {
    /// What others could read of what is sent there. What the address holds of a user and a
    /// password is told nowhere.
    fn doubt(&self, proxies: &Matcher) -> anyhow::Result<Option<String>> {
        const READ: &str = "whoever is on the way reads and changes it, session tokens, user data \
                            and policies too";
        let Self { origin, address } = self;
        let uri: Option<Uri> = address.parse().ok();
        let parts = uri.as_ref().and_then(|uri| Some((uri, uri.scheme_str()?, uri.host()?)));
        let parts = parts
            .filter(|(_, scheme, host)| ["http", "https"].contains(scheme) && !host.is_empty());
        ensure!(
            parts.is_some(),
            "{origin} is no address of an endpoint; write https://HOST, or remove it"
        );
        let Some((uri, "http", host)) = parts else { return Ok(None) };
        let place = match uri.port() {
            Some(port) => format!("http://{host}:{port}"),
            None => format!("http://{host}"),
        };
        if !is_loopback(host) {
            return Ok(Some(format!(
                "{origin} sends what is for AWS to {place}, without TLS: {READ}; write https://, \
                 or remove it"
            )));
        }
        let proxy = proxies.intercept(uri);
        let proxy = proxy.as_ref().and_then(|proxy| proxy.uri().host());
        Ok(proxy.filter(|proxy| !is_loopback(proxy)).map(|proxy| {
            format!(
                "{origin} sends what is for AWS to {place}, without TLS, and {} takes it to {proxy}: \
                 {READ}; put {host} into NO_PROXY",
                proxy_variable()
            )
        }))
    }
}

/// What sets an endpoint: the order is that of AWS' own tools (AWS SDKs and Tools Reference Guide,
/// "Service-specific endpoints").
fn origin(service: &str, address: &str, profiles: &ProfileSet) -> String {
    let (variable, key) = ENDPOINT;
    let own = format!("{variable}_{}", service.to_uppercase().replace(' ', "_"));
    let profile = visible(profiles.selected_profile());
    if env::var_os(&own).is_some() {
        own
    } else if env::var_os(variable).is_some() {
        variable.to_owned()
    } else if profiles.get(key) == Some(address) {
        format!("{key} of the profile {profile}")
    } else {
        let service = service.to_lowercase().replace(' ', "-");
        format!("{key} of {service}, in the services of the profile {profile},")
    }
}

/// Whether credentials are asked for at an endpoint of AWS, as the SDK looks for them.
fn gives_credentials(profiles: &ProfileSet) -> bool {
    let keys = ["role_arn", "sso_session", "sso_start_url", "login_session"];
    env::var_os("AWS_ACCESS_KEY_ID").is_none()
        && (env::var_os("AWS_WEB_IDENTITY_TOKEN_FILE").is_some()
            || keys.iter().any(|key| profiles.get(key).is_some()))
}

/// The bundle that the user names, and what names it.
fn bundle(profiles: &ProfileSet) -> Option<(String, PathBuf)> {
    let (variable, key) = BUNDLE;
    let of_variable = env::var_os(variable).filter(|path| !path.is_empty());
    let of_variable = of_variable.map(|path| (variable.to_owned(), PathBuf::from(path)));
    of_variable.or_else(|| {
        let path = profiles.get(key).filter(|path| !path.is_empty())?;
        let profile = visible(profiles.selected_profile());
        Some((format!("{key} of the profile {profile}"), PathBuf::from(path)))
    })
}

/// The variable that sends http through a proxy.
fn proxy_variable() -> &'static str {
    let names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    names.into_iter().find(is_set).unwrap_or("a proxy")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubt(address: &str) -> anyhow::Result<Option<String>> {
        let proxies = Matcher::builder().http("http://me:s3cr3t@proxy.example.com:3128");
        let endpoint =
            Endpoint { origin: "AWS_ENDPOINT_URL".to_owned(), address: address.to_owned() };
        endpoint.doubt(&proxies.no("127.0.0.1, [::1], ::1").build())
    }

    #[test]
    fn http_to_another_host_is_doubted_without_its_password() {
        for (address, place) in [
            ("http://aws.internal.example", "http://aws.internal.example,"),
            ("HTTP://me:s3cr3t@aws.internal.example:4566/x", "http://aws.internal.example:4566,"),
            ("http://10.0.0.1:80", "http://10.0.0.1:80,"),
            ("http://localhost.example.com", "http://localhost.example.com,"),
            ("http://127.0.0.1:s3cr3t@aws.example.com", "http://aws.example.com,"),
            ("http://[2001:db8::1]:4566", "http://[2001:db8::1]:4566,"),
            ("http://0.0.0.0", "http://0.0.0.0,"),
        ] {
            let told = doubt(address).unwrap().unwrap_or_default();
            assert!(told.contains(&format!("to {place} without TLS")), "{address}: {told}");
            assert!(!told.contains("s3cr3t"), "{told}");
        }
    }

    #[test]
    fn https_and_loopback_are_not_doubted_but_a_proxy_on_the_way_is() {
        for address in [
            "https://aws.internal.example", "http://127.0.0.1:4566", "http://[::1]:4566",
            "http://127.0.0.1",
        ] {
            assert_eq!(doubt(address).unwrap(), None, "{address}");
        }
        for address in ["http://localhost:4566", "http://127.0.0.2"] {
            let told = doubt(address).unwrap().unwrap_or_default();
            assert!(told.contains("takes it to proxy.example.com"), "{address}: {told}");
            assert!(!told.contains("s3cr3t"), "{told}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        for address in [
            "", "me:s3cr3t@aws.example.com", "http://me:s3 cr3t@aws.example.com",
            "ftp://me:s3cr3t@aws.example.com", "s3cr3t", "https:///s3cr3t",
            "//me:s3cr3t@aws.example.com",
        ] {
            let told = doubt(address).unwrap_err().to_string();
            assert!(told.starts_with("AWS_ENDPOINT_URL is no address"), "{address}: {told}");
            assert!(!told.contains("s3"), "{told}");
        }
    }
}
