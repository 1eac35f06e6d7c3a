//! The workers' jobs, one pass at a time.

use common::worker::Pass;
use sync::pull::{self, Puller};
use sync::{Context, connections, poll, relay, watch, write};
use webhook_ingest::intake::Intake;

use super::plan::Job;

pub async fn pass(
    ctx: &Context,
    broker: &centrifugo::Client,
    intake: &Intake,
    job: Job,
) -> Result<Pass, String> {
    let word = |error: sqlx::Error| error.to_string();
    match job {
        Job::Pull => {
            let puller = Puller::new(ctx.clone(), 1);
            let pass = puller.run_once().await.map_err(word);
            puller.drain().await;
            pass
        }
        Job::Relay => {
            let now = ctx.clock.now();
            relay::run_once(&ctx.pool, broker, now)
                .await
                .map_err(|error| error.to_string())
        }
        Job::Watch => watch::Renewer::new(ctx.clone())
            .run_once()
            .await
            .map_err(|error| error.to_string()),
        Job::StopWatches => watch::stop_once(ctx).await.map_err(|error| error.to_string()),
        Job::Poll => poll::run_once(ctx).await.map_err(word),
        Job::Writes => write::run_once(ctx).await.map_err(word),
        Job::Disconnect => connections::disconnect_once(ctx)
            .await
            .map_err(|error| error.to_string()),
        Job::Horizon => pull::extend_horizon_once(ctx).await.map_err(word),
        Job::Recheck => connections::recheck_refused_once(ctx)
            .await
            .map_err(|error| error.to_string()),
        Job::Tidy => {
            intake.write_touches().await.map_err(word)?;
            pull::purge_once(ctx).await.map_err(word)?;
            poll::purge_once(ctx).await.map_err(word)?;
            write::purge_once(ctx).await.map_err(word)
        }
    }
}
