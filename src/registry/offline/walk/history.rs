//! Signed heads held against one tree: what agrees, what does not, and what is therefore of another history.

use crate::log::merkle::TreeHead;
use crate::registry::offline::Piece;
use crate::registry::offline::finding::{Finding, Kind};

/// What the signed heads of a log say of its tree.
#[derive(Default)]
pub(super) struct History {
    /// Well signed, and of another root than the tree had.
    apart: Vec<Finding>,
    /// How many witnesses cosigned the newest one.
    pub(super) witnesses: usize,
}

impl History {
    /// Holds a head that is well signed against the tree of its size. One that agrees shows that those before it that did not
    /// are of another history: those are given.
    pub(super) fn judge(&mut self, signed: TreeHead, tree: TreeHead, piece: Piece) -> Vec<Finding> {
        if signed == tree {
            let fork = |finding: Finding| Finding {
                kind: Kind::Fork,
                what: format!("{}, and a later checkpoint has that: there are two histories", finding.what),
                ..finding
            };
            return std::mem::take(&mut self.apart).into_iter().map(fork).collect();
        }
        let what = format!(
            "the checkpoint of size {} is signed with the root {}, and the log has {}",
            signed.size, signed.root, tree.root
        );
        self.apart.push(Finding::new(Kind::Root, what).in_file(&piece));
        Vec::new()
    }

    /// Those with which no later one disagrees.
    pub(super) fn rest(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.apart)
    }
}
