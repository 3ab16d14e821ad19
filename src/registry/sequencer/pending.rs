//! What a batch of commands reads and writes beside the log, for all of them at once: a statement for each would cost more
//! than what it does.

use std::collections::HashMap;

use super::{Answer, Once, Submission, SubmitError, Submitted};
use crate::domain::ids::OrgId;
use crate::store::catalogue::{self, HistoryLine};
use crate::store::idempotency::{self, Kept};
use crate::store::{StoreError, Tx, policies};

/// What was read for a batch, and what waits to be written.
#[derive(Default)]
pub(super) struct Pending {
    /// The answers that keys of the batch got: before it, and in it.
    answers: HashMap<(String, String), idempotency::Answer>,
    /// Whether an organization asks for a second person.
    policies: HashMap<OrgId, bool>,
    lines: Vec<HistoryLine>,
    kept: Vec<Kept>,
}

impl Pending {
    /// Reads what was answered before to any key of these submissions.
    pub(super) async fn read(
        tx: &mut Tx,
        submissions: &[&Submission],
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        let keys =
            submissions.iter().filter_map(|it| Some((it.party.to_string(), it.once.as_ref()?.key.clone())));
        let keys: Vec<_> = keys.collect();
        let answers =
            if keys.is_empty() { HashMap::new() } else { idempotency::find_all(tx, &keys, now_ms).await? };
        Ok(Self { answers, ..Self::default() })
    }

    /// The answer that the same request got before, or that its key belongs to another one.
    pub(super) fn before(&self, submission: &Submission) -> Option<Answer> {
        let once = submission.once.as_ref()?;
        let before = self.answers.get(&(submission.party.to_string(), once.key.clone()))?;
        Some(if before.operation == once.operation && before.body_digest == once.digest {
            Ok(Submitted { recorded: None, status: before.status, body: before.response.clone() })
        } else {
            Err(SubmitError::KeyReused)
        })
    }

    /// Whether an organization asks for a second person: read once, in the transaction of the batch.
    pub(super) async fn second_person(&mut self, tx: &mut Tx, org: OrgId) -> Result<bool, StoreError> {
        if let Some(known) = self.policies.get(&org) {
            return Ok(*known);
        }
        let needed = policies::of_org_in(tx, &org.to_string()).await?.second_person == 1;
        self.policies.insert(org, needed);
        Ok(needed)
    }

    /// Keeps a line of a history until the batch is written.
    pub(super) fn keep_line(&mut self, line: HistoryLine) {
        self.lines.push(line);
    }

    /// Keeps the answer to a key, for those in the batch that bear the same, and until the batch is written.
    pub(super) fn keep_answer(&mut self, party: OrgId, once: &Once, answer: idempotency::Answer) {
        let (org, key) = (party.to_string(), once.key.clone());
        self.kept.push(Kept { org: org.clone(), key: key.clone(), answer: answer.clone() });
        self.answers.insert((org, key), answer);
    }

    /// Writes the lines: what follows reads them.
    pub(super) async fn write_lines(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        let lines = std::mem::take(&mut self.lines);
        catalogue::put_all_history(tx, &lines).await
    }

    /// Writes all that waits.
    pub(super) async fn write(mut self, tx: &mut Tx) -> Result<(), StoreError> {
        self.write_lines(tx).await?;
        idempotency::insert_all(tx, &self.kept).await
    }
}
