//! What an AI developer asks.

use serde::{Deserialize, Serialize};

use super::ids::{ModelId, OrgId};
use super::index::Mostly1;
use super::key::SubjectKey;
use super::territory::Territory;
use super::uses::Uses;

/// The most keys that may describe one item.
pub const MAX_KEYS: usize = 16;

/// One question: may this developer use this item so? All keys of the subject describe the same item.
///
/// An empty list of uses or keys is never permitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Who would use it.
    pub developer: OrgId,
    /// Which registered model of that developer; none is covered only by a grant for any model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
    /// For what; each gets a verdict and all must permit.
    pub uses: Uses,
    /// Where; none is covered only by a grant for any territory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub territory: Option<Territory>,
    /// The keys of the item, 1 to [`MAX_KEYS`].
    pub subject: Mostly1<SubjectKey>,
    /// Whether every part of a matched work is asked for too.
    #[serde(default)]
    pub with_parts: bool,
}
