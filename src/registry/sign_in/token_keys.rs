//! The public keys of access tokens in the database, so that every node tells those that will sign before they do.

use super::token::kid_of;
use crate::clock::Clock;
use crate::registry::failure::Failure;
use crate::registry::keys::{KeyName, Pair, PreparedKeys, public_of};
use crate::registry::node::Registry;
use crate::store::public_keys::{self, KeyTable, PublicKey};
use crate::store::{Db, StoreError};

/// Notes the keys of this node, where they are not noted yet.
pub(in crate::registry) async fn note(db: &Db, pair: &Pair, clock: &Clock) -> Result<(), StoreError> {
    let noted = public_keys::all(db, KeyTable::Tokens).await?;
    let own = [Some(pair.current), pair.next].into_iter().flatten().map(|seed| public_of(&seed));
    let news: Vec<[u8; 32]> =
        own.filter(|public| noted.iter().all(|noted| noted.public != *public)).collect();
    if news.is_empty() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    for public in news {
        let Some(kid) = kid_of(&public) else { continue };
        let key = PublicKey { kid, public, first_ms: clock.now_ms() };
        public_keys::put(&mut tx, KeyTable::Tokens, &key).await?;
    }
    tx.commit().await
}

/// Those that were noted after the key of this node: they will sign. An earlier one was replaced, and says nothing any more; nor does one
/// that was thrown away.
pub(in crate::registry) async fn prepared(registry: &Registry) -> Result<Vec<[u8; 32]>, Failure> {
    let noted = public_keys::all(registry.db(), KeyTable::Tokens).await?;
    let own = registry.tokens().public();
    let since = noted.iter().find(|key| key.public == own).map_or(i64::MAX, |key| key.first_ms);
    let prepared = PreparedKeys::of(registry.db(), KeyName::Token, registry.clock().now_ms()).await?;
    let index = registry.shared().read();
    let now = index.as_of(registry.shared().published());
    let is_told = |key: &PublicKey| key.first_ms >= since && !prepared.is_thrown_away(now, &key.public);
    Ok(noted.into_iter().filter(is_told).map(|key| key.public).collect())
}
