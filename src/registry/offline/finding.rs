//! What does not hold, named so that somebody can look at it.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::sync::Arc;

use serde::Serialize;

/// What kind of thing does not hold. Programs read these names; people read the words beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A file that must be there is not.
    Absent,
    /// A file is shorter or longer than it must be, or ends within an entry.
    Truncated,
    /// An entry is not the one that was hashed.
    EntryAltered,
    /// A tile holds other hashes than the entries have.
    TileAltered,
    /// A checkpoint is signed, and the entries have another root.
    Root,
    /// Two signed checkpoints are of two histories.
    Fork,
    /// A checkpoint has not its form, or is of another size than its name says.
    CheckpointForm,
    /// A checkpoint, or the first entry, is of another log.
    Origin,
    /// A signature on a checkpoint does not verify.
    Signature,
    /// A checkpoint bears no signature by a key that is trusted.
    UnknownKey,
    /// A checkpoint is signed by a key that had given way to another one before.
    RetiredKey,
    /// A checkpoint is signed by a key that was not ready to sign yet.
    EarlyKey,
    /// A key was given, and there is no log of its name.
    NoSuchLog,
    /// A log has fewer entries than is told of it.
    Shrunk,
    /// A cosignature does not verify.
    Cosignature,
    /// Fewer witnesses than were asked for cosigned the newest checkpoint.
    NotWitnessed,
    /// There are no entries, and they were asked for.
    NoEntries,
    /// An entry can't be read as one, or is not written as entries are.
    EntryForm,
    /// An entry is older than the one before it.
    BackDated,
    /// The rules that stood would not have admitted the act.
    NotAdmitted,
    /// An entry may be read by others than the rules say.
    Readers,
    /// An entry can't follow those before it.
    NotFoldable,
    /// A seal of a journal is not larger than the one before it.
    SealShrank,
    /// A seal is of another root than the journal has, or of another than the seal before it.
    SealContradicts,
    /// The act with which the log went on under another name commits to another history, or to another name, than there was.
    ContinuesOther,
    /// A seal is of more entries than the journal has.
    SealBeyond,
    /// A seal is of a journal that is not told of.
    UnknownJournal,
    /// An entry of a journal contradicts the act log that it names.
    CheckContradicts,
    /// A check is older than the last entry of the act log from which it was answered.
    CheckTime,
    /// A file, or a row, lies where none belongs.
    Stray,
    /// The head of a log, in the database, is not that of its tree.
    Head,
    /// The row of an entry is of another time than the entry.
    RowTime,
    /// The row of a log, or of a checkpoint, is of another time than the last entry that it covers.
    SignedTime,
    /// What people read of an entry is not what was digested.
    PayloadAltered,
    /// What people read of an entry is gone, and no act erased it.
    PayloadAbsent,
    /// Something is kept with an entry that has no digest of it, or with none at all.
    PayloadStray,
    /// An act erased what people read of an entry, and it is still there.
    NotErased,
    /// The database is not the one that was published from here.
    HighWater,
    /// The database itself can't be read there, or a row has not its form.
    Damaged,
    /// A row of a table that is made from the logs is not what they say. It can be written anew.
    Derived,
}

/// One thing that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// In which log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Which entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// In which file, below the folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From which byte of the file on, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// In which table of the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<&'static str>,
    /// What is there and what should be.
    pub what: String,
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.what)
    }
}

impl Finding {
    /// What kind of thing, and where: nothing of what stands there.
    pub fn place(&self) -> String {
        let kind = serde_json::to_value(self.kind).ok();
        let kind = kind.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
        let places = [
            Some(kind.to_owned()),
            self.log.as_ref().map(|log| format!("log `{log}`")),
            self.entry.map(|entry| format!("entry {entry}")),
            self.file.as_ref().map(|file| format!("file `{file}`")),
            self.offset.map(|offset| format!("byte {offset}")),
            self.table.map(|table| format!("table `{table}`")),
        ];
        places.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// A finding about nothing nearer.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, log: None, entry: None, file: None, offset: None, table: None, what: what.into() }
    }

    /// In this log.
    #[must_use]
    pub fn in_log(self, log: &impl Display) -> Self {
        Self { log: Some(log.to_string()), ..self }
    }

    /// Of this entry.
    #[must_use]
    pub fn of_entry(self, entry: u64) -> Self {
        Self { entry: Some(entry), ..self }
    }

    /// In this file.
    #[must_use]
    pub fn in_file(self, file: &impl Display) -> Self {
        Self { file: Some(file.to_string()), ..self }
    }

    /// In this table of the database.
    #[must_use]
    pub fn in_table(self, table: &'static str) -> Self {
        Self { table: Some(table), ..self }
    }

    /// From this byte of the file on.
    #[must_use]
    pub fn at_byte(self, offset: usize) -> Self {
        Self { offset: u64::try_from(offset).ok(), ..self }
    }
}

/// Whom each finding is told as soon as it is made.
#[derive(Clone)]
pub struct Teller(Arc<dyn Fn(&Finding) + Send + Sync>);

impl Teller {
    /// This function.
    pub fn new(tell: impl Fn(&Finding) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Teller(…)")
    }
}

/// All findings, of each kind the first so many.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    most: usize,
    teller: Option<Teller>,
    kept: Vec<Finding>,
    counts: BTreeMap<Kind, u64>,
}

impl Findings {
    /// Keeps at most so many of a kind, and counts the rest.
    pub fn keeping(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// As [`Findings::keeping`], and each is told at once.
    pub fn told_to(most: usize, teller: Option<Teller>) -> Self {
        Self { most, teller, ..Self::default() }
    }

    /// Notes one.
    pub fn push(&mut self, finding: Finding) {
        if let Some(Teller(tell)) = &self.teller {
            tell(&finding);
        }
        self.add(finding);
    }

    /// Takes over what others found, and have told.
    pub fn absorb(&mut self, others: Self) {
        let Self { kept, counts, .. } = others;
        for (kind, count) in counts {
            let kept = kept.iter().filter(|it| it.kind == kind).count();
            // Those that were not kept are counted all the same.
            *self.counts.entry(kind).or_default() += count.saturating_sub(kept as u64);
        }
        for finding in kept {
            self.add(finding);
        }
    }

    fn add(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.kind).or_default();
        *count += 1;
        if usize::try_from(*count).is_ok_and(|count| count <= self.most) {
            self.kept.push(finding);
        }
    }

    /// Those that were kept, in the order in which they were found.
    pub fn kept(&self) -> &[Finding] {
        &self.kept
    }

    /// How many there are of each kind.
    pub fn counts(&self) -> &BTreeMap<Kind, u64> {
        &self.counts
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}
