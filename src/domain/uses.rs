//! What may be done with a work: a closed list of leaves. Nothing implies anything else.
//!
//! Training and generation are asked for separately, as the joint statement of the Japanese publishers of
//! 31 October 2025 demands.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

macro_rules! uses {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $family:literal;)*) => {
        /// One leaf use. A grant names leaves; a denial may also name a family.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Use { $($(#[$doc])* $name),* }

        impl Use {
            /// Every use, in the order in which people are shown them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code on the wire and in the log.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The family that a denial may name in place of the leaf.
            pub const fn family(self) -> &'static str {
                match self { $(Self::$name => $family),* }
            }
        }
    };
}

uses! {
    /// Training a generative model from scratch or further.
    TrainGenerative = "train.generative", "train";
    /// Adapting an existing generative model.
    TrainFinetune = "train.finetune", "train";
    /// Training a model that generates nothing (a classifier, a detector).
    TrainNongenerative = "train.nongenerative", "train";
    /// Embedding into a searchable index.
    IndexEmbed = "index.embed", "index";
    /// Retrieval at answer time.
    Ground = "ground", "ground";
    /// A user's own input of the work.
    InputUser = "input.user", "input";
    /// Making derivatives.
    Derive = "derive", "derive";
    /// A character or likeness in what is generated.
    GenerateDepict = "generate.depict", "generate";
    /// Text and data mining for analysis.
    TdmAnalyze = "tdm.analyze", "tdm";
    /// Search that leads to the source.
    Search = "search", "search";
    /// Measuring a model.
    Evaluate = "evaluate", "evaluate";
    /// Passing the work on in a dataset.
    DatasetRedistribute = "dataset.redistribute", "dataset";
}

/// Uses: a list of all of them takes no more room than one that lies elsewhere.
pub type Uses = SmallVec<[Use; 16]>;

/// A text that is not a use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a use: expected one of {list}", list = list())]
pub struct UnknownUse(String);

fn list() -> String {
    Use::ALL.iter().map(|leaf| leaf.code()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Use {
    type Err = UnknownUse;

    fn from_str(text: &str) -> Result<Self, UnknownUse> {
        Self::ALL
            .iter()
            .copied()
            .find(|leaf| leaf.code() == text)
            .ok_or_else(|| UnknownUse(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Use {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Use {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a denial may name: a leaf, or a whole family (`train` is every `train.…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UseOrFamily {
    /// One leaf.
    Leaf(Use),
    /// Every leaf of this family.
    Family(&'static str),
}

impl UseOrFamily {
    /// Whether the leaf is meant.
    pub fn includes(self, leaf: Use) -> bool {
        match self {
            Self::Leaf(mine) => mine == leaf,
            Self::Family(family) => leaf.family() == family,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Leaf(leaf) => leaf.code(),
            Self::Family(family) => family,
        }
    }
}

impl Serialize for UseOrFamily {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for UseOrFamily {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        if let Ok(leaf) = text.parse() {
            return Ok(Self::Leaf(leaf));
        }
        Use::ALL
            .iter()
            .map(|leaf| leaf.family())
            .find(|family| *family == text)
            .map(Self::Family)
            .ok_or_else(|| serde::de::Error::custom(UnknownUse(text.chars().take(64).collect())))
    }
}

/// A set of leaves, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UseSet(u16);

impl UseSet {
    /// Every leaf.
    pub fn all() -> Self {
        Use::ALL.iter().copied().collect()
    }

    /// Whether the leaf is in it.
    pub const fn contains(self, leaf: Use) -> bool {
        self.0 & (1 << leaf as u16) != 0
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The leaves, in the order of [`Use::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Use> {
        Use::ALL.iter().copied().filter(move |leaf| self.contains(*leaf))
    }
}

impl FromIterator<Use> for UseSet {
    fn from_iter<I: IntoIterator<Item = Use>>(leaves: I) -> Self {
        Self(leaves.into_iter().fold(0, |bits, leaf| bits | (1 << leaf as u16)))
    }
}
