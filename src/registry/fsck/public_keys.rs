//! The keys of receipts and of tokens as they are noted, beside the acts that let one give way to another, and beside those in the data
//! folder.
//!
//! They sign no log, so that nothing else shows that one is missing: whoever verifies an old receipt would not find its key.

use super::keys::Ended;
use super::{FsckError, Ground};
use crate::domain::act::SigningKeyUse;
use crate::log::receipt::signed::key_id;
use crate::registry::offline::{Finding, Findings, Kind};
use crate::store::public_keys::{self, KeyTable, PublicKey};

/// Holds them against each other. Gives what can't be known here.
pub(super) async fn hold(
    ground: &Ground,
    ended: &Ended,
    findings: &mut Findings,
) -> Result<Vec<String>, FsckError> {
    let mut unverified = Vec::new();
    for (table, of) in
        [(KeyTable::Receipts, SigningKeyUse::Receipt), (KeyTable::Tokens, SigningKeyUse::Token)]
    {
        let noted = public_keys::all(&ground.db, table).await?;
        let is_noted = |public: &[u8; 32]| noted.iter().any(|key| key.public == *public);
        let own = ground.own.others(of);
        let mut find = |kind, what: String| findings.push(Finding::new(kind, what).in_table(table.name()));
        for PublicKey { kid, public, .. } in &noted {
            let due = key_id(public);
            if *kid != due {
                find(Kind::UnknownKey, format!("a key is noted as `{kid}`, and it is called `{due}`"));
            }
        }
        for (public, entry) in ended.others(of).filter(|(public, _)| !is_noted(public)) {
            let kid = key_id(public);
            find(Kind::Absent, format!("the key `{kid}`, of which entry {entry} speaks, is not noted"));
        }
        // A key that is prepared has its file before it is noted.
        let current = own.first().filter(|public| !is_noted(public));
        if let Some(public) = current.filter(|_| ground.keys_are_noted || !noted.is_empty()) {
            let kid = key_id(public);
            find(Kind::Absent, format!("the key `{kid}`, which the data folder holds, is not noted"));
        }
        for key in noted {
            let is_known =
                own.contains(&key.public) || ended.others(of).any(|(public, _)| *public == key.public);
            if !is_known {
                unverified.push(format!(
                    "that `{}` in the table `{}` is a key: it is not in this data folder, and no act speaks of it",
                    key.kid,
                    table.name()
                ));
            }
        }
    }
    Ok(unverified)
}
