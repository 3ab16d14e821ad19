//! What the scrub examines.

use super::value::{Value, quoted};

/// How much the scrub examines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScrubScope {
    /// Nothing: there is none.
    Off,
    /// Hashes, signatures, payloads and rows, in memory that does not grow.
    Hashes,
    /// That, and the acts and the catalogue, in an index of its own.
    All,
}

impl Value for ScrubScope {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "hashes" => Ok(Self::Hashes),
            "all" => Ok(Self::All),
            _ => Err("expected `off`, `hashes` or `all`".to_owned()),
        }
    }

    fn show(&self) -> String {
        quoted(match self {
            Self::Off => "off",
            Self::Hashes => "hashes",
            Self::All => "all",
        })
    }
}
