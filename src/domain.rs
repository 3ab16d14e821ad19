//! Floor 0: words and rules, without I/O.
//!
//! Words: [`base64`], [`ids`], [`uses`], [`territory`], [`scope`], [`key`], [`act`], [`entry`], [`question`], [`decision`],
//! [`journal`], [`inquiry`].
//! Rules: [`admit`](mod@admit) says whether an act may be recorded, [`index`] is what the recorded ones amount to,
//! [`decide`](mod@decide) answers a question from it, [`view`](mod@view) says who may see why, and
//! [`explain`](mod@explain) puts it in words.

pub mod act;
pub mod admit;
pub mod base64;
pub mod classify;
pub mod command;
pub mod decide;
pub mod decision;
pub mod entry;
pub mod escapes;
pub mod examples;
pub mod explain;
pub mod ids;
pub mod index;
pub mod inquiry;
pub mod journal;
pub mod key;
pub mod payload;
pub mod question;
pub mod scope;
pub mod territory;
pub mod uses;
pub mod view;
