//! Receipts and statements that are JWS: the registry's word, by a key that it publishes.

use std::fmt;
use std::path::Path;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::receipt::{Args, Proved, Said, of_record, read};
use crate::cli::Failure;
use crate::cli::output::plain;
use crate::domain::ids::OrgId;
use crate::log::receipt::signed::{self, Row, Statement};
use crate::log::receipt::{Answer, CheckRecord, Recorded};
use crate::registry::answer::moment;

/// What a holder was told of its own works in a check.
#[derive(Serialize)]
pub(super) struct OwnWorks {
    check: String,
    developer: OrgId,
    at: String,
    log: String,
    /// The journal, and the place of the check in it.
    journal: String,
    entry: u64,
    /// Whether the receipt of the check is at hand, holds, and says the same.
    has_receipt: bool,
    works: Vec<Row>,
    /// By whose word.
    signed_by: Option<String>,
}

/// Judges a JWS; `held` are the journal entries of the receipts that hold.
pub(super) fn judge(
    args: &Args,
    bytes: &[u8],
    keys: &[[u8; 32]],
    kept: &[Answer],
    held: &[Recorded],
) -> Result<Said, String> {
    if keys.is_empty() {
        return Err("it is a JWS, or no receipt; a JWS needs `--jwks`".to_owned());
    }
    if args.checkpoint.is_some() {
        return Err(
            "it is a JWS, which no checkpoint can be held against: fetch the whole receipt".to_owned()
        );
    }
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let statement = signed::verify(text.trim_end(), keys).map_err(|error| error.to_string())?;
    let iss = &statement.iss;
    if !args.proof.keys.is_empty() && !args.proof.keys.iter().any(|key| key.name() == *iss) {
        return Err(format!("it is of the registry `{iss}`, and no key of that was given"));
    }
    let has_receipt = beside(&statement, held)?;
    let signed_by = kid(text);
    let Some(entry) = &statement.entry else {
        return own_works(args, statement, kept, has_receipt, signed_by).map(Said::Works);
    };
    let record = CheckRecord::read(entry.get()).map_err(|error| error.to_string())?;
    let expected = args.proof.expected(record.check, kept)?;
    expected.hold(&record).map_err(|error| error.to_string())?;
    let mut proved: Proved = of_record(&record, iss);
    proved.signed_by = signed_by;
    Ok(Said::Check(proved))
}

/// Holds it against the receipt of its check, and says whether that is at hand.
fn beside(statement: &Statement, held: &[Recorded]) -> Result<bool, String> {
    let is_of_check = |recorded: &&Recorded| {
        CheckRecord::read(&recorded.entry).is_ok_and(|record| record.check.to_string() == statement.jti)
    };
    let Some(Recorded { origin, index, entry, .. }) = held.iter().find(is_of_check) else { return Ok(false) };
    let differs = |what| format!("{what} is not that of the receipt of its check");
    statement.is_of_entry(origin, *index, entry).map_err(differs)?;
    Ok(true)
}

fn own_works(
    args: &Args,
    statement: Statement,
    kept: &[Answer],
    has_receipt: bool,
    signed_by: Option<String>,
) -> Result<OwnWorks, String> {
    let Statement { iss, iat, sub, jti, journal, works, .. } = statement;
    if !kept.is_empty() {
        return Err(
            "it is what a holder was told of its own works, which no answer can be held against".to_owned()
        );
    }
    if let Some(expected) = args.proof.developer.filter(|expected| *expected != sub) {
        return Err(format!("the developer is `{sub}`, and `{expected}` was expected"));
    }
    Ok(OwnWorks {
        check: jti,
        developer: sub,
        at: moment(iat.saturating_mul(1_000)),
        log: iss,
        journal: journal.origin,
        entry: journal.index,
        has_receipt,
        works: works.unwrap_or_default(),
        signed_by,
    })
}

/// Each text of somebody else is made safe by itself: none can begin a line of its own.
impl fmt::Display for OwnWorks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {} was answered at {}", self.check, self.at)?;
        writeln!(f, "  asked for {}", self.developer)?;
        for Row { work, uses, permitted } in &self.works {
            let uses: Vec<_> = uses.iter().map(|leaf| leaf.code()).collect();
            let answered = match permitted {
                Some(true) => "permitted",
                Some(false) => "not permitted",
                None => "what was answered is not told",
            };
            writeln!(f, "  {work}: {}: {answered}", uses.join(", "))?;
        }
        let with = if self.has_receipt {
            "whose receipt says the same"
        } else {
            "whose receipt is not at hand, or does not hold"
        };
        writeln!(f, "  entry {} of `{}`, {with}", self.entry, plain(&self.journal))?;
        let key = plain(self.signed_by.as_deref().unwrap_or_default());
        writeln!(f, "  which works matched by the word of the key `{key}` alone, not by the logs")
    }
}

/// The key's name in a header that is verified already.
fn kid(jws: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Header {
        kid: String,
    }
    let header = BASE64URL_NOPAD.decode(jws.split('.').next()?.as_bytes()).ok()?;
    serde_json::from_slice::<Header>(&header).ok().map(|header| header.kid)
}

/// The keys in the answer of `GET /receipts/jwks`.
pub(super) fn read_keys(path: &Path) -> Result<Vec<[u8; 32]>, Failure> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Key>,
    }
    #[derive(Deserialize)]
    struct Key {
        x: String,
    }
    let wrong = |why: &str| Failure::usage(format!("`{}` holds no keys of receipts: {why}", path.display()));
    let set: Set = serde_json::from_slice(&read(path)?).map_err(|error| wrong(&error.to_string()))?;
    let key = |key: Key| BASE64URL_NOPAD.decode(key.x.as_bytes()).ok()?.try_into().ok();
    let keys: Option<Vec<[u8; 32]>> = set.keys.into_iter().map(key).collect();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(|| wrong("a key is not one of Ed25519"))
}
