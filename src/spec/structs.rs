//! The fields that the structs of specs read, told by the structs themselves: a deserializer
//! that holds no values and notes what it is asked for, at every depth.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::de::value::{BorrowedStrDeserializer, Error};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer as _, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

use super::cluster::Cluster;
use super::instance_group::InstanceGroup;
use super::ssh_credential::SshCredential;

/// The leaves that the struct of a kind of objects reads, as the tables of fields write paths,
/// each with what it is read as.
pub(super) fn fields_of(kind: &str) -> BTreeMap<String, &'static str> {
    match kind {
        "Cluster" => asked::<Cluster>(),
        "InstanceGroup" => asked::<InstanceGroup>(),
        _ => asked::<SshCredential>(),
    }
}

fn asked<'de, T: Deserialize<'de>>() -> BTreeMap<String, &'static str> {
    let found = RefCell::new(BTreeMap::new());
    T::deserialize(Asked { path: String::new(), found: &found }).map(drop).unwrap();
    found.into_inner()
}

struct Asked<'a> {
    path: String,
    found: &'a RefCell<BTreeMap<String, &'static str>>,
}

impl Asked<'_> {
    fn below(&self, step: &str) -> Self {
        Self { path: format!("{}{step}", self.path), found: self.found }
    }

    fn note(&self, what: &'static str) {
        let before = self.found.borrow_mut().insert(self.path.clone(), what);
        assert!(before.is_none_or(|before| before == what), "{} is read twice", self.path);
    }
}

macro_rules! leaf {
    ($($ask:ident, $what:literal, $visit:ident($($value:expr)?);)*) => {
        $(fn $ask<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.note($what);
            visitor.$visit($($value)?)
        })*
    };
}

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = Error;

    leaf! {
        deserialize_bool, "bool", visit_bool(false);
        deserialize_i64, "whole", visit_i64(0);
        deserialize_str, "text", visit_str("");
        deserialize_string, "text", visit_str("");
        deserialize_any, "any", visit_unit();
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let steps = vec!["[]".to_owned()];
        visitor.visit_seq(Steps { at: self, steps })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let steps = vec!["{}".to_owned()];
        visitor.visit_map(Steps { at: self, steps })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let dot = if self.path.is_empty() { "" } else { "." };
        let steps = fields.iter().rev().map(|field| format!("{dot}{field}")).collect();
        visitor.visit_map(Steps { at: self, steps })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.note("text");
        visitor.visit_enum(Word(variants[0]))
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
        newtype_struct tuple tuple_struct identifier ignored_any
    }
}

struct Steps<'a> {
    at: Asked<'a>,
    /// The last is next.
    steps: Vec<String>,
}

impl<'de> SeqAccess<'de> for Steps<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let step = self.steps.pop();
        step.map(|step| seed.deserialize(self.at.below(&step))).transpose()
    }
}

impl<'de> MapAccess<'de> for Steps<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let key = self.steps.last().map(|step| step.trim_start_matches('.').to_owned());
        key.map(|key| seed.deserialize(key.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let step = self.steps.pop().unwrap();
        seed.deserialize(self.at.below(&step))
    }
}

struct Word(&'static str);

impl<'de> EnumAccess<'de> for Word {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        seed.deserialize(BorrowedStrDeserializer::new(self.0)).map(|value| (value, self))
    }
}

impl<'de> VariantAccess<'de> for Word {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(BorrowedStrDeserializer::new(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

mod tests {
    use super::super::fields::{self, KINDS};
    use super::super::kind::Kind;
    use super::*;

    /// The kind at a path as the tables write it. A map of ours may be an object of kops'.
    fn kind_at<'a>(kind: &'a Kind, path: &str) -> Option<&'a Kind> {
        if path.is_empty() {
            return Some(kind);
        }
        match kind {
            Kind::List(inner) => kind_at(inner, path.strip_prefix("[]")?),
            Kind::Map(inner) => kind_at(inner, path.strip_prefix("{}")?),
            Kind::Object(object) => {
                if path == "{}" {
                    return object.fields.values().next().map(|field| &field.kind);
                }
                let path = path.strip_prefix('.').unwrap_or(path);
                let end = path.find(['.', '[', '{']).unwrap_or(path.len());
                let field = object.fields.get(&path[..end]).filter(|field| field.gone.is_none());
                kind_at(&field?.kind, &path[end..])
            }
            _ => None,
        }
    }

    /// Fields that shape AWS and that no struct has: of v1.10, when they shaped nothing there, and
    /// such as are read out of the map of networking plugins.
    const ELSEWHERE: [&str; 6] = [
        "spec.encryptionConfig", "spec.externalDns.disable",
        "spec.networking.calico.awsSrcDstCheck", "spec.networking.cilium.etcdManaged",
        "spec.networking.cilium.ipam", "spec.networking.kubenet",
    ];

    #[test]
    fn what_shapes_aws_is_read() {
        for kind in KINDS {
            let read = fields_of(kind);
            for row in fields::tests::rows(kind) {
                let shapes = row.reach.split('+').any(|to| to == "aws");
                let is_read = read.contains_key(row.path) || ELSEWHERE.contains(&row.path);
                assert!(is_read || !shapes, "{kind} {}", row.path);
            }
        }
    }

    #[test]
    fn every_field_that_is_read_is_one_that_kops_has_and_of_its_type() {
        for kind in KINDS {
            let read = fields_of(kind);
            assert!(read.len() > 3, "{kind}: {read:?}");
            for (path, read_as) in read {
                let found = kind_at(fields::of(kind).unwrap(), &path);
                let found = found.unwrap_or_else(|| panic!("{kind} has no field {path}"));
                let fits = match found {
                    Kind::Text | Kind::OneOf(_) | Kind::Duration => read_as == "text",
                    Kind::Flag => read_as == "bool",
                    Kind::Whole(_) => read_as == "whole",
                    // What may be two things, or is looked into elsewhere.
                    Kind::TextOrWhole | Kind::Quantity | Kind::Object(_) | Kind::Open => {
                        read_as == "any"
                    }
                    Kind::List(_) | Kind::Map(_) => false,
                };
                assert!(fits, "{kind} {path}: read as {read_as}, and is {found:?}");
            }
        }
    }

    #[test]
    fn every_role_of_kops_is_read() {
        let Some(Kind::OneOf(words)) = kind_at(fields::of("InstanceGroup").unwrap(), "spec.role")
        else {
            panic!("a role is one of some words")
        };
        for word in words {
            let group: InstanceGroup =
                serde_json::from_value(serde_json::json!({"spec": {"role": word}})).unwrap();
            assert!(group.spec.role.is_some(), "{word}");
        }
    }
}
