//! Overload: requests are sent when they are due, not when the previous one was answered, over plain sockets, and every answer
//! is counted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use sqlx::{Executor, PgPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

/// The token of every channel that [`seed_channels`] makes.
pub const CHANNEL_TOKEN: &str = "a-token-as-long-as-ours-are-0123456789abcdef";
/// The resource id that Google would send.
pub const RESOURCE: &str = "resource";
const ANSWER_MAX_LEN: usize = 1 << 20;
/// An answer that takes longer does not count.
const PATIENCE: Duration = Duration::from_secs(20);

/// Calendars with live channels, which have the calendars' ids. Their pulls are postponed forever, so that only the intake
/// runs and the effect of a push stays visible.
pub async fn seed_channels(pool: &PgPool, count: usize) -> Result<Vec<Uuid>> {
    let ids: Vec<Uuid> = (0..count).map(|_| Uuid::new_v4()).collect();
    // A connection has a handful of calendars; here it has the id of the first.
    sqlx::query(
        "insert into connections (id, user_id, google_sub, email, scopes, created_at, updated_at)
         select id, 'bench', id::text, '', '{}', now(), now()
         from unnest($1::uuid[]) with ordinality as c(id, n) where n % 5 = 1",
    )
    .bind(&ids)
    .execute(pool)
    .await?;
    sqlx::query(
        "insert into sync_state (resource_id, kind, connection_id, user_id, not_before, poll_at)
         select id, 'events', ($1::uuid[])[n - (n - 1) % 5], 'bench', 'infinity', now() + random() * interval '15 min'
         from unnest($1::uuid[]) with ordinality as c(id, n)",
    )
    .bind(&ids)
    .execute(pool)
    .await?;
    sqlx::query(
        "insert into watches (channel_id, resource_id, connection_id, token_sha256, google_resource_id, state, address,
                              last_message_at, created_at)
         select resource_id::text, resource_id, connection_id, sha256(convert_to($1, 'utf8')), $2, 'live',
                'https://example.com', now(), now()
         from sync_state where resource_id = any($3)",
    )
    .bind(CHANNEL_TOKEN)
    .bind(RESOURCE)
    .bind(&ids)
    .execute(pool)
    .await?;
    pool.execute("vacuum analyze").await?;
    Ok(ids)
}

/// A push as Google sends it.
pub fn push(channel: &Uuid, token: &str) -> String {
    format!(
        "POST /api/calendar/webhook HTTP/1.1\r\nHost: calwire\r\nX-Goog-Channel-ID: {channel}\r\n\
         X-Goog-Channel-Token: {token}\r\nX-Goog-Resource-ID: {RESOURCE}\r\nX-Goog-Resource-State: exists\r\n\
         X-Goog-Message-Number: 165139\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A query of the API. None: without a token.
pub fn query(procedure: &str, jwt: Option<&str>) -> String {
    query_accepting(procedure, jwt, None)
}

/// As [`query`], with an `Accept-Encoding`.
pub fn query_accepting(procedure: &str, jwt: Option<&str>, encoding: Option<&str>) -> String {
    let authorization = jwt.map_or_else(String::new, |jwt| format!("Authorization: Bearer {jwt}\r\n"));
    let accept = encoding.map_or_else(String::new, |encoding| format!("Accept-Encoding: {encoding}\r\n"));
    format!("GET /trpc/{procedure} HTTP/1.1\r\nHost: calwire\r\n{authorization}{accept}\r\n")
}

#[derive(Clone, Copy)]
pub enum Amount {
    Requests(u64),
    /// As many requests as are due, or can be sent, within this time.
    During(Duration),
}

/// A load: the number of requests and their rate.
#[derive(Clone, Copy)]
pub struct Load {
    pub amount: Amount,
    /// Per second; none: each connection sends as soon as it has an answer.
    pub rate: Option<f64>,
    pub connections: usize,
}

/// The result of a load.
pub struct LoadOutcome {
    pub statuses: BTreeMap<u16, u64>,
    /// Connections that ended without an answer, and the first reason.
    pub broken: u64,
    broken_by: Option<anyhow::Error>,
    pub took: Duration,
    /// Microseconds from the time a request was due to its answer, for answers with 200.
    admitted: Histogram<u64>,
    /// The same from the time it was sent, without the delay of the sender.
    served: Histogram<u64>,
    /// The numbers of the requests that were answered 200.
    pub acknowledged: Vec<u64>,
}

impl LoadOutcome {
    fn new() -> Result<Self> {
        Ok(Self {
            statuses: BTreeMap::new(),
            broken: 0,
            broken_by: None,
            took: Duration::ZERO,
            admitted: Histogram::new(3)?,
            served: Histogram::new(3)?,
            acknowledged: Vec::new(),
        })
    }

    pub fn answered(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Answers per second.
    pub fn throughput(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "some million")]
        let answered = self.answered() as f64;
        answered / self.took.as_secs_f64()
    }

    /// Of the answers with 200.
    pub fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.admitted.value_at_quantile(quantile))
    }

    /// Of the answers with 200, without the delay of the sender.
    pub fn served_quantile(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.served.value_at_quantile(quantile))
    }

    /// Fails unless each request has an answer, and every answer is one of these.
    pub fn ensure_only(&self, allowed: &[u16]) -> Result<()> {
        let other = self.statuses.keys().find(|status| !allowed.contains(status));
        ensure!(
            other.is_none() && self.broken == 0,
            "{self}, where {allowed:?} are allowed"
        );
        Ok(())
    }

    fn add(&mut self, other: Self) -> Result<()> {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.broken += other.broken;
        self.broken_by = self.broken_by.take().or(other.broken_by);
        self.admitted.add(other.admitted)?;
        self.served.add(other.served)?;
        self.acknowledged.extend(other.acknowledged);
        Ok(())
    }
}

impl fmt::Display for LoadOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statuses: Vec<_> = self
            .statuses
            .iter()
            .map(|(status, count)| format!("{status} × {count}"))
            .collect();
        write!(f, "{}", statuses.join(", "))?;
        if let Some(reason) = &self.broken_by {
            write!(f, ", no answer × {} ({reason:#})", self.broken)?;
        }
        Ok(())
    }
}

impl Load {
    /// Sends requests to `port` of this machine; `request` makes one from its number.
    pub async fn run(
        self,
        port: u16,
        request: impl Fn(u64) -> String + Send + Sync + 'static,
    ) -> Result<LoadOutcome> {
        let (next, request) = (Arc::new(AtomicU64::new(0)), Arc::new(request));
        let started = Instant::now();
        let senders: Vec<_> = (0..self.connections)
            .map(|_| tokio::spawn(self.send(port, started, Arc::clone(&next), Arc::clone(&request))))
            .collect();
        let mut outcome = LoadOutcome::new()?;
        for sender in senders {
            outcome.add(sender.await??)?;
        }
        outcome.took = started.elapsed();
        Ok(outcome)
    }

    /// One connection's share.
    async fn send<R: Fn(u64) -> String>(
        self,
        port: u16,
        started: Instant,
        next: Arc<AtomicU64>,
        request: Arc<R>,
    ) -> Result<LoadOutcome> {
        let mut outcome = LoadOutcome::new()?;
        let mut connection = None;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if matches!(self.amount, Amount::Requests(requests) if number >= requests) {
                return Ok(outcome);
            }
            let mut due = started.elapsed();
            if let Some(rate) = self.rate {
                #[expect(clippy::cast_precision_loss, reason = "some million")]
                let planned = Duration::from_secs_f64(number as f64 / rate);
                tokio::time::sleep_until((started + planned).into()).await;
                due = planned;
            }
            if matches!(self.amount, Amount::During(time) if started.elapsed() >= time) {
                return Ok(outcome);
            }
            let text = request(number);
            let sent = Instant::now();
            let status = match answer(&mut connection, port, &text).await {
                Ok(status) => status,
                Err(error) => {
                    connection = None;
                    outcome.broken += 1;
                    outcome.broken_by.get_or_insert(error);
                    continue;
                }
            };
            *outcome.statuses.entry(status).or_default() += 1;
            if status == 200 {
                let waited = started.elapsed().saturating_sub(due);
                outcome.admitted.record(u64::try_from(waited.as_micros())?)?;
                let took = sent.elapsed();
                outcome.served.record(u64::try_from(took.as_micros())?)?;
                outcome.acknowledged.push(number);
            }
        }
    }
}

/// The status of the answer to one request, on a connection that stays open if the server keeps it open.
async fn answer(connection: &mut Option<TcpStream>, port: u16, request: &str) -> Result<u16> {
    let stream = if let Some(stream) = connection {
        stream
    } else {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.context("connect")?;
        stream.set_nodelay(true)?;
        connection.insert(stream)
    };
    let (status, keep) = tokio::time::timeout(PATIENCE, exchange(stream, request.as_bytes()))
        .await
        .context("no answer in time")??;
    if !keep {
        *connection = None;
    }
    Ok(status)
}

async fn exchange(stream: &mut TcpStream, request: &[u8]) -> Result<(u16, bool)> {
    stream.write_all(request).await?;
    let mut answer = Vec::with_capacity(1024);
    let head = loop {
        if let Some(end) = answer.windows(4).position(|part| part == b"\r\n\r\n") {
            break end + 4;
        }
        read_more(stream, &mut answer).await?;
    };
    let text = String::from_utf8_lossy(&answer[..head]).to_lowercase();
    let status = text.split(' ').nth(1).context("no status")?.parse()?;
    let length: usize = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(Ok(0), str::parse)?;
    while answer.len() < head + length {
        read_more(stream, &mut answer).await?;
    }
    Ok((status, !text.contains("connection: close")))
}

async fn read_more(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<()> {
    if stream.read_buf(answer).await? == 0 || answer.len() > ANSWER_MAX_LEN {
        bail!("the answer broke off");
    }
    Ok(())
}

/// How many of `channels` are not due in the database although a push to them was acknowledged.
pub async fn lost(pool: &PgPool, acknowledged: impl Iterator<Item = Uuid>) -> Result<usize> {
    let acknowledged: std::collections::BTreeSet<Uuid> = acknowledged.collect();
    let acknowledged: Vec<Uuid> = acknowledged.into_iter().collect();
    let due: i64 = sqlx::query_scalar(
        "select count(*) from sync_state where resource_id = any($1) and dirty_seq > synced_seq",
    )
    .bind(&acknowledged)
    .fetch_one(pool)
    .await?;
    Ok(acknowledged.len() - usize::try_from(due)?)
}
