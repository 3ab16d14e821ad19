//! `kyodaku witness`: a witness of the logs of others.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::serve::listen;
use super::{Exit, Failure, Outcome, logging, output};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::server;
use crate::http::witness::{limits, router};
use crate::log::checkpoint::VerifierKey;
use crate::registry::witness::Witness;

/// What of the environment a witness heeds: it is no registry, and has no settings file.
const LOGGING: [&str; 2] = ["KYODAKU_LOG_FORMAT", "KYODAKU_LOG_FILTER"];

/// Cosign the checkpoints of other registries, and of any C2SP transparency log, as long as they only grow
///
/// It reads no settings file; of the environment `KYODAKU_LOG_FORMAT` and `KYODAKU_LOG_FILTER` say how its log lines look.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The name of this witness, for ever: a URL without its scheme
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The public key of a log that is watched, `name+id+base64`; as often as there are keys
    #[arg(long = "log", value_name = "KEY", required = true)]
    logs: Vec<VerifierKey>,
    /// The address and port to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// The folder of its key and of what it has cosigned
    #[arg(long, value_name = "FOLDER", default_value = "kyodaku-witness")]
    data_dir: PathBuf,
}

pub(super) async fn run(args: Args) -> Outcome {
    let stated = LOGGING.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?)));
    let config = Config::without_file(stated, []).map_err(|error| Failure::usage(error.to_string()))?;
    logging::start(&config)?;
    let opened = Witness::open(&args.data_dir, &args.name, args.logs, Clock::system()).await;
    let witness = Arc::new(opened.map_err(|error| Failure::new(error.to_string()))?);
    let listener = listen(args.listen, "`--listen ADDRESS:PORT`").await?;
    output::line(witness.verifier_key());
    let address = listener.local_addr().map_err(|error| Failure::new(error.to_string()))?;
    output::say(format!("listening on http://{address}"));
    server::serve(listener, router(Arc::clone(&witness)), limits(), server::stop_signal()).await;
    witness.close().await;
    Ok(Exit::Done)
}
