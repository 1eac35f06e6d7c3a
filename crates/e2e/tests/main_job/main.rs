//! The main job with one of each service. `scale.rs` has it with several.

mod jobs;

use anyhow::Result;
use e2e::Stack;

async fn stack() -> Result<Stack> {
    Stack::start().await
}
