//! `LaunchTemplate`: what the instances of a group are made of. A change makes a new version,
//! which becomes the default; the group runs the newest.

mod content;
#[cfg(test)]
mod disturbed;
mod fields;
mod kind;
mod look;
mod read;
mod request;
mod wanted;

pub(crate) use content::{Spot, Volume};
#[cfg(test)]
pub(crate) use disturbed::ROOT_DEVICE;
pub(crate) use look::{AllTemplates, own_templates, user_marks};
pub(crate) use read::{
    LiveTemplate, Pointers, TemplateUser, decode, observe_pointers, observe_versions,
};
pub(crate) use wanted::{LaunchTemplate, Resolved, WantedImage};
