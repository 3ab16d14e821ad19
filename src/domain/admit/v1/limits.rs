//! How much of anything there may be under version 1.

/// The most organizations that an entry names as its readers.
pub const READERS: usize = 200;
/// The most persons behind a command.
pub const PERSONS: usize = 2;
/// The most standing holdings of a work.
pub const HOLDINGS: usize = 200;
/// The most standing layers of a work.
pub const LAYERS: usize = 200;
/// The most works that a registration names as its wholes.
pub const PARENTS: usize = 16;
/// The most standing bindings of a work.
pub const BINDINGS: usize = 1_000;
/// The most works that one work is transitively part of.
pub const ANCESTORS: usize = 64;
/// The most standing parts of a work, linked directly.
pub const CHILDREN: usize = 10_000;
/// The most works that are looked at to rule out a circle or too many ancestors.
pub const SEARCHED: usize = 10_000;
/// The most grants in force on a work.
pub const GRANTS: usize = 10_000;
/// The most holdings and bindings, together, that one act confirms or rejects.
pub const ASSERTIONS: usize = 1_000;
/// The most works that a request, an offer or a notice names.
pub const WORKS: usize = 500;
/// The longest notice of a revocation, in milliseconds: ten years of 365.25 days.
pub const NOTICE_MS: i64 = 315_576_000_000;
/// The longest name of a key or of a journal, in bytes.
pub const NAME_BYTES: usize = 512;
/// The greatest size of a journal: the greatest integer that JSON holds exactly.
pub const JOURNAL_SIZE: u64 = 1 << 53;
/// The most conditions of a grant or an offer: there are no more kinds.
pub const CONDITIONS: usize = 10;
/// The most roles of an organization, and powers of a mandate, that are looked at: there are no more kinds.
pub const KINDS: usize = 7;
