//! Traces by OpenTelemetry, from Google's push to the publication, across the rows of the queue.
//!
//! Off unless `OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`) is set. Then spans are exported by OTLP over HTTP, with
//! OpenTelemetry's own variables for headers, sampling and batches. A span belongs to a trace when its target is [`SPANS`];
//! without an exporter such a span is disabled, which costs one atomic load.
//!
//! Where work passes through the database, the row has the [`traceparent`] of the span that wrote it, and the worker that
//! acquires the row [`continue_from`]s it.

use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// The target of every span that is part of a trace: `trace_span!(target: SPANS, "pull")`.
pub const SPANS: &str = "calwire::trace";

const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];

/// Exports until it is dropped; then it flushes, within a few seconds.
#[must_use = "traces end with it"]
pub struct Exporting(Option<SdkTracerProvider>);

impl Exporting {
    pub(super) fn off() -> Self {
        Self(None)
    }

    pub(super) fn layer<S>(&self, service: &'static str) -> Option<impl Layer<S> + Send + Sync + use<S>>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let tracer = self.0.as_ref()?.tracer(service);
        let ours = Targets::new().with_target(SPANS, Level::TRACE);
        Some(
            tracing_opentelemetry::layer()
                .with_tracer(tracer)
                .with_threads(false)
                .with_location(false)
                .with_filter(ours),
        )
    }
}

impl Drop for Exporting {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take() {
            // A collector that is down at shutdown is not an error.
            let _ = provider.shutdown();
        }
    }
}

/// The exporter that the environment configures.
pub(super) fn exporter(service: &'static str) -> Result<Exporting, String> {
    let is_set = |name| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    if !ENDPOINTS.into_iter().any(is_set) {
        return Ok(Exporting::off());
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .build()
        .map_err(|error| format!("OTEL_EXPORTER_OTLP_ENDPOINT: {error}"))?;
    let mut resource = Resource::builder();
    if !is_set("OTEL_SERVICE_NAME") {
        resource = resource.with_service_name(service);
    }
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.build())
        .with_batch_exporter(exporter)
        .build();
    Ok(Exporting(Some(provider)))
}

/// The W3C trace context of `span`, for the row that it writes. None: not traced.
pub fn traceparent(span: &Span) -> Option<String> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let context = context.span().span_context().clone();
    (context.is_valid() && context.is_sampled()).then(|| {
        format!(
            "00-{}-{}-{:02x}",
            context.trace_id(),
            context.span_id(),
            context.trace_flags()
        )
    })
}

/// Makes `span`, which has not been entered, a child of the span that wrote `traceparent`. Without a valid trace context it starts
/// a trace of its own.
pub fn continue_from(span: &Span, traceparent: Option<&str>) {
    if span.is_disabled() {
        return;
    }
    if let Some(parent) = traceparent.and_then(parse) {
        // Fails only for a span that has been entered.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
}

fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version != "00" || parts.next().is_some() {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn traces_continue_from_rows_and_cost_nothing_while_off() {
        let span = tracing::trace_span!(target: SPANS, "off");
        assert!(span.is_disabled());
        assert_eq!(traceparent(&span), None);

        let exporting = Exporting(Some(SdkTracerProvider::builder().build()));
        let subscriber = tracing_subscriber::registry().with(exporting.layer("test"));
        tracing::subscriber::with_default(subscriber, || {
            let written = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            let span = tracing::trace_span!(target: SPANS, "pull");
            continue_from(&span, Some(written));
            let ours = traceparent(&span).expect("it is traced");
            assert_eq!(ours[..36], written[..36], "the same trace");
            assert_ne!(ours, written, "another span");
            for bad in [
                "",
                "00-zz",
                "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "00-0-0-01",
            ] {
                let span = tracing::trace_span!(target: SPANS, "pull");
                continue_from(&span, Some(bad));
                let own = traceparent(&span).expect("it is traced");
                assert_ne!(own[..36], written[..36], "{bad}");
            }
            let other = tracing::trace_span!(target: "elsewhere", "not ours");
            assert!(other.is_disabled());
        });
    }
}
