//! Floor 3: what the service does.
//!
//! A [`Registry`] is one node: one database, one index in memory, one sequencer. Writes go through [`Registry::submit`]
//! and are acknowledged when they are committed, signed, marked and folded; reads go through [`Registry::read`], which
//! asks the database for the head first, so that no answer misses what was acknowledged before the question came.
//!
//! | module | what it does |
//! |---|---|
//! | [`node`] | opens a node: database, keys, high-water mark, first entries, index |
//! | [`shared`] | the index that readers and the sequencer share, and how it follows the log |
//! | [`sequencer`] | the one way in which the act log grows |
//! | [`catalogue`] | what an entry means to the tables that people browse |
//! | [`checks`] | what developers ask, answered from one size of the log |
//! | [`journal`] | the log of checks: durable before an answer leaves |
//! | [`snapshot`] | the file that makes a start fast |
//! | [`rebuild`] | folding the log again, and comparing with what is stored |
//! | [`backup`] | backups, and registries made from them again |
//! | [`published`] | the logs in public: checkpoints, tiles, proofs, and the entries that one may read |
//! | [`evidence`] | what an inquiry lays open, gathered into one archive that proves itself |
//! | [`desk`], [`inquiries`] | the act log as auditors look through it, and investigators as far as an inquiry goes |
//! | [`receipts`] | what proves to others what was asked and answered |
//! | [`offline`] | logs verified from what was exported of them, without a registry |
//! | [`witnesses`], [`witness`] | who cosigns our checkpoints, and cosigning those of others |
//! | [`seal`] | the journal of checks sealed into the act log |
//! | [`explanations`], [`comparisons`] | what would be answered, and why; what changed, and by whose act |
//! | [`streams`] | checks without an end, in chunks |
//! | [`authority`] | who is asking, and what they may do: the proofs that everything else takes |
//! | [`credential`] | how an API key looks, and what is kept of it |
//! | [`sign_in`] | people sign in: invitations, passwords, sessions |
//! | [`oauth`] | programs sign in: access tokens for API keys and for keys of their own |
//! | [`trail`] | what concerns security, apart from the act log |
//! | [`metrics`] | figures of this process |
//! | [`limit`] | how often somebody may do something |
//! | [`mail`] | mail that the registry sends |
//! | [`accounts`], [`lasting`] | people and keys; who may leave behind what outlives it |
//! | [`organizations`] | organizations, their states, and models |
//! | [`powers`] | who may act for whom: memberships and mandates |
//! | [`proposals`], [`four_eyes`] | commands that wait for a second person, and where they must |
//! | [`settings`] | the installation's settings that rules read |
//! | [`bootstrap`] | the first registrar |
//! | [`orders`] | the acts of holders and registrar: what is to be recorded, and its answer |
//! | [`record`], [`position`] | what a work is, and what is on record for each use of it |
//! | [`permissions`], [`transfers`], [`queue`] | grants, denials, reservations; offers of holdings; what waits for the registrar |
//! | [`reach`], [`who`], [`simulate`] | for whom works are open, and what a grant would open |
//! | [`control`] | proofs that a host is an organization's own |
//! | [`names`] | what people call things |
//! | [`answer`], [`failure`] | what a command is answered |
//! | [`keys`] | the signing keys: in files of the data folder, or where the settings say |

pub mod accounts;
pub mod answer;
pub mod authority;
pub mod backup;
pub mod bootstrap;
pub mod catalogue;
pub mod checks;
pub mod comparisons;
pub mod contractors;
pub mod control;
pub mod credential;
pub mod desk;
mod erasure;
pub mod evidence;
pub mod explanations;
pub mod failure;
pub mod four_eyes;
pub mod fsck;
pub mod inquiries;
pub mod journal;
pub mod keys;
pub mod lasting;
pub mod limit;
pub mod mail;
mod marks;
pub mod metrics;
pub mod names;
pub mod node;
pub mod oauth;
pub mod offline;
pub mod orders;
pub mod organizations;
pub mod permissions;
pub mod position;
pub mod powers;
pub mod proposals;
pub mod published;
pub mod queue;
pub mod reach;
pub mod rebuild;
pub mod receipts;
pub mod record;
pub mod sandbox;
pub mod scrub;
pub mod seal;
pub mod sequencer;
pub mod settings;
pub mod shared;
pub mod sign_in;
pub mod simulate;
pub mod snapshot;
pub mod streams;
mod together;
pub mod trail;
pub mod transfers;
pub mod who;
pub mod witness;
pub mod witnesses;

pub use answer::Answer;
pub use failure::{Failure, Fault};
pub use node::{MailSettings, OpenError, Registry, Settings};
pub use sequencer::{Body, Once, Recorded, Submission, SubmitError, Submitted};
