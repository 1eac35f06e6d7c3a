//! The background loops: each repeats a `run_once` when it is woken, or at the latest after its idle interval.

use std::sync::Arc;
use std::time::Duration;

use common::backoff::Backoff;
use common::service::Background;
use common::worker::{self, Pass, Rhythm};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use sync::pull::Puller;
use sync::relay;
use tokio::sync::Notify;

use crate::intake::Intake;

/// The delay that a lost wake-up costs. Wake-ups usually arrive within a millisecond.
const IDLE: Duration = Duration::from_secs(1);
/// Several, so that a stream whose publication hangs holds up one of them only.
const RELAYS: usize = 4;
const TOUCHES_EVERY: Duration = Duration::from_secs(10);

const fn rhythm(idle: Duration) -> Rhythm {
    Rhythm {
        idle,
        // Resumes soon after the database or the broker is back.
        backoff: Backoff::new(Duration::from_millis(200), Duration::from_secs(3)),
    }
}

/// Turns Postgres's notifications into wake-ups of the loops. The idle interval covers lost ones.
pub fn spawn_listener(background: &mut Background, pool: &PgPool, dirty: &Arc<Notify>, outbox: &Arc<Notify>) {
    let (pool, stop) = (pool.clone(), background.stop());
    let (dirty, outbox) = (dirty.clone(), outbox.clone());
    background.spawn(async move {
        let pass = async || -> sqlx::Result<Pass> {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen_all(["calwire_dirty", "calwire_outbox"]).await?;
            loop {
                // There may have been notifications before the subscription.
                dirty.notify_one();
                outbox.notify_one();
                while let Some(notification) = listener.try_recv().await? {
                    let woken = if notification.channel() == "calwire_dirty" {
                        &dirty
                    } else {
                        &outbox
                    };
                    woken.notify_one();
                }
            }
        };
        let never = Notify::new();
        tokio::select! {
            () = stop.cancelled() => {}
            () = worker::repeat("listen", &stop, &never, rhythm(IDLE), pass) => {}
        }
    });
}

pub fn spawn_puller(background: &mut Background, sync: &sync::Context, slots: u8, dirty: Arc<Notify>) {
    let (puller, stop) = (Puller::new(sync.clone(), slots), background.stop());
    background.spawn(async move {
        worker::repeat("pull", &stop, &dirty, rhythm(IDLE), async || {
            puller.run_once().await
        })
        .await;
        puller.drain().await;
    });
}

pub fn spawn_relays(
    background: &mut Background,
    sync: &sync::Context,
    centrifugo: &centrifugo::Client,
    outbox: &Arc<Notify>,
) {
    for _ in 0..RELAYS {
        let (sync, centrifugo) = (sync.clone(), centrifugo.clone());
        let (outbox, stop) = (outbox.clone(), background.stop());
        background.spawn(async move {
            let pass = async || relay::run_once(&sync.pool, &centrifugo, sync.clock.now()).await;
            worker::repeat("relay", &stop, &outbox, rhythm(IDLE), pass).await;
        });
    }
}

/// Finishes writes whose caller was answered `pending`, or whose process died.
pub fn spawn_writer(background: &mut Background, sync: &sync::Context) {
    let (sync, stop) = (sync.clone(), background.stop());
    background.spawn(async move {
        let pass = async || sync::write::run_once(&sync).await;
        worker::repeat("write", &stop, &Notify::new(), rhythm(IDLE), pass).await;
    });
}

/// Writes when each channel last pushed.
pub fn spawn_touches(background: &mut Background, intake: &Arc<Intake>) {
    let (intake, stop) = (intake.clone(), background.stop());
    background.spawn(async move {
        let pass = async || intake.write_touches().await.map(|()| Pass::Idle);
        worker::repeat("touch", &stop, &Notify::new(), rhythm(TOUCHES_EVERY), pass).await;
    });
}
