//! What the kinds of AWS resources share, whichever there are: how one is called, found, told
//! apart from others', compared, written and waited for. Nothing here knows a kind by name.

pub(crate) mod belongings;
pub(crate) mod creation;
pub(crate) mod deletion;
pub(crate) mod document;
pub(crate) mod drift;
pub(crate) mod fields;
pub(crate) mod given;
pub(crate) mod holders;
pub(crate) mod home;
pub(crate) mod id;
#[cfg(test)]
pub(crate) mod imagined;
pub(crate) mod in_use;
pub(crate) mod kind;
pub(crate) mod look;
pub(crate) mod manage;
pub(crate) mod names;
pub(crate) mod seen;
pub(crate) mod shared_tags;
pub(crate) mod sweep;
pub(crate) mod time;
pub(crate) mod wait;
pub(crate) mod whose;
pub(crate) mod wishes;
pub(crate) mod work;
