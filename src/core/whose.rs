//! Whose something is that was found in AWS: the cluster's, shared with it, or foreign.
//!
//! There is this one rule, for every kind and every command. Kinds show the marks of what they
//! found ([`Marks`]); [`Owner::whose`] alone decides. What is not [`Whose::Owned`] is neither
//! written nor deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::aws::tags::{CLUSTER_TAG, OWNER_TAG, Tags, owner_tag};
use crate::core::home::Home;
use crate::core::kind::Kind;

/// Whose a thing is, and what says so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Whose {
    Owned,
    /// It was there before the cluster, and stays after it.
    Shared(String),
    Foreign(String),
}

impl Whose {
    pub(crate) fn is_owned(&self) -> bool {
        matches!(self, Self::Owned)
    }

    /// What says that it is not the cluster's own.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Owned => None,
            Self::Shared(reason) | Self::Foreign(reason) => Some(reason),
        }
    }
}

/// By what it can be told whose a thing is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks<'a> {
    /// All by which a spec may name it: id, ARN, name, address.
    ids: Vec<&'a str>,
    tags: Option<&'a Tags>,
    /// The tags of what comes and goes with it.
    beside: Option<&'a Tags>,
    hangs_on: Option<(String, Whose)>,
    fits: bool,
}

impl<'a> Marks<'a> {
    pub(crate) fn of(id: &'a str) -> Self {
        Self { ids: vec![id], ..Self::default() }
    }

    pub(crate) fn or_id(mut self, id: &'a str) -> Self {
        self.ids.push(id);
        self
    }

    /// What AWS knows the thing by.
    pub(crate) fn id(&self) -> &'a str {
        self.ids.first().copied().unwrap_or_default()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &'a str> {
        self.ids.iter().copied()
    }

    pub(crate) fn known_tags(&self) -> &'a Tags {
        static NONE: Tags = Tags::new();
        self.tags.unwrap_or(&NONE)
    }

    pub(crate) fn tags(self, tags: &'a Tags) -> Self {
        Self { tags: Some(tags), ..self }
    }

    /// The tags of what comes and goes with it: where one of the two is another cluster's of the
    /// same name, the other is too.
    pub(crate) fn beside(self, tags: Option<&'a Tags>) -> Self {
        Self { beside: tags, ..self }
    }

    /// It goes the way of something else; `how` tells of what: `part of VPC/vpc-1`.
    pub(crate) fn hangs_on(self, how: impl fmt::Display, whose: Whose) -> Self {
        Self { hangs_on: Some((how.to_string(), whose)), ..self }
    }

    /// Beside its name, all else about it is as only the cluster makes it. That tells where no
    /// tag can, since kops has not always tagged what it makes.
    pub(crate) fn fits(self, fits: bool) -> Self {
        Self { fits, ..self }
    }
}

/// A cluster as an owner.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    cluster: String,
    home: Home,
    named: BTreeMap<(Kind, String), Named>,
    filled: BTreeSet<(Kind, String)>,
    knows_spec: bool,
}

/// What a spec names.
#[derive(Clone, Debug)]
struct Named {
    field: String,
    /// The tags that an update sets on it.
    tags: Tags,
}

impl Owner {
    /// A cluster whose spec is known; what it names is added.
    pub(crate) fn with_spec(cluster: &str) -> Self {
        let (cluster, home) = (cluster.to_owned(), Home::default());
        let (named, filled) = (BTreeMap::new(), BTreeSet::new());
        Self { cluster, home, named, filled, knows_spec: true }
    }

    /// A cluster of which only the name is known: tags decide, and nothing else.
    pub(crate) fn by_tags(cluster: &str) -> Self {
        Self { knows_spec: false, ..Self::with_spec(cluster) }
    }

    /// Where the cluster is: there may be others of its name.
    pub(crate) fn at(self, home: Home) -> Self {
        Self { home, ..self }
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    pub(crate) fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Notes what a field of the spec names, with the tags that an update sets on it.
    pub(crate) fn name(&mut self, kind: Kind, id: &str, field: impl fmt::Display, tags: Tags) {
        let named = Named { field: field.to_string(), tags };
        self.named.entry((kind, id.to_owned())).or_insert(named);
    }

    /// Notes what was found in something that the spec may name; `how` tells how it belongs
    /// to that: `whose role it is`.
    pub(crate) fn name_part(&mut self, whole: (Kind, &str), part: (Kind, &str), how: &str) {
        if let Some(named) = self.named(whole.0, whole.1) {
            let field = format!("{}, {how}", named.field);
            self.name(part.0, part.1, field, Tags::new());
        }
    }

    /// Notes that the cluster puts things of its own into something that the spec names.
    pub(crate) fn fill(&mut self, kind: Kind, id: &str) {
        self.filled.insert((kind, id.to_owned()));
    }

    pub(crate) fn fills(&self, kind: Kind, id: &str) -> bool {
        self.filled.contains(&(kind, id.to_owned()))
    }

    /// What the spec names of a kind.
    pub(crate) fn named_of(&self, kind: Kind) -> impl Iterator<Item = &str> {
        let named = self.named.keys().filter(move |(named, _)| *named == kind);
        named.map(|(_, id)| id.as_str())
    }

    pub(crate) fn names(&self, kind: Kind, marks: &Marks<'_>) -> bool {
        marks.ids.iter().any(|id| self.named(kind, id).is_some())
    }

    /// The tags that an update has set on something that the spec names.
    pub(crate) fn tags_on(&self, kind: Kind, id: &str) -> Option<&Tags> {
        self.named(kind, id).map(|named| &named.tags)
    }

    fn named(&self, kind: Kind, id: &str) -> Option<&Named> {
        self.named.get(&(kind, id.to_owned()))
    }

    /// The tag that says so where something is the cluster's, or shared with it.
    pub(crate) fn tag(&self) -> String {
        owner_tag(&self.cluster)
    }

    /// Whether tags speak of the cluster, whatever they say.
    pub(crate) fn is_marked(&self, tags: &Tags) -> bool {
        speak_of(tags, &self.cluster)
    }

    /// Whose something is. In this order: what the spec names is not ours; what hangs on
    /// something not ours is not either; then tags decide, those of the owner before those of its
    /// home; then what it hangs on, or is like.
    pub(crate) fn whose(&self, kind: Kind, marks: &Marks<'_>) -> Whose {
        if let Some(named) = marks.ids.iter().find_map(|id| self.named(kind, id)) {
            return Whose::Shared(format!("named by {}", named.field));
        }
        match &marks.hangs_on {
            Some((how, Whose::Shared(why))) => {
                return Whose::Shared(format!("{how}, which is {why}"));
            }
            Some((how, Whose::Foreign(why))) => {
                return Whose::Foreign(format!("{how}, which is {why}"));
            }
            Some((_, Whose::Owned)) | None => {}
        }
        match marks.tags.and_then(|tags| self.whose_by_tags(tags)) {
            Some(Whose::Owned) => {}
            Some(other) => return other,
            None if marks.hangs_on.is_some() || marks.fits && self.knows_spec => {}
            None => return Whose::Foreign("without an owner's tag".to_owned()),
        }
        self.twin(marks).map_or(Whose::Owned, Whose::Foreign)
    }

    /// What tags say: the newer tag before the older (`KubernetesCluster`), which kops set
    /// alone before Kubernetes 1.6, and which others copy.
    fn whose_by_tags(&self, tags: &Tags) -> Option<Whose> {
        let told = |key: &str, value: &str| format!("tagged {key}={value}");
        let own = self.tag();
        if let Some(value) = tags.get(&own) {
            return Some(match value.as_str() {
                "owned" => Whose::Owned,
                value => Whose::Shared(told(&own, value)),
            });
        }
        if let Some(other) = other_owner(tags, &self.cluster) {
            return Some(Whose::Foreign(told(&owner_tag(other), "owned")));
        }
        tags.get(CLUSTER_TAG).map(|cluster| match *cluster == self.cluster {
            true => Whose::Owned,
            false => Whose::Foreign(told(CLUSTER_TAG, cluster)),
        })
    }

    /// What tells that something is of another cluster of the same name, if anything does.
    pub(crate) fn twin(&self, marks: &Marks<'_>) -> Option<String> {
        let all = [marks.tags, marks.beside].into_iter().flatten();
        let told = all.filter_map(|tags| self.home.other(tags)).next()?;
        let (cluster, home) = (&self.cluster, &self.home);
        Some(format!("tagged {told}: of another cluster {cluster} than this one, which is {home}"))
    }

    /// What to do where one of two clusters of a name has what there is only one of in an account.
    pub(crate) fn instead_of_twin(&self, thing: &Taggable<'_>) -> String {
        format!(
            "IAM has one of a name for all regions: rename one of the two clusters, or give this one \
             profiles of its own (spec.iam.profile of its groups); if there is no other any more, \
             say so: aws {}",
            thing.tag(&self.home.tags())
        )
    }

    /// The other cluster that has something as its own.
    pub(crate) fn other<'a>(&self, marks: &Marks<'a>) -> Option<&'a str> {
        other_owner(marks.known_tags(), &self.cluster)
    }

    /// What makes something the cluster's, as a command for the user.
    pub(crate) fn adopt(&self, thing: &Taggable<'_>) -> String {
        let command = thing.tag(&Tags::from([(self.tag(), "owned".to_owned())]));
        format!("if it is this cluster's, say so: aws {command}; if not, rename or delete it")
    }
}

/// What can be tagged, and by what AWS' tools know it.
#[derive(Clone, Debug)]
pub(crate) enum Taggable<'a> {
    Ec2(&'a str),
    ScalingGroup(&'a str),
    ClassicBalancer(&'a str),
    /// A network load balancer or a target group, by its ARN.
    Balancer(&'a str),
    /// A queue, by its URL.
    Queue(&'a str),
    /// A rule of EventBridge, by its ARN.
    EventRule(&'a str),
    Role(&'a str),
    Profile(&'a str),
    OidcProvider(&'a str),
}

impl Taggable<'_> {
    /// The command that gives it tags.
    fn tag(&self, tags: &Tags) -> String {
        let listed = |between: fn(&str, &str) -> String| {
            tags.iter().map(|(key, value)| between(key, value)).collect::<Vec<_>>()
        };
        let pairs = listed(|key, value| format!("{key}={value}")).join(",");
        let tags = listed(|key, value| format!("Key={key},Value={value}")).join(" ");
        match self {
            Self::Ec2(id) => format!("ec2 create-tags --resources {id} --tags {tags}"),
            Self::ScalingGroup(name) => format!(
                "autoscaling create-or-update-tags --tags ResourceId={name},\
                 ResourceType=auto-scaling-group,{tags},PropagateAtLaunch=true"
            ),
            Self::ClassicBalancer(name) => {
                format!("elb add-tags --load-balancer-names {name} --tags {tags}")
            }
            Self::Balancer(arn) => format!("elbv2 add-tags --resource-arns {arn} --tags {tags}"),
            Self::Queue(url) => format!("sqs tag-queue --queue-url {url} --tags {pairs}"),
            Self::EventRule(arn) => {
                format!("events tag-resource --resource-arn {arn} --tags {tags}")
            }
            Self::Role(name) => format!("iam tag-role --role-name {name} --tags {tags}"),
            Self::OidcProvider(arn) => format!(
                "iam tag-open-id-connect-provider --open-id-connect-provider-arn {arn} --tags {tags}"
            ),
            Self::Profile(name) => {
                format!("iam tag-instance-profile --instance-profile-name {name} --tags {tags}")
            }
        }
    }
}

/// Whether tags speak of a cluster, whatever they say.
pub(crate) fn speak_of(tags: &Tags, cluster: &str) -> bool {
    tags.contains_key(&owner_tag(cluster))
        || tags.get(CLUSTER_TAG).is_some_and(|tag| tag == cluster)
}

/// The other cluster that has something as its own.
pub(crate) fn other_owner<'a>(tags: &'a Tags, cluster: &str) -> Option<&'a str> {
    let owners = tags.iter().filter(|(_, value)| *value == "owned");
    let mut owners = owners.filter_map(|(key, _)| key.strip_prefix(OWNER_TAG));
    owners.find(|owner| *owner != cluster)
}

/// Whether another cluster uses something, be it as its own or shared.
pub(crate) fn is_used_by_others(tags: &Tags, cluster: &str) -> bool {
    let mut users = tags.keys().filter_map(|key| key.strip_prefix(OWNER_TAG));
    users.any(|user| user != cluster)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iam::instance_profile::IamInstanceProfile;
    use crate::iam::role::IamRole;
    use crate::vpc::internet_gateway::InternetGateway;
    use crate::vpc::subnet::Subnet;
    use crate::vpc::vpc::Vpc;

    fn tags(text: &str) -> Tags {
        let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn tags_tell_whose_something_is() {
        let owner = Owner::by_tags("a.com");
        for (text, expected) in [
            ("OWN=owned", "owned"),
            ("KubernetesCluster=a.com", "owned"),
            ("OWN=owned KubernetesCluster=b.com", "owned"),
            ("OWN=owned OTHER=owned", "owned"),
            ("KubernetesCluster=a.com OTHER=shared", "owned"),
            ("OWN=shared KubernetesCluster=a.com", "shared: tagged OWN=shared"),
            ("OWN= KubernetesCluster=a.com", "shared: tagged OWN="),
            ("KubernetesCluster=a.com OTHER=owned", "foreign: tagged OTHER=owned"),
            ("KubernetesCluster=b.a.com", "foreign: tagged KubernetesCluster=b.a.com"),
            ("OTHER=owned", "foreign: tagged OTHER=owned"),
            ("Name=a.com", "foreign: without an owner's tag"),
        ] {
            let written = |text: &str| {
                text.replace("OWN", &owner_tag("a.com")).replace("OTHER", &owner_tag("b.com"))
            };
            let tags = tags(&written(text));
            let told = match owner.whose(Vpc::KIND, &Marks::of("vpc-1").tags(&tags)) {
                Whose::Owned => "owned".to_owned(),
                Whose::Shared(why) => format!("shared: {why}"),
                Whose::Foreign(why) => format!("foreign: {why}"),
            };
            assert_eq!(told, written(expected), "{text}");
        }
    }

    #[test]
    fn of_clusters_of_one_name_each_has_its_own() {
        let home = Home::new("us-west-2", Some("s3://here/a.com"));
        let owner = Owner::with_spec("a.com").at(home);
        let own = "kubernetes.io/cluster/a.com=owned";
        for (marks, is_owned) in [
            ("", true),
            ("kapstan.io/region=us-west-2", true),
            ("kapstan.io/store=s3://here/a.com", true),
            ("kapstan.io/region=us-west-2 kapstan.io/store=s3://here/a.com", true),
            ("kapstan.io/region=eu-west-1", false),
            ("kapstan.io/region=eu-west-1 kapstan.io/store=s3://here/a.com", false),
            ("kapstan.io/region=us-west-2 kapstan.io/store=s3://there/a.com", false),
        ] {
            let whose = |tags: &Tags, beside: &Tags| {
                let marks = Marks::of("nodes.a.com").tags(tags).beside(Some(beside)).fits(true);
                owner.whose(IamRole::KIND, &marks).is_owned()
            };
            let (owned, marked) = (tags(own), tags(marks));
            let both = tags(&format!("{own} {marks}"));
            assert_eq!(whose(&both, &owned), is_owned, "{marks}");
            assert_eq!(whose(&marked, &owned), is_owned, "{marks}, and no owner's tag");
            assert_eq!(whose(&owned, &marked), is_owned, "{marks}, beside it");
            assert!(!whose(&tags(&format!("KubernetesCluster=b.com {marks}")), &owned), "{marks}");
        }
    }

    #[test]
    fn what_the_spec_names_is_never_owned() {
        let mut owner = Owner::with_spec("a.com");
        owner.name(Vpc::KIND, "vpc-1", "spec.networkID", Tags::new());
        let owned = tags("kubernetes.io/cluster/a.com=owned");
        let marks = Marks::of("vpc-1").tags(&owned);
        let named = Whose::Shared("named by spec.networkID".to_owned());
        assert_eq!(owner.whose(Vpc::KIND, &marks), named);
        assert!(owner.whose(Subnet::KIND, &marks).is_owned(), "another kind has other names");
        let gateway = Marks::of("igw-1").tags(&owned).hangs_on("part of VPC/vpc-1", named);
        let part = "part of VPC/vpc-1, which is named by spec.networkID";
        assert_eq!(owner.whose(InternetGateway::KIND, &gateway).reason(), Some(part));
    }

    #[test]
    fn the_role_in_a_profile_that_the_spec_names_is_named_too() {
        let mut owner = Owner::with_spec("a.com");
        owner.name(IamInstanceProfile::KIND, "org", "spec.iam.profile", Tags::new());
        let profile = |name: &'static str| (IamInstanceProfile::KIND, name);
        owner.name_part(profile("org"), (IamRole::KIND, "nodes.a.com"), "whose role it is");
        owner.name_part(profile("other"), (IamRole::KIND, "masters.a.com"), "whose role it is");
        let whose = |role| owner.whose(IamRole::KIND, &Marks::of(role).fits(true));
        let why = "named by spec.iam.profile, whose role it is";
        assert_eq!(whose("nodes.a.com").reason(), Some(why));
        assert!(whose("masters.a.com").is_owned());
    }

    #[test]
    fn what_a_thing_is_like_counts_only_where_tags_are_silent_and_the_spec_is_known() {
        let foreign = tags("KubernetesCluster=b.com");
        let silent = tags("team=web");
        let whose = |owner: &Owner, tags: &Tags| {
            owner.whose(IamRole::KIND, &Marks::of("nodes.a.com").tags(tags).fits(true))
        };
        let with_spec = Owner::with_spec("a.com");
        assert!(whose(&with_spec, &silent).is_owned());
        assert!(!whose(&with_spec, &foreign).is_owned());
        assert!(!whose(&Owner::by_tags("a.com"), &silent).is_owned());
    }
}
