//! A plan and what came of it, for people ([`text`]) and for machines ([`machine`]).

pub(crate) mod machine;
pub(crate) mod rolling;
pub(crate) mod statement;
pub(crate) mod style;
pub(crate) mod text;
pub(crate) mod upgrade;
mod user_data;
pub(crate) mod validation;
