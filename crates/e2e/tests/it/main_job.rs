//! The main job with one of each service. `scale.rs` has it with several.

pub mod jobs;

use anyhow::Result;
use e2e::Stack;

#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_google_reaches_socket_and_api() -> Result<()> {
    jobs::a_change_in_google_reaches_socket_and_api(Stack::start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_is_one_change_with_its_instances() -> Result<()> {
    jobs::a_series_is_one_change_with_its_instances(Stack::start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_is_silent() -> Result<()> {
    jobs::an_echo_is_silent(Stack::start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_user_sees_another_users_calendar() -> Result<()> {
    jobs::no_user_sees_another_users_calendar(Stack::start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_and_no_access_are_answers() -> Result<()> {
    jobs::no_connection_and_no_access_are_answers(Stack::start().await?).await
}
