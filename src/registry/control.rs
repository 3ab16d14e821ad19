//! Proofs of control: an organization shows that a host is its own, which confirms its address bindings there (R1).
//!
//! It publishes a token where only who controls the host can: in the TXT record `_kyodaku-challenge.HOST`, or in the
//! file `https://HOST/.well-known/kyodaku-challenge/ID`. This server looks, and the installation records the proof.

use serde::Serialize;
use sha2::Digest as _;

use self::address::is_global;
use self::lookup::LookupError;
use super::answer::moment;
use super::authority::{Holder, Proof};
use super::failure::Failure;
use super::node::Registry;
use super::orders::Evidence;
use super::sequencer::{Once, Submission, Submitted};
use crate::clock;
use crate::domain::act::{Act, ControlMethod, ControlProved};
use crate::domain::ids::{BindingId, ChallengeId, OrgId};
use crate::domain::index::AsOf;
use crate::store::challenges::{self, Challenge};

pub mod address;
pub mod lookup;

/// For how long a challenge can be met: seven days.
pub const VALID_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// The most bindings that one entry confirms; more go into further entries of the same command.
const MAX_BINDINGS: usize = 1_000;
/// The most entries of one proof.
const MAX_ENTRIES: usize = 100;

/// A challenge as its organization reads it: what to publish where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChallengeView {
    /// Its id.
    pub challenge: String,
    /// The host.
    pub host: String,
    /// `dns` or `well_known`.
    pub method: String,
    /// What to publish. It is no secret.
    pub token: String,
    /// Where: the name of the TXT record, or the address of the file.
    pub publish_at: String,
    /// What must stand there: the whole text of the record, or a text that the file contains.
    pub publish: String,
    /// Until when it can be met.
    pub expires: String,
    /// The entry that records the proof.
    pub proved_entry: Option<i64>,
}

impl From<Challenge> for ChallengeView {
    fn from(row: Challenge) -> Self {
        let (publish_at, publish) = if row.method == "dns" {
            (record_name(&row.host), record_text(&row.token))
        } else {
            (format!("https://{}{}", row.host, file_path(&row.id)), row.token.clone())
        };
        Self {
            challenge: row.id,
            host: row.host,
            method: row.method,
            token: row.token,
            publish_at,
            publish,
            expires: moment(row.expires_ms),
            proved_entry: row.proved_idx,
        }
    }
}

fn record_name(host: &str) -> String {
    format!("_kyodaku-challenge.{host}")
}

fn record_text(token: &str) -> String {
    format!("kyodaku={token}")
}

fn file_path(challenge: &str) -> String {
    format!("/.well-known/kyodaku-challenge/{challenge}")
}

/// The ASCII form of a host name, or what is wrong with it. Addresses and single words are not names that the world
/// resolves.
pub fn host_name(text: &str) -> Result<String, String> {
    let not = || format!("`{}` is not the name of a host", text.chars().take(100).collect::<String>());
    match url::Host::parse(text) {
        Ok(url::Host::Domain(host)) => {
            // 253 octets less the label that is put before it.
            let is_name = host.contains('.') && !host.ends_with('.') && host.len() <= 230;
            let is_plain = host.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            });
            if is_name && is_plain { Ok(host) } else { Err(not()) }
        }
        _ => Err(not()),
    }
}

/// The word for a method.
const fn method_word(method: ControlMethod) -> &'static str {
    match method {
        ControlMethod::Dns => "dns",
        ControlMethod::WellKnown => "well_known",
    }
}

/// Gives the caller a challenge for a host. Every call gives a fresh one; old ones stay good until their time is up.
pub async fn challenge(
    registry: &Registry,
    by: &Holder,
    host: &str,
    method: ControlMethod,
) -> Result<ChallengeView, Failure> {
    let host = host_name(host).map_err(|why| Failure::fault("/host", "invalid_value", why))?;
    let now_ms = registry.clock().now_ms();
    let row = Challenge {
        id: ChallengeId::new(registry.clock().new_uuid()).to_string(),
        org: by.actor().org().to_string(),
        host,
        method: method_word(method).to_owned(),
        token: data_encoding::HEXLOWER.encode(&clock::random::<20>()),
        created_ms: now_ms,
        expires_ms: now_ms.saturating_add(VALID_MS),
        proved_idx: None,
    };
    let mut tx = registry.db().begin().await?;
    challenges::insert(&mut tx, &row).await?;
    tx.commit().await?;
    Ok(row.into())
}

/// A challenge of the caller.
pub async fn one(registry: &Registry, by: &Holder, id: ChallengeId) -> Result<ChallengeView, Failure> {
    Ok(own(registry, by, id).await?.into())
}

/// The challenges of the caller, by id, after this one.
pub async fn list(
    registry: &Registry,
    by: &Holder,
    after: Option<&str>,
    rows: u32,
) -> Result<Vec<ChallengeView>, Failure> {
    let org = by.actor().org().to_string();
    let rows = challenges::list(registry.db(), &org, after, rows).await?;
    Ok(rows.into_iter().map(ChallengeView::from).collect())
}

async fn own(registry: &Registry, by: &Holder, id: ChallengeId) -> Result<Challenge, Failure> {
    let found = challenges::find(registry.db(), &id.to_string()).await?;
    found.filter(|row| row.org == by.actor().org().to_string()).ok_or(Failure::NotFound)
}

/// What a verified challenge is answered.
#[derive(Serialize)]
struct Verified<'a> {
    challenge: &'a str,
    host: &'a str,
    confirmed: Vec<BindingId>,
}

/// Looks whether the challenge is met, and if so records the proof and confirms the caller's address bindings on that
/// host. Once met it is answered the same for ever; new bindings need a new challenge.
pub async fn verify(registry: &Registry, by: &Holder, id: ChallengeId) -> Result<Submitted, Failure> {
    let row = own(registry, by, id).await?;
    if row.proved_idx.is_none() && registry.clock().now_ms() >= row.expires_ms {
        return Err(Failure::Conflict(format!("the time of `{id}` is up: ask for a new challenge")));
    }
    let seen = match row.proved_idx {
        Some(_) => String::new(),
        None => look(registry, &row).await.map_err(|error| Failure::Conflict(error.to_string()))?,
    };
    let method = if row.method == "dns" { ControlMethod::Dns } else { ControlMethod::WellKnown };
    let org = by.actor().org();
    let host = row.host.clone();
    let bindings = registry.read(|now| waiting(now, org, &host)).await?;
    let seen = Evidence::in_words(seen);
    let evidence = seen.digest();
    let mut lists: Vec<_> = bindings.chunks(MAX_BINDINGS).take(MAX_ENTRIES).map(<[_]>::to_vec).collect();
    if lists.is_empty() {
        lists.push(Vec::new());
    }
    let confirmed = lists.concat();
    let acts = lists.into_iter().map(|bindings| {
        let act = ControlProved { org, host: row.host.clone(), method, bindings, evidence };
        (Act::ControlProved(act), seen.clone().payload())
    });
    let fields = Verified { challenge: &row.id, host: &row.host, confirmed };
    let party = registry.installation().ok_or_else(|| Failure::Unavailable("the log is empty".to_owned()))?;
    let submission = Submission {
        party,
        on_behalf_of: None,
        by: Vec::new(),
        acts: acts.collect(),
        once: Some(Once {
            key: format!("control:{}", row.id),
            operation: "verifyControlChallenge",
            digest: sha2::Sha256::digest(row.id.as_bytes()).into(),
        }),
        body: super::answer::Answer::done(&fields).body(),
        accounts: Vec::new(),
        unchanged: None,
    };
    let submitted = registry.submit(submission).await?;
    note_proof(registry, &row, &submitted).await?;
    Ok(submitted)
}

/// Notes the entry with the challenge. The log is what counts; without this note a repetition looks again.
async fn note_proof(registry: &Registry, row: &Challenge, submitted: &Submitted) -> Result<(), Failure> {
    let Some(recorded) = submitted.recorded else { return Ok(()) };
    let mut tx = registry.db().begin().await?;
    challenges::prove(&mut tx, &row.id, recorded.first, registry.clock().now_ms()).await?;
    tx.commit().await?;
    Ok(())
}

/// The address bindings on a host, to works that the organization stands behind, which stand and are not confirmed. Who
/// lists itself as a holder of another's work proves nothing about that work.
fn waiting(now: AsOf<'_>, org: OrgId, host: &str) -> Vec<BindingId> {
    let Some(org) = now.org(org) else { return Vec::new() };
    let holdings = now.index.by_holder.get(org).iter().copied();
    let held = holdings.filter(|it| now.holding_stands(*it) && now.holder(*it) == Some(org));
    let works: std::collections::BTreeSet<_> =
        held.map(|it| now.canonical(now.index.holdings.work(it))).collect();
    let works = works.into_iter().filter(|work| now.stands_behind(org, *work));
    let bindings = works.flat_map(|work| now.bindings(work));
    let fits = bindings.filter(|ix| {
        !now.seen(now.index.binding(*ix).confirmed)
            && now.index.bindings.key(*ix).host().is_some_and(|it| it == host)
    });
    fits.map(|ix| now.index.bindings.id(ix)).collect()
}

/// Looks from outside. What was seen is the evidence.
async fn look(registry: &Registry, row: &Challenge) -> Result<String, LookupError> {
    if row.method == "dns" { look_at_dns(registry, row).await } else { look_at_file(registry, row).await }
}

async fn look_at_dns(registry: &Registry, row: &Challenge) -> Result<String, LookupError> {
    let (name, wanted) = (record_name(&row.host), record_text(&row.token));
    let texts = registry.lookup().txt(&name).await?;
    if texts.contains(&wanted) {
        return Ok(format!("{name} TXT {wanted}"));
    }
    let found = texts.len();
    Err(LookupError(format!(
        "`{name}` has {found} TXT records and none is `{wanted}`: publish it, wait until it is seen, try again"
    )))
}

async fn look_at_file(registry: &Registry, row: &Challenge) -> Result<String, LookupError> {
    let (host, path) = (&row.host, file_path(&row.id));
    let addresses = registry.lookup().addresses(host).await?;
    // One that is not of the open internet spoils all: who controls the name must not choose which one is reached.
    if !addresses.iter().all(|address| is_global(*address)) {
        return Err(LookupError(format!("`{host}` has an address that is not of the open internet")));
    }
    let address = *addresses.first().ok_or_else(|| LookupError(format!("`{host}` has no address")))?;
    let file = registry.lookup().file(host, address, &path).await?;
    let text = String::from_utf8_lossy(&file);
    if text.split_whitespace().any(|word| word == row.token) {
        return Ok(format!("https://{host}{path} contains {}", row.token));
    }
    Err(LookupError(format!(
        "`https://{host}{path}` does not contain `{}`: publish it, try again",
        row.token
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_that_the_world_resolves() {
        assert_eq!(host_name("Example.COM").as_deref(), Ok("example.com"));
        assert_eq!(host_name("例え.テスト").as_deref(), Ok("xn--r8jz45g.xn--zckzah"));
        let long = format!("{}.example", "a.".repeat(120));
        for bad in [
            "",
            "localhost",
            "127.0.0.1",
            "[::1]",
            "0x7f.1",
            "2130706433",
            "example.com:443",
            "a@example.com",
            "example.com/",
            "https://example.com",
            "example.com.",
            ".example.com",
            "a..b",
            "a b.example",
            &long,
        ] {
            assert!(host_name(bad).is_err(), "{bad}");
        }
    }
}
