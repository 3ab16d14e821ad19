//! A work as it is sent to be registered: the body of `POST /v1/works`.

use serde::{Deserialize, Serialize};

use crate::domain::act::WorkKind;
use crate::domain::ids::{OrgId, WorkId};
use crate::domain::key::Key;

/// A title.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Title {
    pub(super) text: String,
    pub(super) lang: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reading: Option<String>,
}

/// What a row says of a work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Described {
    pub(super) kind: WorkKind,
    pub(super) titles: Vec<Title>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) published: Option<String>,
    pub(super) keys: Vec<Key>,
}

/// What holds for every row: it is stated by flags and never assumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Shared {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_behalf_of: Option<OrgId>,
    pub(super) holders: Vec<OrgId>,
    pub(super) roster_complete: bool,
    pub(super) layers: [WorkId; 0],
    pub(super) layers_complete: bool,
    pub(super) part_of: Vec<WorkId>,
}

/// A registration.
#[derive(Serialize)]
pub(super) struct Registration<'a> {
    #[serde(flatten)]
    pub(super) shared: &'a Shared,
    #[serde(flatten)]
    pub(super) described: &'a Described,
}
