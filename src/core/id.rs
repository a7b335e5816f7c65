//! The ids by which AWS knows things, each of the kind of what it belongs to, and how resources
//! refer to each other before they have any.
//!
//! The type holds the kind, so that a subnet's id cannot be handed where a VPC's is wanted: that
//! does not compile. Nor can an id be empty, since there are three ways in only, and each looks.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use crate::aws::{Answer, AwsError};
use crate::core::kind::{OfKind, ResourceId};

/// What AWS knows a thing of kind `K` by: an id, an ARN or a name.
pub(crate) struct Id<K> {
    text: String,
    kind: PhantomData<fn() -> K>,
}

impl<K> Id<K> {
    /// What an answer of AWS tells in a field.
    ///
    /// # Errors
    /// AWS did not give it, or gave nothing in it.
    pub(crate) fn given(
        answer: Answer<'_>,
        field: &str,
        text: Option<&str>,
    ) -> Result<Self, AwsError> {
        answer.text(field, text).map(Self::known)
    }

    /// All that an answer of AWS tells in a field.
    ///
    /// # Errors
    /// One of them is empty.
    pub(crate) fn all_given(
        answer: Answer<'_>,
        field: &str,
        texts: &[String],
    ) -> Result<Vec<Self>, AwsError> {
        texts.iter().map(|text| Self::given(answer, field, Some(text))).collect()
    }

    /// What a spec names, unless it names nothing.
    pub(crate) fn of_spec(text: Option<&str>) -> Option<Self> {
        text.filter(|text| !text.is_empty()).map(|text| Self::known(text.to_owned()))
    }

    /// Of a thing without an id of its own, by that of what it is part of.
    pub(crate) fn part(of: &str, text: impl fmt::Display) -> Self {
        Self::known(format!("{of} {text}"))
    }

    /// What AWS may have chosen.
    #[cfg(test)]
    pub(crate) fn imagined(text: impl Into<String>) -> Self {
        Self::known(text.into())
    }

    fn known(text: String) -> Self {
        Self { text, kind: PhantomData }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The same as texts, as the clients of AWS take lists.
    pub(crate) fn texts(ids: &[Self]) -> Vec<String> {
        ids.iter().map(String::from).collect()
    }
}

impl<K> Deref for Id<K> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        Self::known(self.text.clone())
    }
}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<K> Eq for Id<K> {}

impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl<K> PartialEq<str> for Id<K> {
    fn eq(&self, other: &str) -> bool {
        self.text == other
    }
}

impl<K> PartialEq<String> for Id<K> {
    fn eq(&self, other: &String) -> bool {
        self.text == *other
    }
}

impl<K> From<&Id<K>> for String {
    fn from(id: &Id<K>) -> Self {
        id.text.clone()
    }
}

impl<K> From<Id<K>> for String {
    fn from(id: Id<K>) -> Self {
        id.text
    }
}

/// A resource of kind `K` that is wanted, as others refer to it.
pub(crate) struct Ref<K> {
    resource: ResourceId,
    kind: PhantomData<fn() -> K>,
}

impl<K: OfKind> Ref<K> {
    pub(crate) fn to(name: impl Into<String>) -> Self {
        Self { resource: ResourceId::new(K::KIND, name), kind: PhantomData }
    }
}

impl<K> Ref<K> {
    /// What it refers to, as plans tell of it.
    pub(crate) fn resource(&self) -> ResourceId {
        self.resource.clone()
    }
}

impl<K> Deref for Ref<K> {
    type Target = ResourceId;

    fn deref(&self) -> &ResourceId {
        &self.resource
    }
}

impl<K> fmt::Debug for Ref<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.resource.fmt(f)
    }
}

impl<K> Clone for Ref<K> {
    fn clone(&self) -> Self {
        Self { resource: self.resource.clone(), kind: PhantomData }
    }
}

impl<K> PartialEq for Ref<K> {
    fn eq(&self, other: &Self) -> bool {
        self.resource == other.resource
    }
}

/// The DNS name of a load balancer, and the hosted zone of AWS' own in which it lies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Address {
    pub(crate) dns_name: String,
    pub(crate) zone: String,
}

/// By which id AWS knows a resource, and where that is reached, if it is a load balancer.
#[derive(Debug)]
pub(crate) struct Known {
    resource: ResourceId,
    id: String,
    address: Option<Address>,
}

impl Known {
    pub(super) fn new<K>(resource: ResourceId, id: Id<K>) -> Self {
        Self { resource, id: id.text, address: None }
    }

    pub(super) fn at(self, address: Option<Address>) -> Self {
        Self { address, ..self }
    }
}

/// AWS' ids of resources, both ways, and where load balancers are reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    ids: BTreeMap<ResourceId, String>,
    names: BTreeMap<String, String>,
    addresses: BTreeMap<ResourceId, Address>,
}

impl Ids {
    pub(crate) fn learn(&mut self, known: Known) {
        let Known { resource, id, address } = known;
        if let Some(address) = address {
            self.learn_address(resource.clone(), address);
        }
        self.names.entry(id.clone()).or_insert_with(|| resource.name.clone());
        self.ids.insert(resource, id);
    }

    pub(crate) fn learn_address(&mut self, resource: ResourceId, address: Address) {
        self.addresses.insert(resource, address);
    }

    pub(crate) fn of<K>(&self, wanted: &Ref<K>) -> Option<Id<K>> {
        self.ids.get(&wanted.resource).cloned().map(Id::known)
    }

    /// The same of a resource of any kind, as a text.
    pub(crate) fn get(&self, resource: &ResourceId) -> Option<&str> {
        self.ids.get(resource).map(String::as_str)
    }

    pub(crate) fn address(&self, resource: &ResourceId) -> Option<&Address> {
        self.addresses.get(resource)
    }

    /// The name under which a resource with this id is wanted, or the id itself.
    pub(crate) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.names.get(id).map_or(id, String::as_str)
    }
}

// That something does not compile, tests of a program cannot hold, as those of a library can
// (`compile_fail`). Each of these lines was tried alone, and none compiles (E0308; the last three
// E0451, E0624 and E0277):
//     view.is(&Ref::<Vpc>::to("a"), &Id::<Subnet>::imagined("subnet-1"));
//     let id: Id<Subnet> = work.id(&subnet.vpc)?;
//     subnet.update(work, &Id::<Vpc>::imagined("vpc-1"), changed).await?;
//     let other = Subnet { vpc: Ref::<Subnet>::to("a"), ..subnet };
//     let deletion = VpcDeletion(Id::<Subnet>::imagined("subnet-1"));
//     let id = Id::<Vpc> { text: String::new(), kind: PhantomData };
//     let id = Id::<Vpc>::known(String::new());
//     let id: Id<Vpc> = String::new().into();
#[cfg(test)]
mod tests {
    use super::*;
    use crate::vpc::subnet::Subnet;
    use crate::vpc::vpc::Vpc;

    #[test]
    fn an_id_that_aws_does_not_give_or_gives_empty_is_an_error_that_names_it() {
        let answer = Answer::of("ec2:CreateVpc", "dev.example.com");
        assert_eq!(Id::<Vpc>::given(answer, "vpcId", Some("vpc-1")).unwrap().as_str(), "vpc-1");
        for given in [None, Some("")] {
            let error = Id::<Vpc>::given(answer, "vpcId", given).unwrap_err().to_string();
            assert_eq!(error, "ec2:CreateVpc of dev.example.com failed: AWS' answer has no vpcId");
        }
        let answer = Answer::of("elasticloadbalancing:DescribeLoadBalancers", "api");
        let subnets = ["subnet-1".to_owned(), String::new()];
        let error = Id::<Subnet>::all_given(answer, "Subnets", &subnets).unwrap_err().to_string();
        assert_eq!(
            error,
            "elasticloadbalancing:DescribeLoadBalancers of api failed: AWS' answer has no Subnets"
        );
    }

    #[test]
    fn a_spec_that_says_nothing_names_nothing() {
        assert_eq!(Id::<Vpc>::of_spec(Some("vpc-1")).as_deref(), Some("vpc-1"));
        assert_eq!(Id::<Vpc>::of_spec(Some("")), None);
        assert_eq!(Id::<Vpc>::of_spec(None), None);
    }

    #[test]
    fn what_is_wanted_and_what_is_found_go_by_each_other() {
        let mut ids = Ids::default();
        let (wanted, found) = (Ref::<Vpc>::to("dev.example.com"), Id::<Vpc>::imagined("vpc-1"));
        ids.learn(Known::new(wanted.resource(), found.clone()));
        assert_eq!(ids.of(&wanted), Some(found));
        assert_eq!(ids.name("vpc-1"), "dev.example.com");
        assert_eq!(ids.of(&Ref::<Subnet>::to("dev.example.com")), None);
    }
}
