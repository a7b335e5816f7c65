//! The kind: how a launch template is found and written.

use aws_sdk_ec2::types::{Filter, RequestLaunchTemplateData, ResourceType};

use super::content::{Content, StartedTags};
use super::fields::{OldVersions, TemplateFields};
use super::read::{self, DESCRIBE, DESCRIBE_VERSIONS, LiveTemplate, TemplateUser};
use super::request;
use super::wanted::LaunchTemplate;
#[cfg(test)]
use super::wanted::Resolved;
use crate::aws::{Answer, Aws, AwsError, Fault, done, ec2};
use crate::core::creation::{Creation, Standing};
use crate::core::deletion::Delete;
use crate::core::drift::Drift;
#[cfg(test)]
use crate::core::drift::Image;
use crate::core::fields::{Changed, Changes as _, ExactTags, Fields as _, Found, Want, Wanted};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Id, Ref};
use crate::core::in_use::Thing;
use crate::core::kind::ResourceId;
use crate::core::manage::{Manage, View};
use crate::core::seen::Looked;
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed};
use crate::core::whose::{Marks, Owner, Taggable, Whose};
use crate::core::work::{Told, Work};
use crate::ec2::key_pair::{LiveKeyPair, SshKey};
use crate::limits::LAUNCH_TEMPLATE_NAME;

const CREATE: &str = "ec2:CreateLaunchTemplate";
const CREATE_VERSION: &str = "ec2:CreateLaunchTemplateVersion";
const MODIFY: &str = "ec2:ModifyLaunchTemplate";
const DELETE_VERSIONS: &str = "ec2:DeleteLaunchTemplateVersions";

impl Manage for LaunchTemplate {
    type Live = LiveTemplate;
    type Fields = TemplateFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(LaunchTemplate::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        let groups = self.security_groups.iter().map(Ref::resource);
        let key = self.ssh_key.iter().map(Ref::resource);
        groups.chain(key).chain(self.after.iter().cloned()).collect()
    }

    fn is(&self, found: &LiveTemplate, _: View<'_>) -> bool {
        found.name == self.name
    }

    /// A template that a group of the cluster runs on is the cluster's, even if it has lost its
    /// tags.
    fn marks<'a>(&self, found: &'a LiveTemplate, view: View<'a>) -> Vec<Marks<'a>> {
        let mut users = view.seen.rows::<TemplateUser>().iter();
        let user = users.find(|user| {
            user.group.name == found.name
                && user.template == found.id
                && view.owns(user.group.kind, &Marks::of(&user.group.name).tags(&user.tags))
        });
        vec![match user {
            Some(user) => {
                let how = format!("run by {}", user.group.name);
                found.marks().hangs_on(how, Whose::Owned)
            }
            None => found.marks(),
        }]
    }

    fn adopt(&self, found: &LiveTemplate, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::Ec2(&found.id)))
    }

    fn aws_id(found: &LiveTemplate) -> Id<Self> {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> TemplateFields<Wanted> {
        let groups = self.security_groups.iter().map(|group| group.name.clone());
        TemplateFields {
            tags: Want::Is(ExactTags::from(&self.tags)),
            is_default: Want::Is(true),
            versions: Want::Any,
            ..self.content(groups.collect()).fields(Some(0))
        }
    }

    /// Old versions that nothing uses go when there is a new one, and are no reason for one.
    fn wanted_over(&self, found: &LiveTemplate, view: View<'_>) -> TemplateFields<Wanted> {
        let wanted = TemplateFields { tags: self.tags_over(found), ..self.wanted(view) };
        match wanted.difference(&self.found(found, view)).makes_version() {
            true => TemplateFields { versions: Want::Absent, ..wanted },
            false => wanted,
        }
    }

    fn found(&self, found: &LiveTemplate, view: View<'_>) -> TemplateFields<Found> {
        let groups = found.content.security_groups.iter().map(|id| view.name(id).to_owned());
        let content = Content { security_groups: groups.collect(), ..found.content.clone() };
        let old = found.old_versions.iter();
        let old = old.filter(|number| !self.resolved.used.contains(number)).copied();
        let old: Vec<i64> = old.collect();
        TemplateFields {
            tags: Some(ExactTags::from(&found.tags)),
            is_default: Some(found.is_default),
            versions: (!old.is_empty()).then_some(OldVersions(old)),
            ..content.fields(self.place_of_root(&content))
        }
    }

    /// Whose image instances boot from is told with every version, though the image be the same:
    /// an id says nothing of that.
    fn told(&self, changed: &TemplateFields<Changed>) -> Drift {
        let image = changed.makes_version().then(|| self.resolved.image.clone());
        Drift { image: image.filter(|image| !image.id.is_empty()), ..changed.drift() }
    }

    fn given(&self) -> Given<'_> {
        Given::name(&LAUNCH_TEMPLATE_NAME, &self.name).tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let data = self.data(work)?;
        let creation = Creation { work, resource: &self.id(), operation: CREATE };
        let create = |token| self.create_one(work.aws, token, data.clone());
        let look = || {
            let mut chosen = ec2::identity(&self.tags);
            chosen.push(ec2::filter("launch-template-name", [&self.name]));
            self.standing(work.aws, chosen)
        };
        creation.with_token("", create, look).await.map(Some)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &TemplateFields<Changed>,
    ) -> Result<(), AwsError> {
        if let Some(delta) = &changed.tags {
            let gone = ExactTags::of(delta).filter(|(_, value)| value.is_none());
            ec2::untag(work.aws, id, gone.map(|(key, _)| key)).await?;
            ec2::tag(work.aws, id, &self.tags).await?;
        }
        // All fields but the template's own are of a version, which is made as a whole.
        if !changed.makes_version() {
            let newest = self.resolved.next_version - 1;
            return match changed.is_default {
                Some(_) => self.make_default(work.aws, id, newest).await,
                None => Ok(()),
            };
        }
        let data = self.data(work)?;
        let creation = Creation { work, resource: &self.id(), operation: CREATE_VERSION };
        let within = format!("{} {}", id, self.resolved.next_version);
        let create = |token| self.create_version(work.aws, token, id, data.clone());
        let look = || self.newer(work.aws, id);
        let made = creation.with_token(&within, create, look).await?;
        if made != self.resolved.next_version.to_string() {
            return Err(self.overtaken(&made));
        }
        self.make_default(work.aws, id, self.resolved.next_version).await?;
        let old = changed.versions.as_ref().and_then(|versions| versions.before.as_ref());
        // Old versions do no harm, so that what keeps them does not fail the update.
        if let Some(OldVersions(old)) = old
            && let Err(error) = self.delete_old(work.aws, id, old).await
        {
            work.tell(Told {
                object: self.id().to_string(),
                message: format!("its old versions are not deleted: {error}"),
                next: format!("allow {DELETE_VERSIONS}; the next change of it tries again"),
            });
        }
        Ok(())
    }

    /// Of an image that the spec names by its id, and a machine type without disks of its own.
    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, view: View<'_>) -> LiveTemplate {
        let root_device = super::disturbed::ROOT_DEVICE.to_owned();
        let id_of_image = self.image.names().first().map(|name| (*name).to_owned());
        let image = Image { id: id_of_image.unwrap_or_default(), ..Image::default() };
        let resolved = Resolved { image, root_device, ..Resolved::default() };
        let groups = self.security_groups.iter().map(|group| view.id_of(group).into());
        LiveTemplate {
            id: id.clone(),
            name: self.name.clone(),
            tags: self.tags.clone(),
            version: 1,
            is_default: true,
            old_versions: Vec::new(),
            content: Self { resolved, ..self.clone() }.content(groups.collect()),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveTemplate) -> Vec<(&'static str, LiveTemplate)> {
        let contents = super::disturbed::contents(&live.content).into_iter();
        let all =
            contents.map(|(field, content)| (field, LiveTemplate { content, ..live.clone() }));
        let own = [
            ("tags", LiveTemplate { tags: Self::lacking_one(&live.tags), ..live.clone() }),
            ("defaultVersion", LiveTemplate { is_default: false, ..live.clone() }),
        ];
        all.chain(own).collect()
    }
}

impl LaunchTemplate {
    async fn standing(
        &self,
        aws: &Aws,
        chosen: Vec<Filter>,
    ) -> Result<Vec<Standing<Id<Self>>>, AwsError> {
        let rows = read::describe(aws, chosen).await?;
        let standing = rows.iter().map(|row| {
            let answer = Answer::of(DESCRIBE, &self.name);
            let id = Id::given(answer, "launchTemplateId", row.launch_template_id())?;
            Ok(Standing { id, is_gone: false })
        });
        standing.collect()
    }

    /// What is started with a template has its tags, so that these tell which it was given and is
    /// to have no more; others are none of our business.
    fn tags_over(&self, found: &LiveTemplate) -> Want<ExactTags> {
        let given = found.content.started_tags.instance.keys();
        let gone = given.filter(|key| !self.tags.contains_key(*key));
        let gone = gone.filter(|key| found.tags.contains_key(*key)).cloned();
        let mut tags = ExactTags::from(&self.tags);
        tags.0.extend(gone.map(|key| (key, None)));
        Want::Is(tags)
    }

    pub(crate) fn resource_id(&self) -> ResourceId {
        self.id()
    }

    /// Which of the volumes found is the root volume: that of the image, or else, since it may have
    /// been another image's, the first that is not told by the spec.
    fn place_of_root(&self, found: &Content) -> Option<usize> {
        let is_ours = |device: &String| self.volumes.iter().any(|(ours, _)| ours == device);
        let mut devices = found.volumes.iter().map(|(device, _)| device);
        let of_image = devices.clone().position(|device| *device == self.resolved.root_device);
        of_image.or_else(|| devices.position(|device| !is_ours(device)))
    }

    /// The disks of the instance itself, as kops maps them.
    fn ephemeral(&self) -> impl Iterator<Item = (String, String)> {
        let letters = ('c'..='z').zip(0..self.resolved.ephemeral);
        letters.map(|(letter, index)| (format!("/dev/sd{letter}"), format!("ephemeral{index}")))
    }

    /// The version that is wanted, the root volume first.
    fn content(&self, security_groups: Vec<String>) -> Content {
        let root = (self.resolved.root_device.clone(), self.root.clone());
        Content {
            image: Some(self.resolved.image.id.clone()),
            machine_type: Some(self.machine_type.clone()),
            ssh_key: self.ssh_key.as_ref().map(|key| key.name.clone()),
            profile: Some(self.profile.clone()),
            security_groups,
            public_ip: Some(self.public_ip),
            ipv6_addresses: i32::from(self.ipv6),
            volumes: std::iter::once(root).chain(self.volumes.iter().cloned()).collect(),
            ephemeral: self.ephemeral().collect(),
            monitoring: self.monitoring,
            tenancy: self.tenancy.clone(),
            spot: self.spot.clone(),
            http_tokens: Some(self.http_tokens.clone()),
            http_hop_limit: Some(self.http_hop_limit),
            http_ipv6: self.ipv6,
            cpu_credits: self.cpu_credits.clone(),
            ebs_optimized: self.ebs_optimized,
            user_data: self.user_data.clone(),
            started_tags: StartedTags::all(&self.tags),
        }
    }

    fn data(&self, work: &Work<'_>) -> Result<RequestLaunchTemplateData, AwsError> {
        Ok(request::data(&self.content(Id::texts(&work.ids(&self.security_groups)?))))
    }

    async fn create_one(
        &self,
        aws: &Aws,
        token: String,
        data: RequestLaunchTemplateData,
    ) -> Result<Id<Self>, AwsError> {
        let call = aws.ec2.create_launch_template().launch_template_name(&self.name);
        let answer = call
            .client_token(token)
            .launch_template_data(data)
            .tag_specifications(ec2::specification(ResourceType::LaunchTemplate, &self.tags))
            .send()
            .await
            .map_err(|error| AwsError::new(CREATE, &self.name, error))?;
        let id = answer.launch_template().and_then(|template| template.launch_template_id());
        Id::given(Answer::of(CREATE, &self.name), "launchTemplateId", id)
    }

    /// Makes a version; returns its number.
    async fn create_version(
        &self,
        aws: &Aws,
        token: String,
        id: &Id<Self>,
        data: RequestLaunchTemplateData,
    ) -> Result<String, AwsError> {
        let call = aws.ec2.create_launch_template_version().client_token(token);
        let answer = call.launch_template_id(id).launch_template_data(data).send().await;
        match answer.map_err(|error| AwsError::new(CREATE_VERSION, &self.name, error)) {
            Ok(answer) => {
                let made = answer.launch_template_version();
                let number = made.and_then(|version| version.version_number());
                let number =
                    Answer::of(CREATE_VERSION, &self.name).part("versionNumber", number)?;
                Ok(number.to_string())
            }
            // Another run wanted something else of the same version.
            Err(error) if error.fault == Fault::TokenUsed => {
                match self.newer(aws, id).await?.first() {
                    Some(newer) => Err(self.overtaken(&newer.id)),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn make_default(&self, aws: &Aws, id: &Id<Self>, version: i64) -> Result<(), AwsError> {
        let call = aws.ec2.modify_launch_template().launch_template_id(id);
        let answer = call.default_version(version.to_string()).send().await;
        answer.map(|_| ()).map_err(|error| AwsError::new(MODIFY, &self.name, error))
    }

    /// The versions from the one on that is to be made.
    async fn newer(&self, aws: &Aws, id: &Id<Self>) -> Result<Vec<Standing<String>>, AwsError> {
        let call = aws.ec2.describe_launch_template_versions().launch_template_id(id);
        let call = call.min_version(self.resolved.next_version.to_string());
        let answer = call.send().await;
        let answer = answer.map_err(|error| AwsError::new(DESCRIBE_VERSIONS, &self.name, error))?;
        let numbers = answer.launch_template_versions().iter().map(|version| {
            let number = version.version_number();
            let number = Answer::of(DESCRIBE_VERSIONS, id).part("versionNumber", number)?;
            Ok(Standing { id: number.to_string(), is_gone: false })
        });
        numbers.collect()
    }

    fn overtaken(&self, version: &str) -> AwsError {
        AwsError {
            operation: CREATE_VERSION,
            object: self.name.clone(),
            fault: Fault::Other,
            message: format!(
                "someone else made a version at the same time, so that there is {version} and not \
                 {} alone; run the update again",
                self.resolved.next_version
            ),
        }
    }

    async fn delete_old(&self, aws: &Aws, id: &str, old: &[i64]) -> Result<(), AwsError> {
        let numbers = old.iter().map(ToString::to_string).collect();
        let call = aws.ec2.delete_launch_template_versions().launch_template_id(id);
        let answer = call.set_versions(Some(numbers)).send().await;
        let answer = answer.map_err(|error| AwsError::new(DELETE_VERSIONS, &self.name, error))?;
        let left = answer.unsuccessfully_deleted_launch_template_versions().iter();
        let left: Vec<String> = left
            .map(|item| {
                let number = item.version_number().unwrap_or_default();
                let why = item.response_error().and_then(|error| error.message());
                format!("{number} ({})", why.unwrap_or("without a reason"))
            })
            .collect();
        match left.is_empty() {
            true => Ok(()),
            false => {
                let message = format!("AWS left versions {}", left.join(", "));
                Err(Answer::of(DELETE_VERSIONS, &self.name).not_understood(message))
            }
        }
    }
}

/// Deletes a launch template, by its id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LaunchTemplateDeletion(pub(crate) Id<LaunchTemplate>);

impl Delete for LaunchTemplateDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(id) = self;
        let call = aws.ec2.delete_launch_template().launch_template_id(id);
        done("ec2:DeleteLaunchTemplate", id, call.send().await)
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}

impl Unclaimed for LaunchTemplate {
    /// What groups run on that stay is held by them.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        hold_key_pairs(sweep);
        let view = sweep.view();
        let users = view.seen.rows::<TemplateUser>();
        for user in users {
            if sweep.is_written(&user.group) {
                continue;
            }
            let group = Place::new(user.group.kind, &user.group.name);
            let why = sweep.until_then(&format!("run by {}", user.group));
            sweep.hold_unless_gone(Place::new(LaunchTemplate::KIND, &user.template), group, why);
        }
        for found in sweep.rows::<LiveTemplate>(LaunchTemplate::KIND) {
            let id = ResourceId::new(LaunchTemplate::KIND, &found.name);
            if sweep.is_wanted(&id) {
                continue;
            }
            let place = Place::new(LaunchTemplate::KIND, &found.id);
            let whose = sweep.whose(LaunchTemplate::KIND, &found.marks());
            let offer = Offer::new(id, place, LaunchTemplateDeletion(found.id.clone()));
            let offer = offer.because("no instance group of the spec").if_owned(whose);
            let offer = offer.unless_used(Thing::LaunchTemplate((&found.id).into()));
            // Without marks, it may be the one that carries the name of a group which goes.
            let mut users = users.iter().filter(|user| user.group.name == found.name);
            match (view.owner.is_marked(&found.tags), users.next()) {
                (true, _) => sweep.offer(offer),
                (false, Some(user)) => {
                    let group = Place::new(user.group.kind, &user.group.name);
                    sweep.offer(offer.along_with(group));
                }
                (false, None) => {}
            }
        }
    }
}

/// Instances start with the key pair that the newest version of a template names which stays as
/// it is.
fn hold_key_pairs(sweep: &mut Sweep<'_>) {
    let seen = sweep.view().seen;
    let Looked::Found(templates) = seen.of::<LiveTemplate>() else {
        let why = sweep.until_then("whether launch templates name it was not looked at");
        for key in seen.rows::<LiveKeyPair>() {
            sweep.hold(Place::new(SshKey::KIND, &key.name), why.clone());
        }
        return;
    };
    let mut naming: Vec<(&LiveTemplate, &String)> = templates
        .iter()
        .filter(|one| !sweep.is_written(&ResourceId::new(LaunchTemplate::KIND, &one.name)))
        .filter_map(|one| Some((one, one.content.ssh_key.as_ref()?)))
        .collect();
    naming.sort_by_key(|(template, _)| &template.name);
    for (template, key) in naming {
        let why = format!("named by {}/{}", LaunchTemplate::KIND, template.name);
        let template = Place::new(LaunchTemplate::KIND, &template.id);
        sweep.hold_unless_gone(Place::new(SshKey::KIND, key), template, sweep.until_then(&why));
    }
}
