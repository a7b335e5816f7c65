//! `LaunchTemplate`: what the instances of a group are made of. A change makes a new version;
//! the group points at one by number.

mod content;
mod fields;
mod kind;
mod read;
mod request;

pub(crate) use content::{Spot, Volume};
pub(crate) use kind::{LaunchTemplate, LaunchTemplateDeletion, Resolved};
pub(crate) use read::{LiveTemplate, TemplateUser, decode, observe, observe_versions};
