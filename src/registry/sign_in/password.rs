//! Passwords: which are good enough, and how they are kept.
//!
//! They are kept as PHC strings of argon2id (RFC 9106) with 19 MiB, two passes and one lane: the least that the OWASP
//! cheat sheet on password storage allows, and about 100 ms of one core. That cost is why no more run at once than there
//! are cores, why few may wait, and why the others are told to come again.

use std::sync::{Arc, OnceLock};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

use crate::clock;
use crate::registry::failure::Failure;
use crate::registry::sequencer::SubmitError;

/// The fewest characters of a password: where there is nothing else, NIST SP 800-63B-4 section 3.1.1.2 asks for 15.
pub const MIN_CHARS: usize = 15;
/// The most.
pub const MAX_CHARS: usize = 256;
/// How many characters there must be beside words that others would try first.
const LEFT_CHARS: usize = 8;
/// How many computations may wait for a core.
const WAITING: usize = 64;
const SALT_BYTES: usize = 16;

/// A password as it is compared: in NFKC, so that it does not matter on which keyboard it was typed. It can't be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    /// What somebody typed, whether it is good or not. What is longer than any password can be is cut off, which makes it
    /// a wrong one.
    pub fn new(typed: &str) -> Self {
        Self(typed.chars().take(MAX_CHARS + 1).nfkc().take(MAX_CHARS + 1).collect())
    }

    /// What is wrong with it as a new password, in words. `about` are words that others would try first: the address, the
    /// name of the person and of the organization. There are no rules of composition.
    pub fn fault(&self, about: &[&str]) -> Option<(&'static str, String)> {
        let chars = self.0.chars().count();
        if !(MIN_CHARS..=MAX_CHARS).contains(&chars) {
            let detail = format!(
                "must hold {MIN_CHARS} to {MAX_CHARS} characters: several words are easy to remember"
            );
            return Some(("length", detail));
        }
        let about: Vec<String> =
            about.iter().chain(&["kyodaku", "許諾"]).map(|text| text.to_lowercase()).collect();
        let words: Vec<&str> =
            about.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric())).collect();
        let guessed =
            self.is_made_of(&words) || zxcvbn::zxcvbn(&self.0, &words).score() < zxcvbn::Score::Three;
        guessed.then(|| {
            let detail = "is common or easy to guess: choose several words that do not belong together";
            ("guessable", detail.to_owned())
        })
    }
}

impl Password {
    /// Whether little is left of it without these words.
    fn is_made_of(&self, words: &[&str]) -> bool {
        let without = |rest: String, word: &&str| match word.chars().count() {
            0..3 => rest,
            _ => rest.replace(word, ""),
        };
        let rest = words.iter().fold(self.0.to_lowercase(), without);
        rest.chars().filter(|c| c.is_alphanumeric()).count() < LEFT_CHARS
    }
}

/// The computations on passwords of one process.
#[derive(Debug)]
pub struct Passwords {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    nobodys: Arc<OnceLock<String>>,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            running: Arc::new(Semaphore::new(cores)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            nobodys: Arc::default(),
        }
    }
}

impl Passwords {
    /// The PHC string of a password, with a fresh salt.
    pub async fn hash(&self, password: Password) -> Result<String, Failure> {
        self.compute(move || hash(&password)).await?
    }

    /// Whether the password is the one of this PHC string. Without one it takes as long, and is wrong.
    pub async fn verify(&self, kept: Option<String>, password: Password) -> Result<bool, Failure> {
        let (is_known, nobodys) = (kept.is_some(), Arc::clone(&self.nobodys));
        let matches = self.compute(move || {
            // The same cost as for anybody's, made once.
            let make = || hash(&Password(data_encoding::HEXLOWER.encode(&clock::random::<16>())));
            let kept = kept.unwrap_or_else(|| nobodys.get_or_init(|| make().unwrap_or_default()).clone());
            let kept = PasswordHash::new(&kept).map_err(|error| unavailable(&error))?;
            Ok::<_, Failure>(Argon2::default().verify_password(password.0.as_bytes(), &kept).is_ok())
        });
        Ok(matches.await?? && is_known)
    }

    /// Runs on a thread that may be kept busy, when a core is free.
    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let busy = |_| Failure::Submit(SubmitError::Busy);
        let waits = Arc::clone(&self.waiting).try_acquire_owned().map_err(busy)?;
        let runs = Arc::clone(&self.running).acquire_owned().await.map_err(|error| unavailable(&error))?;
        // The thread holds both: a caller that goes away frees no core.
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop((waits, runs));
            result
        });
        done.await.map_err(|error| unavailable(&error))
    }
}

fn hash(password: &Password) -> Result<String, Failure> {
    let salt = clock::random::<SALT_BYTES>();
    let hashed = Argon2::default().hash_password_with_salt(password.0.as_bytes(), &salt);
    Ok(hashed.map_err(|error| unavailable(&error))?.to_string())
}

fn unavailable(error: &impl std::fmt::Display) -> Failure {
    Failure::Unavailable(format!("a password can't be computed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(typed: &str) -> Option<&'static str> {
        Password::new(typed).fault(&["hanako@sakura.example", "Sakura Frame"]).map(|(code, _)| code)
    }

    #[test]
    fn long_uncommon_passwords_are_good_whatever_they_are_made_of() {
        for good in
            ["correct staple kiosk umbrella", "夜汽車の窓に映る遠い灯台と猫の声", "qmxzpwkvnrtbhsgdlf"]
        {
            assert_eq!(fault(good), None, "{good}");
        }
        assert_eq!(fault(&"長い夜汽車と灯台".repeat(32)[..]), None);
        for short in ["", "kx9!vQ2#mL5$zT", "夜汽車の窓に映る遠い灯台"] {
            assert_eq!(fault(short), Some("length"), "{short}");
        }
        assert_eq!(fault(&"x7 ".repeat(86)), Some("length"));
        let common = [
            "passwordpassword",
            "aaaaaaaaaaaaaaaaaaaa",
            "qwertyuiopasdfgh",
            "123456789012345",
            "sakura frame sakura",
            "hanako-sakura-hanako",
        ];
        for guessable in common {
            assert_eq!(fault(guessable), Some("guessable"), "{guessable}");
        }
    }

    #[tokio::test]
    async fn only_the_password_itself_is_right_in_any_spelling_of_its_characters() {
        let passwords = Passwords::default();
        let kept = passwords.hash(Password::new("ガラスの夜汽車と灯台")).await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        let check =
            async |typed: &str| passwords.verify(Some(kept.clone()), Password::new(typed)).await.unwrap();
        assert!(check("ガラスの夜汽車と灯台").await);
        // Half-width katakana is the same in NFKC.
        assert!(check("ｶﾞﾗｽの夜汽車と灯台").await);
        assert!(!check("ガラスの夜汽車と灯").await);
        assert!(!passwords.verify(None, Password::new("ガラスの夜汽車と灯台")).await.unwrap());
        assert_ne!(kept, passwords.hash(Password::new("ガラスの夜汽車と灯台")).await.unwrap());
    }
}
