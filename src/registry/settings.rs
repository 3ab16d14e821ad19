//! The installation's settings that rules read.

use serde::Serialize;

use super::answer::Answer;
use super::authority::{Registrar, Verified, submission};
use super::failure::Failure;
use super::node::Registry;
use super::proposals::submit_or_propose;
use super::sequencer::{Body, Once, Submitted};
use crate::domain::act::SettingsChanged;

/// The settings as of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SettingsView {
    /// Whether confirming, merging, settling and changing the settings need a second person of the registrar (R6).
    pub second_person: bool,
    /// The version of the rules in force.
    pub rule_version: u32,
}

/// The settings as of now.
pub async fn current(registry: &Registry, _by: &Verified) -> Result<SettingsView, Failure> {
    let read = registry
        .read(|now| SettingsView { second_person: now.second_person(), rule_version: now.rule_version() });
    Ok(read.await?)
}

/// Changes them.
pub async fn change(
    registry: &Registry,
    by: &Registrar,
    second_person: bool,
    once: Once,
) -> Result<Submitted, Failure> {
    let answer = Answer::done(&serde_json::json!({ "second_person": second_person }));
    let acts = vec![(SettingsChanged { second_person }.into(), None)];
    let submission = submission(by, None, acts, Some(once), Body::none());
    submit_or_propose(registry, by, submission, answer).await
}
