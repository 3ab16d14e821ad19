//! Whole databases copied row by row, from either of the two kinds into either: what a backup is made of, and the way
//! from SQLite to PostgreSQL.
//!
//! A copy reads one moment, writes in one transaction, and digests every row on its way: two databases with the same
//! digest of each table hold the same, whatever kinds they are.

mod tables;

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::Row;

use super::db::{Tx, on_tx};
use super::error::StoreError;
use crate::log::merkle::Hash;
pub use tables::{TABLES, Table};

pub(super) use tables::TEXTS;

/// What a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The number of rows.
    pub rows: u64,
    /// SHA-256 of all rows in the order of their keys.
    pub digest: Hash,
}

enum Value {
    Integer(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl Value {
    /// Unlike values, and unlike rows of values, give unlike bytes.
    fn digest(&self, digest: &mut Sha256) {
        let mut part = |bytes: Option<&[u8]>| match bytes {
            None => digest.update([0]),
            Some(bytes) => {
                digest.update([1]);
                digest.update((bytes.len() as u64).to_be_bytes());
                digest.update(bytes);
            }
        };
        match self {
            Self::Integer(value) => part(value.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice)),
            Self::Text(value) => part(value.as_deref().map(str::as_bytes)),
            Self::Bytes(value) => part(value.as_deref()),
        }
    }
}

/// Lets the statements of a transaction take as long as a whole table takes.
pub async fn take_time(tx: &mut Tx) -> Result<(), StoreError> {
    tx.take_time();
    let text = tables::UNHURRIED.of(tx.engine());
    on_tx!(tx, conn => sqlx::query(text).execute(conn).await.map(drop))?;
    Ok(())
}

/// What a table holds.
pub async fn contents(table: &Table, of: &mut Tx) -> Result<Contents, StoreError> {
    read(table, of, None).await
}

/// Copies all rows of a table into the empty one of another database, and says what they are.
pub async fn copy(table: &Table, from: &mut Tx, to: &mut Tx) -> Result<Contents, StoreError> {
    read(table, from, Some(to)).await
}

/// Whether no table holds anything.
pub async fn is_empty(db: &mut Tx) -> Result<bool, StoreError> {
    for table in TABLES {
        let row = on_tx!(db, conn => sqlx::query(table.read).fetch(conn).try_next().await?.is_some());
        if row {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn read(table: &Table, from: &mut Tx, mut to: Option<&mut Tx>) -> Result<Contents, StoreError> {
    let (mut rows, mut digest) = (0, Sha256::new());
    on_tx!(from, conn => {
        let mut stream = sqlx::query(table.read).fetch(conn);
        while let Some(row) = stream.try_next().await? {
            let values = table.kinds.bytes().enumerate().map(|(at, kind)| {
                Ok::<_, sqlx::Error>(match kind {
                    b'i' => Value::Integer(row.try_get(at)?),
                    b't' => Value::Text(row.try_get(at)?),
                    _ => Value::Bytes(row.try_get(at)?),
                })
            });
            let values = values.collect::<Result<Vec<Value>, _>>()?;
            for value in &values {
                value.digest(&mut digest);
            }
            rows += 1;
            if let Some(to) = to.as_deref_mut() {
                write(table, to, values).await?;
            }
        }
    });
    Ok(Contents { rows, digest: Hash(digest.finalize().into()) })
}

async fn write(table: &Table, to: &mut Tx, values: Vec<Value>) -> Result<(), StoreError> {
    on_tx!(to, conn => {
        let mut query = sqlx::query(table.write);
        for value in values {
            query = match value {
                Value::Integer(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::Bytes(value) => query.bind(value),
            };
        }
        query.execute(conn).await.map(drop)
    })?;
    Ok(())
}
