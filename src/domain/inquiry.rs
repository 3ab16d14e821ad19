//! Inquiries: what one lays open to whoever inquires.
//!
//! An inquiry says about which works, which parties and which time. What is about one of these works, names one of these
//! parties and happened within this time is laid open, as a whole; where works or parties are any, that is not asked. A work that was
//! merged into another is not the other: an inquiry about both names both. It lays open no more than is on record, and changes no verdict.

use super::act::InquiryOpened;
use super::entry::Entry;
use super::ids::{OrgId, WorkId};
use super::scope::{From, Scope, Until};

/// What an inquiry lays open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// About which works.
    pub works: Scope<WorkId>,
    /// Naming which organizations.
    pub parties: Scope<OrgId>,
    /// From this moment on, in milliseconds.
    pub from_ms: i64,
    /// Before this one; none without end.
    pub until_ms: Option<i64>,
}

impl Extent {
    /// What the act lays open that was recorded at this moment.
    pub fn new(opened: &InquiryOpened, opened_ms: i64) -> Self {
        Self {
            works: opened.works.clone(),
            parties: opened.parties.clone(),
            from_ms: match opened.from {
                From::OnRecord => opened_ms,
                From::At(at_ms) => at_ms,
            },
            until_ms: match opened.until {
                Until::Open => None,
                Until::At(at_ms) => Some(at_ms),
            },
        }
    }

    /// Whether this moment lies within its time.
    pub fn is_in_time(&self, at_ms: i64) -> bool {
        self.from_ms <= at_ms && self.until_ms.is_none_or(|until_ms| at_ms < until_ms)
    }

    /// Whether any of these works is one of its own.
    pub fn is_about(&self, works: &[WorkId]) -> bool {
        self.works == Scope::Any || works.iter().any(|work| self.works.covers(Some(work)))
    }

    /// Whether any of these organizations is one of its own.
    pub fn names(&self, parties: &[OrgId]) -> bool {
        self.parties == Scope::Any || parties.iter().any(|party| self.parties.covers(Some(party)))
    }

    /// Whether an entry of the act log is laid open that is about these works. What is inquired into, by whomever, is not.
    pub fn holds_entry(&self, entry: &Entry, works: &[WorkId]) -> bool {
        !entry.act.is_of_inquiry()
            && self.is_in_time(entry.at_ms)
            && self.names(&entry.parties)
            && self.is_about(works)
    }

    /// Whether a check is laid open, as far as its time and those go who asked: one that was answered at this moment.
    pub fn holds_asked(&self, at_ms: i64, developer: OrgId, asked_by: Option<OrgId>) -> bool {
        self.is_in_time(at_ms)
            && (self.names(&[developer]) || asked_by.is_some_and(|asked_by| self.names(&[asked_by])))
    }

    /// Whether what it matched does not matter.
    pub fn is_about_any(&self) -> bool {
        self.works == Scope::Any
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn opened() -> InquiryOpened {
        let id = Uuid::from_u128;
        InquiryOpened {
            inquiry: crate::domain::ids::InquiryId::new(id(1)),
            auditor: OrgId::new(id(2)),
            works: Scope::Only(vec![WorkId::new(id(3))]),
            parties: Scope::Only(vec![OrgId::new(id(4))]),
            from: From::OnRecord,
            until: Until::At(200),
            expires_ms: 300,
        }
    }

    #[test]
    fn works_parties_and_time_must_all_fit() {
        let extent = Extent::new(&opened(), 100);
        assert!(!extent.is_in_time(99) && extent.is_in_time(100) && extent.is_in_time(199));
        assert!(!extent.is_in_time(200), "its end is outside");
        let (own, other) = (WorkId::new(Uuid::from_u128(3)), WorkId::new(Uuid::from_u128(9)));
        assert!(extent.is_about(&[other, own]) && !extent.is_about(&[other]) && !extent.is_about(&[]));
        let (own, other) = (OrgId::new(Uuid::from_u128(4)), OrgId::new(Uuid::from_u128(9)));
        assert!(extent.names(&[other, own]) && !extent.names(&[other]) && !extent.names(&[]));
    }

    #[test]
    fn any_asks_for_nothing() {
        let any = InquiryOpened {
            works: Scope::Any,
            parties: Scope::Any,
            from: From::At(0),
            until: Until::Open,
            ..opened()
        };
        let extent = Extent::new(&any, 100);
        assert!(extent.is_about(&[]) && extent.names(&[]) && extent.is_in_time(i64::MAX));
        assert!(!extent.is_in_time(-1));
    }
}
