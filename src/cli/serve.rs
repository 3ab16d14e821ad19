//! `kyodaku serve`: the server.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::lock::Lock;
use super::settings::{SettingsArgs, clock, limits, provider, registry_settings, scrub, witnesses};
use super::{Exit, Failure, Outcome, logging};
use crate::config::Config;
use crate::http::sandbox::faces;
use crate::http::server::tls::Tls;
use crate::http::server::{self, Ended, Front, Limits};
use crate::http::{App, metrics};
use crate::registry::answer::moment;
use crate::registry::scrub::ScrubSettings;
use crate::registry::{OpenError, Registry, sandbox};

/// How long a renewed certificate lies there before it is taken up.
const TLS_LOOK: Duration = Duration::from_secs(10);

/// Run the server until it is told to stop (Ctrl-C or SIGTERM)
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) async fn run(args: Args) -> Outcome {
    let config = args.settings.load()?;
    #[cfg(feature = "opentelemetry")]
    let telemetry = logging::start_traced(&config)?;
    #[cfg(not(feature = "opentelemetry"))]
    logging::start(&config)?;
    for warning in config.warnings() {
        tracing::warn!(target: "kyodaku::serve", "{warning}");
    }
    let witnesses = witnesses(&config)?;
    let _lock = Lock::take(&config)?;
    let tls = config.tls().map(|(cert, key)| Tls::open(cert, key)).transpose();
    let tls = tls.map_err(|error| Failure::new(error.to_string()))?;
    let listener = listen(config.listen, "`--listen ADDRESS:PORT`").await?;
    let figures = match config.metrics.0 {
        Some(address) => Some(listen(address, "the setting `metrics`").await?),
        None => None,
    };
    let registry = Registry::open(registry_settings(&config), clock(&config)?).await;
    let registry = registry.map_err(|error| Failure::new(error.to_string()))?;
    let sandbox = open_sandbox(&config, &registry).await?;
    if let Some(provider) = provider(&config) {
        registry.sign_in_through(provider).map_err(|error| Failure::new(error.to_string()))?;
    }
    tell_of_clock(&registry);
    let (stop_figures, stopped) = oneshot::channel::<()>();
    if let Some(listener) = figures {
        let (router, limits) = (metrics::router(registry.clone()), limits(&config));
        tokio::spawn(async move { server::serve(listener, router, limits, stopped.map(drop)).await });
    }
    // They end with the server.
    let asked = registry.watched_by(witnesses, Duration::from_secs(config.witness_interval_s));
    let _asked = asked.map_err(|error| Failure::new(format!("witnesses can't be asked: {error}")))?;
    let app = App::new(registry)
        .behind(config.proxies.as_slice())
        .holding(usize::try_from(config.in_flight_mib).unwrap_or(usize::MAX))
        .answering(u32::try_from(config.requests_per_minute).unwrap_or(u32::MAX));
    let app = app.open(config.registration);
    let app = sandbox.into_iter().fold(app, |app, sandbox| app.beside(sandbox, config.sandbox_mib));
    let upkeep = Upkeep { scrub: scrub(&config)?, ..Upkeep::of(&config) };
    serve(listener, tls, app, limits(&config), &upkeep, server::stop_signal()).await;
    drop(stop_figures);
    #[cfg(feature = "opentelemetry")]
    if let Some(telemetry) = telemetry {
        telemetry.end().await;
    }
    Ok(Exit::Done)
}

/// Says what to do where the clock is not believed.
fn tell_of_clock(registry: &Registry) {
    if registry.is_clock_believed() {
        return;
    }
    let (now, last) = (moment(registry.clock().now_ms()), moment(registry.shared().head_ms()));
    tracing::error!(
        target: "kyodaku::serve",
        "the clock says {now}, and the last entry is of {last}, more than a year before: nothing is recorded and no check \
         is answered. If the clock is wrong, mend it; if it is right, start with `--set accept_clock={now}`, the time \
         taken from elsewhere"
    );
}

async fn open_sandbox(config: &Config, registry: &Registry) -> Result<Option<Registry>, Failure> {
    let Some(url) = &config.sandbox_url.0 else { return Ok(None) };
    let sandbox = sandbox::open(registry.settings(), url.reveal(), registry.clock().clone()).await;
    let refuse = |error: OpenError| {
        Failure::new(format!(
            "the sandbox can't be opened: {error}; without one, state `sandbox_url` as nothing"
        ))
    };
    sandbox.map(Some).map_err(refuse)
}

/// Listens there; `remedy` says how to choose another place.
pub(super) async fn listen(address: SocketAddr, remedy: &str) -> Result<TcpListener, Failure> {
    let refuse = |error: std::io::Error| {
        let what = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
            _ => error.to_string(),
        };
        Failure::new(format!("can't listen on `{address}`: {what}; choose another with {remedy}"))
    };
    TcpListener::bind(address).await.map_err(refuse)
}

/// Serves until `stop` resolves, then ends what runs, seals the journal and writes a snapshot.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    app: App,
    limits: Limits,
    upkeep: &Upkeep,
    stop: impl Future<Output = ()> + Send,
) {
    let router = faces(&app);
    let registry = app.registry().clone();
    let head = registry.shared().published();
    match listener.local_addr() {
        Ok(address) => {
            let scheme = if tls.is_some() { "https" } else { "http" };
            tracing::info!(target: "kyodaku::serve", log_size = head, "listening on {scheme}://{address}");
        }
        Err(error) => tracing::error!(target: "kyodaku::serve", %error, "the own address is not known"),
    }
    let (stop_upkeep, stopped) = oneshot::channel();
    // What a process that was killed left behind may hold what is erased since.
    registry.clear_scrub();
    let mut scrubbing = JoinSet::new();
    if let Some(settings) = upkeep.scrub.clone() {
        let registry = registry.clone();
        scrubbing.spawn(async move { registry.scrub(settings).await });
    }
    let keeping = tokio::spawn(upkeep.clone().run(app.registries(), stopped));
    // It ends with the server, as the rest of the set would.
    let mut renewing = JoinSet::new();
    if let Some(tls) = tls.clone() {
        renewing.spawn(tls.keep_fresh(TLS_LOOK));
    }
    let front = Front { tls, proxies: app.proxies().into(), registry: Some(registry.clone()) };
    match server::serve_behind(listener, front, router, limits, stop).await {
        Ended::Clean => {}
        Ended::Cut(open) => {
            tracing::warn!(target: "kyodaku::serve", open, "connections were cut at the end of the time of grace");
        }
    }
    // It holds connections, and may be in the middle of anything.
    scrubbing.shutdown().await;
    registry.clear_scrub();
    drop(stop_upkeep);
    if let Err(error) = keeping.await {
        tracing::error!(target: "kyodaku::serve", %error, "the upkeep ended badly");
    }
    for registry in app.registries() {
        registry.db().close().await;
    }
    tracing::info!(target: "kyodaku::serve", "stopped");
}

/// What is done beside answering.
#[derive(Clone, Debug)]
pub(super) struct Upkeep {
    seal: Duration,
    purge: Duration,
    scrub: Option<ScrubSettings>,
}

impl Upkeep {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            seal: Duration::from_secs(config.seal_interval_s),
            purge: Duration::from_secs(config.purge_interval_s),
            scrub: None,
        }
    }

    /// Seals the journals and clears old keys at intervals, and once more when `stopped` resolves.
    async fn run(self, registries: Vec<Registry>, mut stopped: oneshot::Receiver<()>) {
        let mut seal = interval(self.seal);
        let mut purge = interval(self.purge);
        seal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        purge.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kept: Vec<(Registry, u64)> = registries.into_iter().map(|registry| (registry, 0)).collect();
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                _ = seal.tick() => seal_all(&mut kept).await,
                _ = purge.tick() => {
                    for (registry, _) in &kept {
                        clear(registry).await;
                    }
                }
            }
        }
        seal_all(&mut kept).await;
        for (registry, _) in kept {
            if let Err(error) = registry.write_snapshot().await {
                tracing::warn!(target: "kyodaku::serve", %error, "no snapshot was written: the next start takes longer");
            }
        }
    }
}

async fn seal_all(kept: &mut [(Registry, u64)]) {
    for (registry, sealed) in kept {
        *sealed = seal_journal(registry, *sealed).await;
    }
}

async fn seal_journal(registry: &Registry, sealed: u64) -> u64 {
    match registry.seal_journal(sealed).await {
        Ok((size, Some(recorded))) => {
            tracing::info!(target: "kyodaku::serve", size, entry = recorded.first, "the check journal is sealed");
            size
        }
        Ok((size, None)) => size,
        Err(error) => {
            tracing::warn!(target: "kyodaku::serve", %error, "the check journal is not sealed, trying again later");
            sealed
        }
    }
}

async fn clear(registry: &Registry) {
    match registry.purge_idempotency().await {
        Ok(0) => {}
        Ok(keys) => tracing::info!(target: "kyodaku::serve", keys, "old idempotency keys are cleared"),
        Err(error) => {
            tracing::warn!(target: "kyodaku::serve", %error, "old idempotency keys are not cleared");
        }
    }
    if let Err(error) = registry.state_next_keys().await {
        tracing::warn!(target: "kyodaku::serve", %error, "which next keys are here is not known to other nodes");
    }
    if let Err(error) = registry.purge_events().await {
        tracing::warn!(target: "kyodaku::serve", %error, "old security events are not cleared");
    }
    if let Err(error) = registry.purge_sign_ins().await {
        tracing::warn!(target: "kyodaku::serve", %error, "old sessions are not cleared");
    }
}
