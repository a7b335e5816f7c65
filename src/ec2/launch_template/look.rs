//! How launch templates and what they name are looked at, and what of them is a cluster's.

use std::collections::{BTreeMap, BTreeSet};

use super::kind::LaunchTemplateDeletion;
use super::read::{self, DESCRIBE, TemplateUser};
use super::wanted::LaunchTemplate;
use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::id::Id;
use crate::core::in_use::Thing;
use crate::core::look::{Asked, Look, Looking};
use crate::core::seen::{Looked, Seen};
use crate::core::whose::{Marks, Whose};
use crate::ec2::image;

/// The newest version of every template that bears a name of the cluster's.
#[derive(Debug)]
pub(crate) struct Templates {
    cluster: String,
}

impl Look for Templates {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let is_asked = asked.looks_at(&[LaunchTemplate::KIND]) && !asked.everything();
        is_asked.then(|| Self { cluster: asked.cluster().to_owned() })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let suffix = format!(".{}", self.cluster);
        let named = |name: &str| name.ends_with(&suffix);
        Ok(Seen::default().with(read::observe(aws, &self.cluster, named).await?))
    }
}

/// A template of the account, whatever is in it.
#[derive(Clone, Debug)]
struct KnownTemplate {
    id: Id<LaunchTemplate>,
    name: String,
    tags: Tags,
}

impl KnownTemplate {
    fn marks(&self) -> Marks<'_> {
        Marks::of(&self.id).or_id(&self.name).tags(&self.tags)
    }
}

/// All templates of the account.
#[derive(Debug)]
pub(crate) struct AllTemplates;

impl Look for AllTemplates {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        asked.everything().then_some(Self)
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let rows = read::describe(aws, Vec::new()).await.and_then(|rows| {
            let known = rows.iter().map(|row| {
                let id = row.launch_template_id();
                let id = Id::given(Answer::of(DESCRIBE, ""), "launchTemplateId", id)?;
                let name = row.launch_template_name();
                Ok(KnownTemplate {
                    name: Answer::of(DESCRIBE, &id).text("launchTemplateName", name)?,
                    tags: ec2::tags_from_sdk(row.tags()),
                    id: id.clone(),
                })
            });
            known.collect()
        });
        Ok(Seen::default().with(Looked::sort(rows)?))
    }
}

/// The images that specs name.
#[derive(Debug)]
pub(crate) struct NamedImages(BTreeSet<String>);

impl Look for NamedImages {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let images = asked.wanted::<LaunchTemplate>().iter().flat_map(|one| one.image.names());
        let images: BTreeSet<String> = images.map(str::to_owned).collect();
        (!images.is_empty()).then_some(Self(images))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let images = image::observe(aws, &self.0).await;
        Ok(Seen::default().with(Looked::attempted(images.map(|images| vec![images]))))
    }
}

impl Presence for LaunchTemplate {
    const LOOKS: &'static [Looking] =
        &[Looking::of::<Templates>(), Looking::of::<AllTemplates>(), Looking::of::<NamedImages>()];

    const IS_SOUGHT: bool = false;

    /// A template goes the way of a group that runs on it.
    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let own = own_templates(around);
        let users = around.seen.rows::<TemplateUser>();
        let judged = users.iter().map(|user| {
            let TemplateUser { group, template, tags } = user;
            let marks = user_marks(around, &group.name, template, tags, &own);
            (user, around.owner.whose(user.group.kind, &marks))
        });
        let judged: Vec<(&TemplateUser, Whose)> = judged.collect();
        let foreign = judged.iter().filter(|(_, whose)| !whose.is_owned());
        let foreign: BTreeMap<&Id<LaunchTemplate>, &(&TemplateUser, Whose)> =
            foreign.map(|one| (&one.0.template, one)).collect();
        let templates = around.seen.rows::<KnownTemplate>().iter().filter_map(|template| {
            let (id, name) = (&template.id, template.name.as_str());
            let runs = |(user, whose): &&(&TemplateUser, Whose)| {
                user.group.name == name && user.template == *id && whose.is_owned()
            };
            let other = foreign.get(id).filter(|_| own.contains(id)).copied();
            let marks = match other.or_else(|| judged.iter().find(runs)) {
                Some((user, whose)) => {
                    template.marks().hangs_on(format!("run by {}", user.group), whose.clone())
                }
                None => template.marks(),
            };
            let deletion = LaunchTemplateDeletion(template.id.clone());
            let found = around.by_name(Self::KIND, name, &marks, deletion)?;
            Some(found.used_as(Thing::LaunchTemplate((&template.id).into())))
        });
        templates.collect()
    }
}

/// The ids of the templates that are the cluster's by what they say of themselves.
pub(crate) fn own_templates<'a>(around: &Around<'a>) -> BTreeSet<&'a Id<LaunchTemplate>> {
    let templates = around.seen.rows::<KnownTemplate>().iter();
    let own = templates.filter(|template| {
        let marks = Marks::of(&template.id).tags(&template.tags);
        around.owner.whose(LaunchTemplate::KIND, &marks).is_owned()
    });
    own.map(|template| &template.id).collect()
}

/// A group of a name that the cluster gives, on a template of the cluster's, is the cluster's,
/// even if it has lost its tags.
pub(crate) fn user_marks<'a>(
    around: &Around<'_>,
    group: &'a str,
    template: &Id<LaunchTemplate>,
    tags: &'a Tags,
    own: &BTreeSet<&Id<LaunchTemplate>>,
) -> Marks<'a> {
    let marks = Marks::of(group).tags(tags);
    match around.names.has(group, tags) && own.contains(template) {
        true => marks.hangs_on(format!("run on {template}"), Whose::Owned),
        false => marks,
    }
}
