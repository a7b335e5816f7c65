//! The ids that AWS gives to resources, and what a write needs to be sent.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::ResourceId;
use crate::aws::{Aws, AwsError, Fault};

/// AWS' ids of resources, both ways.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    ids: BTreeMap<ResourceId, String>,
    names: BTreeMap<String, String>,
}

impl Ids {
    pub(crate) fn insert(&mut self, resource: ResourceId, id: String) {
        // What has no id of its own goes by that of what it is part of, which came first.
        self.names.entry(id.clone()).or_insert_with(|| resource.name.clone());
        self.ids.insert(resource, id);
    }

    pub(crate) fn get(&self, resource: &ResourceId) -> Option<&str> {
        self.ids.get(resource).map(String::as_str)
    }

    /// The name under which a resource with this id is wanted, or the id itself.
    pub(crate) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.names.get(id).map_or(id, String::as_str)
    }
}

/// What a write needs beside its own content: the clients, and the ids known so far.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) aws: &'a Aws,
    ids: Mutex<Ids>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(aws: &'a Aws, ids: Ids) -> Self {
        Self { aws, ids: Mutex::new(ids) }
    }

    pub(crate) fn learn(&self, resource: ResourceId, id: String) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(resource, id);
    }

    /// AWS' id of a resource that existed before or was created by now.
    ///
    /// # Errors
    /// Nothing of that name was found or created.
    pub(crate) fn id(&self, resource: &ResourceId) -> Result<String, AwsError> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.get(resource).map(str::to_owned).ok_or_else(|| AwsError {
            operation: "kapstan",
            object: resource.to_string(),
            fault: Fault::Other,
            message: "it was neither found nor created, so nothing can refer to it".to_owned(),
        })
    }

    pub(crate) fn ids<'b>(
        &self,
        resources: impl IntoIterator<Item = &'b ResourceId>,
    ) -> Result<Vec<String>, AwsError> {
        resources.into_iter().map(|resource| self.id(resource)).collect()
    }
}
