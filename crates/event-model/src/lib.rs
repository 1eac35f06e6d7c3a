#![doc = include_str!("../README.md")]

pub mod calendar;
pub mod duplicates;
pub mod expansion;
pub mod fields;
pub mod merge;
pub mod normal_form;
pub mod patch;
pub mod permissions;
pub mod recurrence;
pub mod resource;
pub mod span;
pub mod text;
pub mod wire;
pub mod zone;
