//! One trace from Google's push to the publication, through the rows of the queue and several processes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::Result;
use chrono::TimeDelta;
use e2e::google::{ALICE, timed};
use e2e::{Options, Stack, wait};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// The spans that an OpenTelemetry collector received, each with its service.
#[derive(Default)]
struct Collected(Mutex<Vec<(String, Span)>>);

impl Collected {
    /// The spans of each trace.
    fn traces(&self) -> BTreeMap<Vec<u8>, Vec<(String, Span)>> {
        let mut traces = BTreeMap::<_, Vec<_>>::new();
        for span in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            traces
                .entry(span.1.trace_id.clone())
                .or_default()
                .push(span.clone());
        }
        traces
    }
}

/// Starts a collector on loopback that keeps all spans; returns its address.
fn collector(collected: &Arc<Collected>) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let url = format!("http://{}", listener.local_addr()?);
    let data = Data::from(collected.clone());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .app_data(web::PayloadConfig::new(16 << 20))
            .route("/v1/traces", web::post().to(collect))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)?
    .run();
    tokio::spawn(server);
    Ok(url)
}

async fn collect(body: Bytes, collected: Data<Collected>) -> HttpResponse {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return HttpResponse::BadRequest().finish();
    };
    let mut spans = collected.0.lock().unwrap_or_else(PoisonError::into_inner);
    for resource in request.resource_spans {
        let attributes = resource
            .resource
            .map(|resource| resource.attributes)
            .unwrap_or_default();
        let service = attributes
            .iter()
            .find(|attribute| attribute.key == "service.name")
            .map_or_else(String::new, |attribute| format!("{:?}", attribute.value));
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push((service.clone(), span));
        }
    }
    HttpResponse::Ok().content_type("application/x-protobuf").finish()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_from_googles_push_to_the_publication() -> Result<()> {
    let collected = Arc::new(Collected::default());
    let options = Options {
        ingests: 2,
        ..Options::default()
    };
    let options = options
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector(&collected)?)
        .set("OTEL_BSP_SCHEDULE_DELAY", "200");
    let mut stack = Stack::with(options).await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    stack
        .google
        .insert(ALICE, "primary", timed("Traced", TimeDelta::hours(1), "UTC"))?;
    socket.next_titled("Traced").await?;

    let way = BTreeSet::from(["push", "pull", "google", "commit", "publish"]);
    let names = |spans: &[(String, Span)]| {
        spans
            .iter()
            .map(|(_, span)| span.name.clone())
            .collect::<BTreeSet<_>>()
    };
    let whole = wait::until("a trace has every step", async || {
        collected.traces().into_values().find(|spans| {
            let names = names(spans);
            way.iter().all(|step| names.contains(*step))
        })
    })
    .await;
    assert!(
        whole
            .iter()
            .all(|(service, _)| service.contains("webhook-ingest")),
        "{whole:?}"
    );
    // Each step is the child of another in the same trace, except the push.
    let ids: BTreeSet<_> = whole.iter().map(|(_, span)| span.span_id.clone()).collect();
    for (_, span) in &whole {
        if span.name == "push" {
            assert!(span.parent_span_id.is_empty());
        } else {
            assert!(
                ids.contains(&span.parent_span_id),
                "{} has no parent in the trace",
                span.name
            );
        }
    }
    let start = |name: &str| {
        whole
            .iter()
            .find(|(_, span)| span.name == name)
            .map(|(_, span)| span.start_time_unix_nano)
    };
    assert!(
        start("push") < start("pull")
            && start("pull") < start("commit")
            && start("commit") < start("publish")
    );

    // A user's write is a separate trace, and a stop sends the remaining spans.
    let calendar = stack.calendar_id("alice", ALICE).await?;
    let at = e2e::google::now() + TimeDelta::hours(3);
    let event = serde_json::json!({"title": "Written", "start": at, "end": at + TimeDelta::hours(1)});
    let input = serde_json::json!({"idempotencyKey": "traced", "calendarId": calendar, "event": event});
    alice.mutate("calendar.google.createEvent", input).await?;
    assert_eq!(stack.api.terminate().await?, Some(0));
    let written = collected
        .traces()
        .into_values()
        .any(|spans| names(&spans).contains("write"));
    assert!(written, "calendar-api has sent its last spans before it ended");
    drop(socket);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_no_row_carries_a_trace() -> Result<()> {
    let stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    // Not published, so that the message stays in the outbox for the check.
    sqlx::query("update user_stream set relay_not_before = now() + interval '1 hour'")
        .execute(&stack.database.pool)
        .await?;
    stack
        .google
        .insert(ALICE, "primary", timed("Untraced", TimeDelta::hours(1), "UTC"))?;
    let messages = wait::until("the change is committed", async || {
        let found: Vec<Option<String>> =
            sqlx::query_scalar("select traceparent from outbox where user_id = $1")
                .bind(&alice.user)
                .fetch_all(&stack.database.pool)
                .await
                .ok()?;
        (!found.is_empty()).then_some(found)
    })
    .await;
    assert!(messages.iter().all(Option::is_none), "{messages:?}");
    let traced: i64 = sqlx::query_scalar("select count(*) from sync_state where traceparent is not null")
        .fetch_one(&stack.database.pool)
        .await?;
    assert_eq!(traced, 0);
    stack.end().await
}
