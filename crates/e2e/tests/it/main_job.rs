//! The main job with one of each service. `scale.rs` has it with several.

pub mod jobs;

use anyhow::Result;
use e2e::Stack;

#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_google_reaches_the_socket_and_the_api_reads_it_back() -> Result<()> {
    jobs::a_change_in_google_reaches_the_socket_and_the_api_reads_it_back(Stack::start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weekly_series_is_one_change_and_an_all_day_event_is_a_day() -> Result<()> {
    jobs::a_weekly_series_is_one_change_and_an_all_day_event_is_a_day(Stack::start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_is_silent() -> Result<()> {
    jobs::an_echo_is_silent(Stack::start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_another_users_calendar() -> Result<()> {
    jobs::nobody_sees_another_users_calendar(Stack::start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn not_connected_and_no_calendar_access_are_answers() -> Result<()> {
    jobs::not_connected_and_no_calendar_access_are_answers(Stack::start().await?).await
}
