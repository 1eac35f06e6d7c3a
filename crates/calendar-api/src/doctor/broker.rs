//! Centrifugo's API: key, namespace, and a publication that is there afterwards.

use centrifugo::{Client, Error, Publication};
use serde_json::json;
use uuid::Uuid;

use super::Report;
use crate::config::Config;

/// Nobody's channel.
fn channel() -> String {
    format!("{}:calwire-check-{}", centrifugo::NAMESPACE, Uuid::new_v4())
}

pub async fn examine(report: &mut Report, config: &Config) {
    let checked = async {
        let client = Client::new(&config.centrifugo_api_url, config.centrifugo_api_key.clone())?;
        client.check(centrifugo::NAMESPACE).await?;
        let (channel, check) = (channel(), Uuid::new_v4().to_string());
        let data = json!({ "check": check }).to_string();
        let publication = Publication {
            channel: &channel,
            data: data.as_bytes(),
            idempotency_key: &check,
            version: 1,
            version_epoch: &check,
        };
        let published = client.publish(publication).await?;
        let there = client.history_position(&channel).await?;
        let nodes = client.info().await?.nodes;
        Ok::<_, Error>((published == there, nodes))
    };
    match checked.await {
        Ok((true, nodes)) => {
            let version = nodes.first().map_or("", |node| node.version.as_str());
            report.ok(
                "broker",
                format!(
                    "Centrifugo {version}, {} running, keeps what is published",
                    nodes.len()
                ),
            );
        }
        Ok((false, nodes)) => report.failed(
            "broker",
            format!(
                "what is published is not there afterwards; {} nodes answer",
                nodes.len()
            ),
            "several nodes need CENTRIFUGO_ENGINE_TYPE=redis and the same Redis",
        ),
        Err(error) => {
            let remedy = match &error {
                Error::Transient { .. } => "start Centrifugo, and look at CENTRIFUGO_API_URL",
                Error::Poison { .. } => "start Centrifugo with deploy/centrifugo.json",
                // The error says itself what to change, and where.
                Error::Misconfigured { reason } if reason.contains("CENTRIFUGO_API_KEY") => {
                    "give calendar-api, webhook-ingest and Centrifugo the same key"
                }
                Error::Misconfigured { .. } => {
                    "start Centrifugo with deploy/centrifugo.json, and name its internal port"
                }
            };
            report.failed("broker", &error, remedy);
        }
    }
}
