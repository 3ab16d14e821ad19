//! The journal of checks sealed into the act log, so that what was answered can't be rewritten later.

use super::node::Registry;
use super::sequencer::{Body, Once, Recorded, Submission, SubmitError};
use crate::domain::act::JournalSealed;
use crate::domain::key::Sha256;
use crate::log::merkle::TreeHead;
use crate::store::heads::{self, checks_log};
use crate::store::idempotency;

impl Registry {
    /// Seals this node's journal as it is now: records its size and root in the act log. Nothing is recorded when the
    /// journal is empty or no longer than `sealed`, the size that the last call gave; gives the size that is sealed.
    pub async fn seal_journal(&self, sealed: u64) -> Result<(u64, Option<Recorded>), SubmitError> {
        let log = checks_log(&self.settings().node);
        let head = heads::read_tree(self.db(), &log).await?.unwrap_or(TreeHead::EMPTY);
        let Some(installation) = self.installation().filter(|_| head.size > sealed) else {
            return Ok((sealed, None));
        };
        let journal = format!("{}/{log}", self.settings().origin);
        let act = JournalSealed { journal: journal.clone(), size: head.size, root: Sha256(head.root.0) };
        let key = format!("seal:{journal}:{}", head.size);
        let submission = Submission {
            accounts: Vec::new(),
            unchanged: None,
            party: installation,
            on_behalf_of: None,
            by: Vec::new(),
            acts: vec![(act.into(), None)],
            // A node that starts again does not seal the same size twice.
            once: Some(Once { digest: Sha256::of(key.as_bytes()).0, key, operation: "journal.sealed" }),
            body: Body::none(),
        };
        let submitted = self.submit(submission).await?;
        Ok((head.size, submitted.recorded))
    }

    /// Forgets idempotency keys older than 30 days, and says how many those were.
    pub async fn purge_idempotency(&self) -> Result<u64, SubmitError> {
        let mut tx = self.db().begin().await?;
        let purged = idempotency::purge(&mut tx, self.clock().now_ms()).await?;
        tx.commit().await?;
        Ok(purged)
    }
}
