//! What holds for every item that is asked for: the uses, the model, the territory, and whether parts are asked for too.

use clap::Args;
use serde::Serialize;

use crate::domain::ids::ModelId;
use crate::domain::territory::Territory;
use crate::domain::uses::Use;

/// The context, as flags.
#[derive(Clone, Debug, Args)]
pub(super) struct ContextArgs {
    /// What for, such as `train.generative`; may be repeated
    #[arg(long = "use", value_name = "USE", required = true)]
    uses: Vec<Use>,
    /// With which registered model
    #[arg(long, value_name = "MODEL")]
    model: Option<ModelId>,
    /// In which territory, such as `JP`
    #[arg(long, value_name = "TERRITORY")]
    territory: Option<Territory>,
    /// Ask about every part of a work too
    #[arg(long)]
    with_parts: bool,
}

/// The context, as the API takes it; each use once.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Context {
    pub(super) uses: Vec<Use>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<ModelId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) territory: Option<Territory>,
    pub(super) with_parts: bool,
}

impl From<ContextArgs> for Context {
    fn from(args: ContextArgs) -> Self {
        let ContextArgs { mut uses, model, territory, with_parts } = args;
        uses.sort_unstable();
        uses.dedup();
        Self { uses, model, territory, with_parts }
    }
}
