//! The kubeconfig: where it is, what it holds, and what in it leaves a connection open to others.
//!
//! It is trusted, as kubectl trusts it: what it lets run is run. It and the files that it names
//! are read here, so that none of them is waited for, or is read without end.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::Config;
use kube::config::{AuthInfo, Cluster, KubeConfigOptions, Kubeconfig, KubeconfigError};

use crate::files::{self, Unread};
use crate::spec::secret;
use crate::visible::on_the_way::is_loopback;

/// Far above what the kubeconfig of a thousand clusters has, certificates and all.
const MOST: u64 = 16 * 1024 * 1024;

/// How a context of the kubeconfig says to connect.
///
/// # Errors
/// A file that cannot be read; no context of that name.
pub(super) async fn config(given: Option<&Path>, context: &str) -> anyhow::Result<Config> {
    let mut kubeconfig = match given {
        Some(path) => read(path)?,
        None => read_configured()?,
    };
    take_files_in(&mut kubeconfig, context)?;
    let options =
        KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| anyhow!(in_words(&error)))
        .with_context(|| format!("the context {context} of the kubeconfig"))
}

/// What of a connection others could read or take over, in words for a warning.
pub(super) fn doubts(config: &Config) -> Vec<String> {
    let mut doubts = Vec::new();
    let address = address(config);
    let is_plain = config.cluster_url.scheme_str() == Some("http");
    let host = config.cluster_url.host().unwrap_or_default();
    if is_plain && !is_loopback(host) {
        let AuthInfo { token, token_file, password, exec, auth_provider, .. } = &config.auth_info;
        let has_credentials = token.is_some()
            || token_file.is_some()
            || password.is_some()
            || exec.is_some()
            || auth_provider.is_some();
        let credentials = if has_credentials { ", the credentials too" } else { "" };
        doubts.push(format!(
            "the kubeconfig reaches {address} without TLS: whoever is on the way reads and changes \
             what is sent{credentials}; write https://"
        ));
    }
    if config.accept_invalid_certs && !is_plain {
        doubts.push(format!(
            "the kubeconfig does not verify the certificate of {address} \
             (insecure-skip-tls-verify): whoever is on the way can pass for the cluster; give \
             certificate-authority instead"
        ));
    }
    doubts
}

/// The address of the API, without credentials in it.
pub(super) fn address(config: &Config) -> String {
    secret::without_credentials(&config.cluster_url.to_string())
}

/// That of KUBECONFIG, which may name several files, or `~/.kube/config`.
fn read_configured() -> anyhow::Result<Kubeconfig> {
    const WHERE: &str = "no kubeconfig (--kubeconfig, KUBECONFIG)";
    let named = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let named: Vec<PathBuf> =
        std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty()).collect();
    let paths = match named.is_empty() {
        false => named,
        true => {
            let home = std::env::home_dir().context(WHERE)?;
            vec![home.join(".kube").join("config")]
        }
    };
    let mut merged = Kubeconfig::default();
    let mut absent = None;
    let mut is_any_there = false;
    for path in &paths {
        match read(path) {
            Ok(next) => {
                is_any_there = true;
                merged = merged.merge(next).map_err(|error| anyhow!(in_words(&error)))?;
            }
            // As kubectl does, which takes those of a list that are there.
            Err(error) if is_absent(&error) => absent = absent.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    match absent {
        Some(error) if !is_any_there => Err(error.context(WHERE)),
        _ => Ok(merged),
    }
}

fn is_absent(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Unread>().is_some_and(Unread::is_absent)
}

fn read(path: &Path) -> anyhow::Result<Kubeconfig> {
    let text = files::read_text(path, MOST).with_context(|| format!("{}", path.display()))?;
    let parsed = Kubeconfig::from_yaml(text.trim_start_matches('\u{feff}'));
    let mut kubeconfig = parsed
        .map_err(|error| anyhow!(in_words(&error)))
        .with_context(|| format!("{} is no kubeconfig", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        from_folder(folder, &mut cluster.certificate_authority);
    }
    for user in kubeconfig.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        from_folder(folder, &mut user.client_certificate);
        from_folder(folder, &mut user.client_key);
        from_folder(folder, &mut user.token_file);
        if let Some(exec) = &mut user.exec {
            // A bare name is looked up in PATH.
            let is_path = exec.command.as_ref().is_some_and(|command| command.contains('/'));
            if is_path {
                from_folder(folder, &mut exec.command);
            }
        }
    }
    Ok(kubeconfig)
}

/// A path in a kubeconfig begins where that lies.
fn from_folder(folder: &Path, path: &mut Option<String>) {
    if let Some(own) = path.as_mut().filter(|own| !own.is_empty()) {
        *own = folder.join(&own).display().to_string();
    }
}

/// Reads the certificates and the key that a context names by their files.
fn take_files_in(kubeconfig: &mut Kubeconfig, name: &str) -> anyhow::Result<()> {
    let names: Vec<&str> =
        kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
    let Some(context) = kubeconfig.contexts.iter().find(|context| context.name == name) else {
        let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        bail!(
            "the kubeconfig has no context {name} (it has: {has}); give --context, or --kubeconfig \
             of another file"
        );
    };
    let Some(context) = context.context.clone() else { return Ok(()) };
    let cluster = kubeconfig.clusters.iter_mut().find(|cluster| cluster.name == context.cluster);
    if let Some(cluster) = cluster.and_then(|named| named.cluster.as_mut()) {
        let Cluster { certificate_authority: file, certificate_authority_data: data, .. } = cluster;
        if let Some(text) = base64_of(file, data.is_some())? {
            *data = Some(text);
        }
    }
    let user =
        kubeconfig.auth_infos.iter_mut().find(|user| Some(&user.name) == context.user.as_ref());
    if let Some(user) = user.and_then(|named| named.auth_info.as_mut()) {
        let has_data = user.client_certificate_data.is_some();
        if let Some(text) = base64_of(&user.client_certificate, has_data)? {
            user.client_certificate_data = Some(text);
        }
        if let Some(text) = base64_of(&user.client_key, user.client_key_data.is_some())? {
            user.client_key_data = Some(text.into());
        }
        // It is read again and again later, since it changes.
        if let Some(path) = user.token_file.as_ref().filter(|path| !path.is_empty()) {
            files::read_text(Path::new(path), MOST).with_context(|| path.clone())?;
        }
    }
    Ok(())
}

fn base64_of(file: &Option<String>, has_data: bool) -> anyhow::Result<Option<String>> {
    match file.as_ref().filter(|file| !file.is_empty() && !has_data) {
        None => Ok(None),
        Some(path) => {
            let text = files::read_text(Path::new(path), MOST).with_context(|| path.clone())?;
            Ok(Some(STANDARD.encode(text)))
        }
    }
}

/// An error without the lines of the file, which may hold a token.
fn in_words(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!("the YAML cannot be read at {}:{}", at.line(), at.column()),
            None => "the YAML cannot be read".to_owned(),
        },
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubts_of(server: &str, user: &str, more: &str) -> Vec<String> {
        let text = format!(
            "clusters: [{{name: c, cluster: {{server: '{server}'{more}}}}}]\n\
             users: [{{name: u, user: {{{user}}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, text).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        doubts(&runtime.block_on(config(Some(&path), "c")).unwrap())
    }

    #[test]
    fn what_others_could_read_or_take_over_is_doubted() {
        for server in ["http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost"] {
            assert_eq!(doubts_of(server, "token: t0ken", ""), [""; 0], "{server}");
        }
        assert_eq!(doubts_of("https://api.example.com", "token: t0ken", ""), [""; 0]);
        for server in ["http://api.example.com", "http://localhost.example.com", "http://10.0.0.1"]
        {
            let doubts = doubts_of(server, "token: t0ken", "");
            assert!(doubts[0].contains("without TLS") && doubts.len() == 1, "{doubts:?}");
            assert!(doubts[0].contains("the credentials too"), "{doubts:?}");
            let doubts = doubts_of(server, "", "");
            assert!(!doubts[0].contains("the credentials too"), "{doubts:?}");
        }
        let skips = ", insecure-skip-tls-verify: true";
        let doubts = doubts_of("https://me:s3cr3t@api.example.com", "", skips);
        assert!(doubts[0].contains("insecure-skip-tls-verify"), "{doubts:?}");
        assert!(!doubts[0].contains("s3cr3t"), "{doubts:?}");
    }

    #[test]
    fn what_is_wrong_with_a_kubeconfig_is_told_without_its_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        for text in [
            "users:\n- name: u\n  user: {token: t0ken-s3cr3t\n",
            "users:\n- name: u\n  user: t0ken-s3cr3t\n",
            "users:\n- name: u\n  user:\n    exec: t0ken-s3cr3t\n",
        ] {
            std::fs::write(&path, text).unwrap();
            let told = format!("{:#}", read(&path).unwrap_err());
            assert!(told.contains("is no kubeconfig: the YAML cannot be read"), "{told}");
            assert!(!told.contains("s3cr3t"), "{told}");
        }
    }
}
