//! What AWS is given of a resource and is particular about: its name, and its tags.

use crate::aws::tags::Tags;
use crate::limits::Text;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    /// The name under which it is made, with its limit.
    pub(crate) name: Option<(&'static Text, &'a str)>,
    pub(crate) tags: Option<&'a Tags>,
    /// Whether tags take letters, digits, spaces and a few signs only.
    pub(crate) is_plain: bool,
}

impl<'a> Given<'a> {
    /// Neither a name of ours nor tags.
    pub(crate) fn nothing() -> Self {
        Self { name: None, tags: None, is_plain: false }
    }

    pub(crate) fn name(limit: &'static Text, name: &'a str) -> Self {
        Self { name: Some((limit, name)), ..Self::nothing() }
    }

    pub(crate) fn tags(self, tags: &'a Tags) -> Self {
        Self { tags: Some(tags), ..self }
    }

    pub(crate) fn plain_tags(self, tags: &'a Tags) -> Self {
        Self { is_plain: true, ..self.tags(tags) }
    }
}
