//! `create secret`: keeps an SSH public key.

use anyhow::{Context as _, bail};
use clap::Subcommand;

use super::input::read_text;
use super::locked::{Held, locked};
use super::settings::Global;
use super::ui::Ui;
use crate::spec::name::ObjectName;
use crate::spec::ssh_credential;
use crate::store::objects::Place;

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Keep the SSH public key that may log in to instances
    #[command(after_help = "Examples:
  kapstan create secret sshpublickey admin -i ~/.ssh/id_rsa.pub --name dev.example.com")]
    Sshpublickey {
        /// The key's name; kops uses admin
        #[arg(value_name = "NAME")]
        key_name: String,
        /// The file with the public key, in OpenSSH's form; - for standard input
        #[arg(short = 'i', long = "pubkey", value_name = "FILE")]
        file: String,
    },
}

pub(crate) async fn run(ui: &Ui, global: &Global, command: &SecretCommand) -> anyhow::Result<()> {
    let SecretCommand::Sshpublickey { key_name, file } = command;
    let cluster = global.cluster(None)?;
    let name = ObjectName::new(key_name).context("the key's name")?;
    let key = read_text(file).with_context(|| file.clone())?;
    let place = Place::ssh_key(cluster.clone(), name, &key).with_context(|| file.clone())?;
    if let Some(reason) = ssh_credential::not_for_ec2(&key) {
        bail!("{file}: {reason}");
    }
    let work = async |held: &Held| {
        let (store, _) = global.store(ui).await?;
        store.existing_cluster(&cluster).await?;
        held.begin()?;
        store.keep_ssh_key(&place, &key).await?;
        ui.out(&format!("SSHCredential/{key_name} created\n"))
    };
    locked(ui, global, "create secret", [cluster.clone()], work).await
}
