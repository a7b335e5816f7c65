//! The real binary against the sandbox, over HTTP: what users see and what AWS gets.

mod additional_policies;
mod apply_failures;
mod bad_input;
mod calls;
mod clusters;
mod conflicts;
mod create_cluster;
mod drift;
mod editor;
mod examples;
mod existing_profiles;
mod group_fields;
mod harness;
mod hostile_input;
mod lifecycles;
mod modes;
mod quotas;
mod removals;
mod reports;
mod specs;
mod stores;
mod topologies;
mod whole_calls;
mod whole_drift;
