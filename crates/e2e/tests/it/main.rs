//! Every promise through the whole stack, its crashes, its load and its page.

mod accounts;
mod broker;
mod browser;
mod care;
mod chaos;
mod clients;
mod crashes;
mod doctor;
mod grants;
mod main_job;
mod overload;
mod pushes;
mod quota;
mod rolling;
mod scale;
mod secrets;
mod sight;
#[cfg(feature = "simulation")]
mod simulation;
mod traces;
mod writes;
mod writes_killed;
mod writes_refused;
mod writes_series;
