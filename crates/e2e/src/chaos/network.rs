//! A proxy in every link: Toxiproxy, controlled over its API.

use std::path::Path;

use anyhow::{Result, ensure};
use provision::toxiproxy::{self, ToxiproxyServer};
use serde_json::{Value, json};

use super::link::{Link, Toxic};

/// The name of a link's only toxic.
const TOXIC: &str = "toxic";

pub struct Network {
    server: ToxiproxyServer,
    http: reqwest::Client,
}

impl Network {
    /// Without links.
    pub fn start(folder: &Path) -> Result<Self> {
        let binary = toxiproxy::binary(&mut |line| println!("{line}"))?;
        Ok(Self {
            server: ToxiproxyServer::start(&binary, &folder.join("toxiproxy.log"))?,
            http: reqwest::Client::builder().no_proxy().build()?,
        })
    }

    /// Creates a proxy to `upstream` and returns its port.
    pub async fn lead(&self, link: Link, upstream: u16) -> Result<u16> {
        let port = provision::port::free()?;
        let proxy = json!({
            "name": link.name(), "listen": format!("127.0.0.1:{port}"), "upstream": format!("127.0.0.1:{upstream}"),
            "enabled": true,
        });
        self.post("/proxies", &proxy).await?;
        Ok(port)
    }

    pub async fn poison(&self, link: Link, toxic: Toxic) -> Result<()> {
        let (kind, stream, attributes) = match toxic {
            Toxic::Latency { ms, jitter } => ("latency", DOWN, json!({"latency": ms, "jitter": jitter})),
            Toxic::LoseRequests => ("timeout", UP, json!({"timeout": 0})),
            Toxic::LoseAnswers => ("timeout", DOWN, json!({"timeout": 0})),
            Toxic::Reset { ms } => ("reset_peer", DOWN, json!({"timeout": ms})),
            Toxic::Bandwidth { kb } => ("bandwidth", DOWN, json!({"rate": kb})),
            Toxic::Cut { bytes } => ("limit_data", DOWN, json!({"bytes": bytes})),
            // Microseconds between the pieces.
            Toxic::Slice => (
                "slicer",
                DOWN,
                json!({"average_size": 64, "size_variation": 32, "delay": 200}),
            ),
            Toxic::Down => return self.enable(link, false).await,
        };
        let body =
            json!({"name": TOXIC, "type": kind, "stream": stream, "toxicity": 1.0, "attributes": attributes});
        self.post(&format!("/proxies/{}/toxics", link.name()), &body)
            .await
    }

    /// Removes the toxic. Lost data stays lost: its connections are closed.
    pub async fn mend(&self, link: Link, toxic: Toxic) -> Result<()> {
        if toxic == Toxic::Down {
            return self.enable(link, true).await;
        }
        let url = format!("{}/proxies/{}/toxics/{TOXIC}", self.server.url(), link.name());
        let answer = self.http.delete(url).send().await?;
        ensure!(
            answer.status().is_success(),
            "Toxiproxy: {}",
            answer.text().await?
        );
        Ok(())
    }

    async fn enable(&self, link: Link, enabled: bool) -> Result<()> {
        self.post(&format!("/proxies/{}", link.name()), &json!({"enabled": enabled}))
            .await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<()> {
        let answer = self
            .http
            .post(format!("{}{path}", self.server.url()))
            .json(body)
            .send()
            .await?;
        ensure!(
            answer.status().is_success(),
            "Toxiproxy: {}",
            answer.text().await?
        );
        Ok(())
    }
}

/// The direction from the client to the server, and back.
const UP: &str = "upstream";
const DOWN: &str = "downstream";
