//! `kyodaku demo`: an invented catalogue, a story of asking and granting told in the terminal, and then the server.

mod acts;
mod notes;
mod script;
mod voice;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;
use tokio::sync::oneshot;

use super::client::{NoAnswer, Server};
use super::context::Context;
use super::explain::{Asked, Explanation, Item, Past, Question, Words};
use super::lock::Lock;
use super::serve::{Upkeep, listen, serve};
use super::settings::{limits, registry_settings};
use super::{Exit, Failure, Outcome, logging, output};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::decision::Verdict;
use crate::domain::explain::Lang;
use crate::domain::key::{Key, SubjectKey};
use crate::domain::uses::Use;
use crate::http::App;
use crate::http::server::stop_signal;
use crate::registry::Registry;
use acts::Cast;
use notes::Notes;
use script::{SCENES, Scene};

/// Tell the story of a small invented registry, then serve it, to be tried out
///
/// Everything is done through the API of the server that then goes on running, on an embedded database in a folder of its
/// own. Run it again and it continues with the same data: what was answered is answered again from the log as it was.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder of the demo
    #[arg(long, value_name = "FOLDER", default_value = "kyodaku-demo")]
    data_dir: PathBuf,
    /// The address and port of the server
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: String,
    /// End after the story, without going on to serve
    #[arg(long)]
    story_only: bool,
    /// The language of the story: `ja` or `en`; that of the terminal where it is not said
    #[arg(long, value_name = "LANGUAGE", value_parser = super::explain::language)]
    lang: Option<Lang>,
}

/// The name of the demo's log: nobody can take its checkpoints for those of a registry.
const ORIGIN: &str = "demo.kyodaku.example/log";

pub(super) async fn run(args: Args) -> Outcome {
    let config = settings(&args)?;
    logging::start(&config)?;
    let notes = Notes::open(&config.data_dir)?;
    let _lock = Lock::take(&config)?;
    let listener = listen(config.listen, "`--listen ADDRESS:PORT`").await?;
    let address = listener.local_addr().map_err(|error| Failure::new(error.to_string()))?;
    let registry = Registry::open(registry_settings(&config), Clock::system()).await;
    let registry = registry.map_err(|error| Failure::new(error.to_string()))?;
    let (end, ended) = oneshot::channel::<()>();
    let stop = async {
        tokio::select! {
            () = stop_signal() => {}
            // Also when the story fails, which drops the other end.
            _ = ended => {}
        }
    };
    let serving = {
        let (registry, limits, upkeep) = (registry.clone(), limits(&config), Upkeep::of(&config));
        tokio::spawn(async move { serve(listener, None, App::new(registry), limits, &upkeep, stop).await })
    };
    let lang = args.lang.unwrap_or_else(output::language);
    let mut cast = Cast { url: format!("http://{}", reachable(address)), lang, notes };
    let told = tell(&mut cast, &registry).await;
    if told.is_err() || args.story_only {
        drop(end);
        join(serving).await?;
        told?;
        return Ok(Exit::Done);
    }
    let hinted = voice::hints(&cast);
    if hinted.is_err() {
        drop(end);
    }
    join(serving).await?;
    hinted.map(|()| Exit::Done)
}

/// Where this machine reaches a server that listens there: also on every address that it has.
fn reachable(address: SocketAddr) -> SocketAddr {
    let here = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(here, address.port())
}

async fn join(serving: tokio::task::JoinHandle<()>) -> Result<(), Failure> {
    serving.await.map_err(|error| Failure::new(format!("the server ended badly: {error}")))
}

/// The demo has settings of its own, whatever stands in the environment or in a file: it must not sign with the keys of a registry.
fn settings(args: &Args) -> Result<Config, Failure> {
    let folder = args.data_dir.to_string_lossy().into_owned();
    let flags = [
        ("database_url", format!("sqlite:{}", args.data_dir.join("kyodaku.db").display())),
        ("data_dir", folder),
        ("listen", args.listen.clone()),
        ("origin", ORIGIN.to_owned()),
        ("log_filter", "warn".to_owned()),
    ];
    let flags = flags.map(|(key, value)| (key.to_owned(), value));
    Config::without_file([], flags).map_err(|error| Failure::usage(error.to_string()))
}

/// Tells every scene: what was told before, from the log as it was then.
async fn tell(cast: &mut Cast, registry: &Registry) -> Result<(), Failure> {
    let is_again = cast.notes.scene(SCENES.last().map_or("", |scene| scene.name)).is_some();
    voice::opening(cast.lang, is_again);
    cast.enter(registry).await?;
    for (number, scene) in (1..).zip(SCENES) {
        voice::scene(cast.lang, number, scene);
        if let Some(log_size) = cast.notes.scene(scene.name) {
            let answer = answered_then(cast, scene, log_size).await?;
            voice::answer(cast.lang, answer.item.verdict, &answer.words, log_size);
        } else {
            cast.act(scene.name).await?;
            let answer = ask(&cast.asked_by(scene.ask.who)?, scene).await?;
            voice::answer(cast.lang, answer.verdict(), &answer.words, answer.log_size);
            cast.notes.told(scene.name, answer.log_size)?;
        }
    }
    Ok(())
}

/// The answer to a check of one item, as far as the story tells it.
#[derive(Deserialize)]
struct Answer {
    log_size: u64,
    items: Vec<Answered>,
    words: Vec<Words>,
}

#[derive(Deserialize)]
struct Answered {
    verdict: Verdict,
}

impl Answer {
    /// Permitted only where the one item that was asked is.
    fn verdict(&self) -> Verdict {
        match self.items.as_slice() {
            [item] => item.verdict,
            _ => Verdict::NotPermitted,
        }
    }
}

fn item(scene: &Scene) -> Result<Item, Failure> {
    let key = Key::url(scene.ask.url).map_err(|error| Failure::new(error.to_string()))?;
    Ok(Item { keys: vec![SubjectKey::Key(key)] })
}

fn context() -> Context {
    Context { uses: vec![Use::TrainGenerative], model: None, territory: None, with_parts: false }
}

async fn ask(server: &Server, scene: &Scene) -> Result<Answer, Failure> {
    #[derive(serde::Serialize)]
    struct Check {
        context: Context,
        items: [Item; 1],
    }
    let check = Check { context: context(), items: [item(scene)?] };
    server.post("/v1/checks", &check, None).await.map_err(NoAnswer::told)
}

async fn answered_then(cast: &Cast, scene: &Scene, log_size: u64) -> Result<Explanation, Failure> {
    let past = Some(Past::LogSize(log_size));
    let question = Question { context: context(), item: item(scene)?, developer: None };
    let asked = Asked { question, as_of: past, at: None };
    cast.asked_by(scene.ask.who)?.post("/v1/explanations", &asked, None).await.map_err(NoAnswer::told)
}
