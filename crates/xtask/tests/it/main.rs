//! The configuration and documents of the repository against the code, and `up` as a process.

mod architecture_doc;
mod compose;
mod deployment;
mod sample_environment;
mod security_doc;
mod supply_chain;
mod up;
