//! What is wanted, in lists by type: a kind reads what concerns it, and names no other.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;

/// The resources of a spec, and what else of it tells where to look.
#[derive(Debug, Default)]
pub(crate) struct Wishes(BTreeMap<TypeId, Box<dyn Any + Send + Sync>>);

impl Wishes {
    pub(crate) fn add<T: Send + Sync + 'static>(&mut self, wish: T) {
        let list = self.0.entry(TypeId::of::<T>()).or_insert_with(|| Box::new(Vec::<T>::new()));
        if let Some(list) = list.downcast_mut::<Vec<T>>() {
            list.push(wish);
        }
    }

    pub(crate) fn of<T: Send + Sync + 'static>(&self) -> &[T] {
        let list = self.0.get(&TypeId::of::<T>()).and_then(|list| list.downcast_ref::<Vec<T>>());
        list.map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_list() {
        let mut wishes = Wishes::default();
        wishes.add("a".to_owned());
        wishes.add(1_u8);
        wishes.add("b".to_owned());
        assert_eq!(wishes.of::<String>(), ["a", "b"]);
        assert_eq!(wishes.of::<u8>(), [1]);
        assert!(wishes.of::<u16>().is_empty());
    }
}
