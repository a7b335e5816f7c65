#![allow(dead_code)]
mod spec;
fn main() {}
