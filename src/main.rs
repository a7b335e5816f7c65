#![allow(dead_code)]
mod iam;
mod spec;
fn main() {}
