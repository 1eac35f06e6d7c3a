//! Centrifugo's API: key, namespace, and a publication that can be read back.

use centrifugo::{Client, Error, Publication};
use serde_json::json;
use uuid::Uuid;

use super::report::Report;
use crate::config::Config;

/// A channel that no user has.
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
        let read_back = client.history_position(&channel).await?;
        let nodes = client.info().await?.nodes;
        Ok::<_, Error>((published == read_back, nodes))
    };
    match checked.await {
        Ok((true, nodes)) => {
            let version = nodes.first().map_or("", |node| node.version.as_str());
            report.ok(
                "broker",
                format!("Centrifugo {version}, {} nodes, keeps publications", nodes.len()),
            );
        }
        Ok((false, nodes)) => report.failed(
            "broker",
            format!(
                "a publication cannot be read back; {} nodes are running",
                nodes.len()
            ),
            "several nodes need CENTRIFUGO_ENGINE_TYPE=redis and the same Redis",
        ),
        Err(error) => {
            let remedy = match &error {
                Error::Transient { .. } => "start Centrifugo, and check CENTRIFUGO_API_URL",
                Error::Poison { .. } => "start Centrifugo with deploy/centrifugo.json",
                Error::Misconfigured { reason } if reason.contains("CENTRIFUGO_API_KEY") => {
                    "give calendar-api, webhook-ingest and Centrifugo the same key"
                }
                Error::Misconfigured { .. } => {
                    "start Centrifugo with deploy/centrifugo.json, and use its internal port in CENTRIFUGO_API_URL"
                }
            };
            report.failed("broker", &error, remedy);
        }
    }
}
