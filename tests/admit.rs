//! Who may record what: section 1 of `docs/rules.md`.

mod consent;
mod holdings;
mod later;
mod links;
mod names;
mod opening;
mod parties;
mod roles;
mod stage;
mod works;
