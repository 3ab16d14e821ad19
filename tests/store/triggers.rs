//! What is only ever added to refuses everything else, also to somebody with the database's password.

use kyodaku::store::log_keys::{self, KeyEnd, LogKey};
use kyodaku::store::payloads::{self, Payload};
use kyodaku::store::{Engine, StoreError};

use super::{append_all, entries, meddle, signer};
use crate::world::{START_MS, World, both};

const FORBIDDEN: &[&str] = &[
    "UPDATE entries SET bytes = bytes",
    "UPDATE entries SET at_ms = 0 WHERE idx = 1",
    "DELETE FROM entries WHERE idx = 2",
    "DELETE FROM entries",
    "UPDATE checkpoints SET note = ''",
    "DELETE FROM checkpoints",
    "UPDATE logs SET size = size - 1",
    "UPDATE logs SET root = frontier WHERE length(frontier) = 32",
    "UPDATE logs SET origin = 'other.example/acts'",
    "UPDATE logs SET origin = 'other.example/acts', at_ms = at_ms + 1",
    "UPDATE logs SET log = 'other'",
    "UPDATE logs SET at_ms = at_ms - 1",
    "DELETE FROM logs",
    "DELETE FROM tiles",
    "UPDATE tiles SET idx = idx + 1",
    "UPDATE tiles SET data = substr(data, 1, 32)",
    "UPDATE tiles SET data = substr(data, 33)",
    "DELETE FROM payloads",
    "UPDATE payloads SET body = 'another'",
    "UPDATE payloads SET idx = idx + 1",
    "UPDATE log_keys SET first_size = 1",
    "DELETE FROM log_keys",
    "UPDATE log_key_ends SET last_size = 9",
    "DELETE FROM log_key_ends",
];

const FORBIDDEN_ON_SQLITE: &[&str] = &[
    "UPDATE logs SET root = zeroblob(32)",
    "INSERT OR REPLACE INTO entries (log, idx, at_ms, bytes) VALUES ('acts', 0, 0, x'00')",
    "INSERT OR REPLACE INTO checkpoints (log, size, root, note, at_ms) VALUES ('acts', 3, zeroblob(32), '', 0)",
    "INSERT OR REPLACE INTO payloads (idx, salt, body) VALUES (1, x'00', 'another')",
];

const FORBIDDEN_ON_POSTGRES: &[&str] = &[
    "UPDATE logs SET root = decode(repeat('00', 32), 'hex')",
    "TRUNCATE entries",
    "TRUNCATE checkpoints",
    "TRUNCATE tiles",
    "TRUNCATE logs",
    "TRUNCATE payloads",
];

both!(the_tables_refuse_to_rewrite_history, async |world: World| {
    let db = world.db().await;
    append_all(&db, &entries(0, 3)).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    payloads::insert(&mut tx, 1, &[1; 16], "{\"title\":\"夜の庭\"}").await.unwrap();
    let verifier_key = signer().verifier_key().to_string();
    let key = LogKey { log: "acts".to_owned(), verifier_key, first_size: 0, first_ms: START_MS };
    log_keys::put(&mut tx, &key).await.unwrap();
    let LogKey { log, verifier_key, .. } = key;
    log_keys::put_end(&mut tx, &KeyEnd { log, verifier_key, last_size: 3, last_ms: START_MS }).await.unwrap();
    tx.commit().await.unwrap();
    let own = match world.engine {
        Engine::Sqlite => FORBIDDEN_ON_SQLITE,
        Engine::Postgres => FORBIDDEN_ON_POSTGRES,
    };
    // This one changes no row, and so must succeed: it shows that the others are refused for what they do.
    let (harmless, forbidden): (Vec<_>, Vec<_>) =
        FORBIDDEN.iter().chain(own).partition(|text| text.contains("length(frontier)"));
    meddle(&db, harmless[0]).await.unwrap();
    for text in forbidden {
        let refused = meddle(&db, text).await;
        assert!(matches!(refused, Err(StoreError::AppendOnly(_))), "`{text}`: {refused:?}");
    }
    // The log still grows.
    assert_eq!(append_all(&db, &entries(3, 4)).await.unwrap().size(), 4);
});

both!(a_payload_is_erased_once_and_for_all, async |world: World| {
    let db = world.db().await;
    let mut tx = db.begin().await.unwrap();
    payloads::insert(&mut tx, 1, &[1; 16], "one").await.unwrap();
    payloads::insert(&mut tx, 4, &[4; 16], "four").await.unwrap();
    assert!(payloads::erase(&mut tx, 1, START_MS).await.unwrap());
    assert!(!payloads::erase(&mut tx, 1, START_MS + 1).await.unwrap());
    assert!(!payloads::erase(&mut tx, 2, START_MS).await.unwrap());
    tx.commit().await.unwrap();
    let kept = Payload::Kept { salt: vec![4; 16], body: "four".to_owned() };
    let erased = Payload::Erased { at_ms: START_MS };
    assert_eq!(payloads::read(&db, 0..5).await.unwrap(), [(1, erased), (4, kept)]);
    assert_eq!(payloads::read(&db, 2..4).await.unwrap(), []);
    let back = meddle(&db, "UPDATE payloads SET erased_ms = NULL WHERE idx = 1").await;
    assert!(matches!(back, Err(StoreError::AppendOnly(_))), "{back:?}");
});
