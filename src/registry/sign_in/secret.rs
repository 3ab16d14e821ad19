//! Secrets that people's programs and mailboxes keep: refresh tokens, tokens that were mailed, and those of sign-ins that began.
//!
//! 160 random bits a part, in Crockford's base32 with a prefix that scanners of leaked secrets know. Of each part only its
//! SHA-256 is stored: a plain hash is right for so many random bits.

use crate::clock;
use crate::domain::key::Sha256;
use crate::registry::credential::{base32, is_base32};

const REFRESH: &str = "kyo_refresh_";
const MAILED: &str = "kyo_mail_";
const SIGN_IN: &str = "kyo_signin_";
const PART_CHARS: usize = 32;

/// 160 random bits in 32 characters.
pub(super) fn part() -> String {
    base32(&clock::random::<20>())
}

pub(super) fn hash(part: &str) -> [u8; 32] {
    Sha256::of(part.as_bytes()).0
}

/// A refresh token: what the family shares, and what this one has alone. Whoever shows the first with another second
/// shows a token that was spent.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RefreshToken {
    family: String,
    own: String,
}

impl RefreshToken {
    /// The first one of a new family.
    pub(super) fn new() -> Self {
        Self { family: part(), own: part() }
    }

    /// The next one of the same family.
    pub(super) fn next(&self) -> Self {
        Self { family: self.family.clone(), own: part() }
    }

    /// A token as somebody sent it, if it has the form of one.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (family, own) = text.strip_prefix(REFRESH)?.split_at_checked(PART_CHARS)?;
        let fits = own.len() == PART_CHARS && is_base32(family) && is_base32(own);
        fits.then(|| Self { family: family.to_owned(), own: own.to_owned() })
    }

    /// The token itself, for its owner.
    pub(super) fn expose(&self) -> String {
        format!("{REFRESH}{}{}", self.family, self.own)
    }

    /// What is stored of the shared part.
    pub(super) fn family_hash(&self) -> [u8; 32] {
        hash(&self.family)
    }

    /// What is stored of the own part.
    pub(super) fn own_hash(&self) -> [u8; 32] {
        hash(&self.own)
    }
}

/// A token that goes by mail.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct MailedToken(String);

impl MailedToken {
    /// A new one.
    pub(super) fn new() -> Self {
        Self(part())
    }

    /// A token as somebody sent it, if it has the form of one.
    pub(super) fn read(text: &str) -> Option<Self> {
        let part = text.strip_prefix(MAILED)?;
        (part.len() == PART_CHARS && is_base32(part)).then(|| Self(part.to_owned()))
    }

    /// The token itself, for the mail.
    pub(super) fn expose(&self) -> String {
        format!("{MAILED}{}", self.0)
    }

    /// What is stored of it.
    pub(super) fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }
}

/// What the program keeps that began to sign somebody in through a provider: without it nobody ends what it began.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SignInToken(String);

impl SignInToken {
    /// A new one.
    pub(super) fn new() -> Self {
        Self(part())
    }

    /// A token as somebody sent it, if it has the form of one.
    pub(super) fn read(text: &str) -> Option<Self> {
        let part = text.strip_prefix(SIGN_IN)?;
        (part.len() == PART_CHARS && is_base32(part)).then(|| Self(part.to_owned()))
    }

    /// The token itself, for its owner.
    pub(super) fn expose(&self) -> String {
        format!("{SIGN_IN}{}", self.0)
    }

    /// What is stored of it.
    pub(super) fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_they_were_made_and_nothing_else_is() {
        let first = RefreshToken::new();
        let next = first.next();
        assert!(RefreshToken::read(&next.expose()).unwrap() == next && next != first);
        assert_eq!(first.family_hash(), next.family_hash());
        assert_ne!(first.own_hash(), next.own_hash());
        let mailed = MailedToken::new();
        assert!(MailedToken::read(&mailed.expose()).unwrap() == mailed);
        let (refresh, mailed) = (first.expose(), mailed.expose());
        for bad in [
            "",
            "kyo_refresh_",
            &refresh[1..],
            &refresh[..refresh.len() - 1],
            &format!("{refresh}0"),
            &mailed,
        ] {
            assert!(RefreshToken::read(bad).is_none(), "{bad}");
        }
        for bad in ["", "kyo_mail_", &mailed[1..], &format!("{mailed}0"), &mailed.to_uppercase(), &refresh] {
            assert!(MailedToken::read(bad).is_none(), "{bad}");
        }
    }
}
