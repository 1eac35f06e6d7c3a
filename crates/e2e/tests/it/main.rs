//! Every promise through the whole stack, its crashes, its load and its page.

mod accounts;
mod admin;
mod broker;
mod browser;
mod canary;
mod chaos;
mod clients;
mod clocks;
mod crashes;
mod disconnecting;
mod doctor;
mod grants;
mod main_job;
mod messages;
mod observability;
mod overload;
mod pushes;
mod quota;
mod reloads;
mod rolling;
mod scale;
mod secrets;
#[cfg(feature = "simulation")]
mod simulation;
mod traces;
mod writes;
mod writes_killed;
mod writes_refused;
mod writes_series;
