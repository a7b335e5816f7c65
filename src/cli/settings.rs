//! What holds for every command: where the specs are, which cluster is meant, how to talk.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::{ArgAction, Args};
use tokio::sync::OnceCell;

use super::duration::duration;
use super::ui::{ColorChoice, Ui};
use crate::aws::network::Network;
use crate::aws::target::Identity;
use crate::files;
use crate::spec::name::ClusterName;
use crate::spec::{document, yaml};
use crate::store::url::StoreUrl;
use crate::store::{Access, Owner, Store};

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Where specs are kept: s3://BUCKET/PREFIX, file:///PATH or a path [env: KOPS_STATE_STORE]
    ///
    /// Below the option and the variable, kops_state_store in ~/.kops.yaml is used, and else
    /// a folder in the user's data directory. What looks like another address is refused, and so
    /// is a ~ that the shell has left.
    #[arg(long, global = true, value_name = "STORE")]
    pub(crate) state: Option<String>,

    /// The cluster's name [env: KOPS_CLUSTER_NAME]
    #[arg(long, global = true, value_name = "CLUSTER")]
    pub(crate) name: Option<String>,

    /// The account that must be at work; with any other nothing is done
    /// [env: KAPSTAN_EXPECT_ACCOUNT]
    ///
    /// For pipelines. The account of the credentials is asked for before anything else and
    /// compared, whatever the state store remembers of the cluster.
    #[arg(long, global = true, value_name = "NUMBER")]
    pub(crate) expect_account: Option<String>,

    /// The account whose the bucket of the state store must be, if not that of the credentials
    /// [env: KAPSTAN_STATE_OWNER]
    #[arg(long, global = true, value_name = "NUMBER")]
    pub(crate) state_owner: Option<String>,

    /// Tell more: whole policy documents, calls to AWS
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub(crate) color: ColorChoice,

    /// Take a field that kops does not have as an error, not as a warning (for CI)
    #[arg(long, global = true)]
    pub(crate) strict: bool,

    /// How long to wait while another command writes the same cluster [default: until it is
    /// known whether that command lives]
    ///
    /// One command at a time writes a cluster, its specs or AWS. By default one that finds
    /// another at work is refused once it has seen a sign of life of it, which takes some
    /// seconds; one that died is out of the way after a minute. With 0s it is refused at once.
    /// Commands that only read never wait.
    #[arg(long, global = true, value_parser = duration, value_name = "TIME")]
    pub(crate) lock_timeout: Option<Duration>,

    #[arg(skip)]
    opened: OnceCell<(Store, StoreUrl)>,

    #[arg(skip)]
    network: OnceCell<Network>,

    #[arg(skip)]
    identity: OnceCell<Identity>,
}

const EXPECT_ACCOUNT: &str = "--expect-account (KAPSTAN_EXPECT_ACCOUNT)";

/// The field of kops' own settings file, whose keys kops takes in any case.
const STORE_SETTING: &str = "kops_state_store";

impl Global {
    /// The state store, which is opened once.
    pub(crate) async fn store(&self, ui: &Ui) -> anyhow::Result<(Store, StoreUrl)> {
        self.opened.get_or_try_init(async || self.open(ui).await).await.cloned()
    }

    async fn open(&self, ui: &Ui) -> anyhow::Result<(Store, StoreUrl)> {
        let url = match self.configured_store()? {
            Some(url) => url,
            None => {
                let folder = dirs::data_dir().context(
                    "no state store is configured and there is no data directory; give --state",
                )?;
                let url = StoreUrl::Local(folder.join("kapstan").join("state"));
                ui.status(&format!(
                    "No state store is configured (--state, KOPS_STATE_STORE); using {url}"
                ));
                url
            }
        };
        let access = async || {
            let network = self.network(ui).await?.clone();
            Ok(Access { network, owner: self.state_owner(ui).await? })
        };
        Ok((Store::open(&url, access).await?, url))
    }

    /// Whose a bucket must be. That of the credentials, unless another is given: what the bucket
    /// itself holds can prove nothing, and what was remembered elsewhere, another machine lacks.
    async fn state_owner(&self, ui: &Ui) -> anyhow::Result<Owner> {
        const FLAG: &str = "--state-owner (KAPSTAN_STATE_OWNER)";
        let given = filled(self.state_owner.clone()).or_else(|| variable("KAPSTAN_STATE_OWNER"));
        if let Some(account) = given {
            let advice = format!("which {FLAG} asks for");
            return Ok(Owner { account: account_number(FLAG, account)?, advice });
        }
        let identity = self.identity(ui, None).await.with_context(|| {
            format!("the account of the bucket is not known, and is not looked for with {FLAG}")
        })?;
        let advice = format!(
            "whose credentials these are. If you know the bucket's account, and mean another's: {FLAG}"
        );
        Ok(Owner { account: identity.account().to_owned(), advice })
    }

    /// How AWS is reached, which is read once. What others could read on the way is a warning,
    /// before anything is sent.
    pub(crate) async fn network(&self, ui: &Ui) -> anyhow::Result<&Network> {
        let read = async || {
            let network = Network::configured().await?;
            network.doubts.iter().for_each(|doubt| ui.warn(doubt));
            Ok(network)
        };
        self.network.get_or_try_init(read).await
    }

    /// Whose credentials are at work, which is asked once, in a region or else in the user's own.
    ///
    /// # Errors
    /// It is not the account that the user expects.
    pub(crate) async fn identity(
        &self,
        ui: &Ui,
        region: Option<&str>,
    ) -> anyhow::Result<&Identity> {
        let expected = self.expected_account()?;
        let network = self.network(ui).await?;
        let ask = async || Identity::ask(network, region).await;
        let identity = self.identity.get_or_try_init(ask).await?;
        if let Some(expected) = expected {
            let account = identity.account();
            ensure!(
                account == expected,
                "these are credentials of account {account}, and {EXPECT_ACCOUNT} asks for                  {expected}; nothing was done. Use credentials of {expected}"
            );
        }
        Ok(identity)
    }

    /// Refuses whatever the command is, if the user expects another account.
    pub(crate) async fn check_expected_account(&self, ui: &Ui) -> anyhow::Result<()> {
        if self.expected_account()?.is_some() {
            self.identity(ui, None).await?;
        }
        Ok(())
    }

    fn expected_account(&self) -> anyhow::Result<Option<String>> {
        let given = filled(self.expect_account.clone());
        let given = given.or_else(|| variable("KAPSTAN_EXPECT_ACCOUNT"));
        given.map(|account| account_number(EXPECT_ACCOUNT, account)).transpose()
    }

    /// The state store that the user configured, without opening it.
    pub(crate) fn configured_store(&self) -> anyhow::Result<Option<StoreUrl>> {
        let given = filled(self.state.clone()).or_else(|| variable("KOPS_STATE_STORE"));
        let text = match given {
            Some(text) => Some(text),
            None => kops_settings()?.filter(|text| !text.trim().is_empty()),
        };
        text.map(|text| StoreUrl::parse(&text)).transpose()
    }

    /// The cluster that is meant: the argument, `--name` or the environment.
    pub(crate) fn cluster(&self, argument: Option<&str>) -> anyhow::Result<ClusterName> {
        match self.cluster_if_named(argument)? {
            Some(name) => Ok(name),
            None => bail!("which cluster? Give its name, --name or KOPS_CLUSTER_NAME"),
        }
    }

    pub(crate) fn cluster_if_named(
        &self,
        argument: Option<&str>,
    ) -> anyhow::Result<Option<ClusterName>> {
        let option = self.name.as_deref().filter(|name| !name.is_empty());
        if let (Some(argument), Some(option)) = (argument, option) {
            ensure!(
                argument == option,
                "two clusters are named: {argument} and, by --name, {option}; name one"
            );
        }
        let name = argument.or(option).map(str::to_owned);
        let name = name.or_else(|| variable("KOPS_CLUSTER_NAME"));
        name.map(|name| ClusterName::new(&name).context("this is no cluster")).transpose()
    }
}

fn account_number(flag: &str, text: String) -> anyhow::Result<String> {
    let is_number = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    ensure!(is_number, "{flag} {text:?} is no account: it takes 12 digits");
    Ok(text)
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn variable(name: &str) -> Option<String> {
    filled(std::env::var(name).ok())
}

/// The store that kops' own settings file names.
fn kops_settings() -> anyhow::Result<Option<String>> {
    let Some(path) = dirs::home_dir().map(|home| home.join(".kops.yaml")) else {
        return Ok(None);
    };
    let name = path.display().to_string();
    match files::read_text(&path, yaml::MAX_BYTES as u64) {
        Ok(text) => store_in(&text, &name),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error).context(name),
    }
}

fn store_in(text: &str, origin: &str) -> anyhow::Result<Option<String>> {
    let settings =
        yaml::parse_value(text).map_err(|error| document::yaml_error(&error, text, origin))?;
    let entries = match &settings.value {
        yaml::Value::Null => return Ok(None),
        yaml::Value::Map(entries) => entries,
        _ => bail!("{origin}: settings are a mapping, not {}", settings.describe()),
    };
    let mut named = entries.iter().filter(|entry| entry.key.eq_ignore_ascii_case(STORE_SETTING));
    let (first, second) = (named.next(), named.next());
    if let Some(second) = second {
        bail!("{origin}:{}: {STORE_SETTING} stands there twice; leave one", second.key_at);
    }
    match first.map(|entry| &entry.value) {
        None => Ok(None),
        Some(value) if value.is_null() => Ok(None),
        Some(value) => match value.text() {
            Some(text) => Ok(Some(text.to_owned())),
            None => bail!(
                "{origin}:{}: {STORE_SETTING} takes the address of a store, not {}",
                value.at,
                value.describe()
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_read_out_of_settings_of_kops() {
        for (text, store) in [
            ("", None),
            ("# nothing yet\n", None),
            ("kops_cluster_name: dev.example.com\n", None),
            ("kops_state_store:\n", None),
            ("kops_state_store: s3://state\n", Some("s3://state")),
            ("KOPS_STATE_STORE: 's3://state'\n", Some("s3://state")),
            ("Kops_State_Store: s3://state # ours\nother: [1, {a: b}]\n", Some("s3://state")),
            // A folder may be called so.
            ("kops_state_store: yes\n", Some("yes")),
        ] {
            assert_eq!(store_in(text, "x").unwrap().as_deref(), store, "{text:?}");
        }
    }

    #[test]
    fn settings_are_read_with_the_limits_of_specs() {
        let deep = "[".repeat(100);
        for (text, told) in [
            (
                "kops_state_store: [a]\n",
                "x:1:19: kops_state_store takes the address of a store, not a list",
            ),
            ("- a\n", "x: settings are a mapping, not a list"),
            (
                "a: 1\nkops_state_store: a\nKOPS_STATE_STORE: b\n",
                "x:3:1: kops_state_store stands there twice",
            ),
            (
                "kops_state_store: a\nkops_state_store: b\n",
                "x:2:1: this key stands already at line 1",
            ),
            ("a: \u{1b}\n", "control character U+001B"),
            ("a: 1\n---\na: 2\n", "not 2 documents"),
            (&deep, "nested deeper than 64 levels"),
        ] {
            let error = store_in(text, "x").unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
