//! A browser that stays open: when its socket closes it opens another on any node, and resumes from its position by the
//! broker's history or, if that lacks messages, by a new snapshot.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::oracle::View;
use crate::rpc::Api;
use crate::socket::{Socket, Subscribed};
use crate::wait;

/// Between two attempts to open a socket.
const PAUSE: Duration = Duration::from_millis(100);

pub struct Follower {
    api: Api,
    ws_url: String,
    socket: Socket,
    offset: u64,
    epoch: String,
    pub view: View,
    /// How often a new subscription was started.
    pub returns: u32,
    /// How often the broker then had all missed messages.
    pub recoveries: u32,
}

impl Follower {
    /// As a page does: first the socket, then the snapshot, so that no message is missed between the two.
    pub async fn open(api: &Api, ws_url: &str) -> Result<Self> {
        let (socket, subscribed) = Socket::of_user(api, ws_url, None).await?;
        Ok(Self {
            api: api.clone(),
            ws_url: ws_url.to_owned(),
            socket,
            offset: subscribed.offset,
            epoch: subscribed.epoch,
            view: View::load(api).await?,
            returns: 0,
            recoveries: 0,
        })
    }

    /// Applies messages for this duration.
    pub async fn listen(&mut self, time: Duration) -> Result<()> {
        let deadline = tokio::time::Instant::now() + time;
        loop {
            match self.socket.push_before(deadline).await {
                Ok(None) => return Ok(()),
                Ok(Some(push)) if push.get("unsubscribe").is_none() => self.take(&push["pub"]).await?,
                // The broker has seen a gap, or the connection is gone.
                Ok(Some(_)) | Err(_) => self.come_back().await?,
            }
        }
    }

    /// Applies messages until it shows what the API answers.
    pub async fn catch_up(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            self.listen(PAUSE).await?;
            let Some(difference) = self.view.difference().await? else {
                return Ok(());
            };
            ensure!(
                started.elapsed() < wait::PATIENCE,
                "the page still differs: {difference}"
            );
        }
    }

    async fn take(&mut self, publication: &Value) -> Result<()> {
        let Some(offset) = publication["offset"].as_u64() else {
            return Ok(());
        };
        self.view.apply(&publication["data"]).await?;
        self.offset = offset;
        Ok(())
    }

    async fn come_back(&mut self) -> Result<()> {
        let Subscribed {
            offset,
            epoch,
            recovered,
            publications,
        } = self.open_again().await?;
        self.returns += 1;
        (self.offset, self.epoch) = (offset, epoch);
        if !recovered {
            return self.view.reload().await;
        }
        self.recoveries += 1;
        for message in publications {
            self.view.apply(&message).await?;
        }
        Ok(())
    }

    async fn open_again(&mut self) -> Result<Subscribed> {
        let started = Instant::now();
        loop {
            let since = Some((self.offset, self.epoch.as_str()));
            match Socket::of_user(&self.api, &self.ws_url, since).await {
                Ok((socket, subscribed)) => {
                    self.socket = socket;
                    return Ok(subscribed);
                }
                Err(error) if started.elapsed() > wait::PATIENCE => {
                    return Err(error).context("no node takes the socket");
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}
