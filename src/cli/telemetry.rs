//! Spans of requests to a collector of OpenTelemetry: OTLP in protobuf over HTTP, in batches, by a thread of their own.
//!
//! A collector that is slow or gone costs spans, and nothing else: they wait in a queue that has an end.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, filter_fn};
use tracing_subscriber::registry::LookupSpan;

use super::Failure;
use crate::config::Config;
use crate::http::traced::TARGET;

/// How long one batch may take.
const BATCH: Duration = Duration::from_secs(5);
/// How long what is left may take when the server stops.
const LAST: Duration = Duration::from_secs(5);

/// Where spans go.
pub(super) struct Telemetry {
    provider: SdkTracerProvider,
}

impl Telemetry {
    /// A way to the collector that the settings name, if they do. Whether it is there is not asked.
    pub(super) fn open(config: &Config) -> Result<Option<Self>, Failure> {
        let endpoint = config.otlp_endpoint.as_str();
        if endpoint.is_empty() {
            return Ok(None);
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(BATCH)
            .build()
            .map_err(|error| Failure::new(format!("the setting `otlp_endpoint` can't be used: {error}")))?;
        let about = [
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", config.node.to_string()),
        ];
        let resource = Resource::builder().with_service_name("kyodaku").with_attributes(about).build();
        let provider =
            SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build();
        Ok(Some(Self { provider }))
    }

    /// What sends there, of everything that is traced, the spans of requests.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let tracer: Tracer = self.provider.tracer("kyodaku");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        let layer =
            layer.with_location(false).with_threads(false).with_target(false).with_tracked_inactivity(false);
        layer.with_filter(is_of_a_request())
    }

    /// Sends what is left.
    pub(super) async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(LAST)).await;
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(target: "kyodaku::serve", %error, "the last spans were not sent");
            }
            Err(error) => tracing::warn!(target: "kyodaku::serve", %error, "the last spans were not sent"),
        }
    }
}

fn is_of_a_request() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET)
}
