//! Codes: those of a device (RFC 6238), and those for a day without it.

use totp_rs::{Builder, Totp};

use super::secret::part;
use crate::domain::key::Sha256;
use crate::registry::credential::is_base32;

/// How many codes for a day without the device there are.
pub(super) const RECOVERY_CODES: usize = 10;
/// The characters of one, without its strokes: 120 random bits, so that a plain hash of it may be stored (ASVS 6.5.2).
const RECOVERY_CHARS: usize = 24;
const DIGITS: usize = 6;

/// What somebody shows.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Code {
    /// Six digits of a device.
    Device(String),
    /// A code for a day without it, by what is stored of it.
    Recovery([u8; 32]),
}

impl Code {
    /// A code as somebody typed it, if it has the form of one.
    pub(super) fn read(typed: &str) -> Option<Self> {
        let plain: String = typed.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let plain = plain.to_ascii_lowercase();
        if plain.len() == DIGITS && plain.bytes().all(|byte| byte.is_ascii_digit()) {
            Some(Self::Device(plain))
        } else if plain.len() == RECOVERY_CHARS && is_base32(&plain) {
            Some(Self::Recovery(Sha256::of(plain.as_bytes()).0))
        } else {
            None
        }
    }
}

/// A fresh code for a day without the device, as it is shown, and what is stored of it.
pub(super) fn recovery_code() -> (String, [u8; 32]) {
    let mut plain = part();
    plain.truncate(RECOVERY_CHARS);
    let hash = Sha256::of(plain.as_bytes()).0;
    let groups: Vec<&str> = (0..RECOVERY_CHARS).step_by(4).filter_map(|at| plain.get(at..at + 4)).collect();
    (groups.join("-"), hash)
}

/// The device's side of a secret: SHA-1, six digits, thirty seconds, and the steps before and after too.
fn device(secret: &[u8], account: &str, service: &str) -> Option<Totp> {
    // A colon divides the two in the address that devices read.
    let (account, service) = (account.replace(':', " "), service.replace(':', " "));
    let builder =
        Builder::new().with_secret(secret.to_vec()).with_digits(6).with_step_duration(30).with_skew(1);
    builder.with_account_name(account).with_issuer(Some(service)).build().ok()
}

/// The address that a device reads to learn the secret.
pub(super) fn address(secret: &[u8], account: &str, service: &str) -> Option<String> {
    device(secret, account, service)?.to_url().ok()
}

/// The step whose code this is, now or one step away.
pub(super) fn step_of(secret: &[u8], digits: &str, now_ms: i64) -> Option<i64> {
    let now_s = u64::try_from(now_ms.div_euclid(1_000)).ok()?;
    let step = device(secret, "-", "-")?.check(digits, now_s)?;
    i64::try_from(step).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_rfc() {
        // RFC 6238 appendix B, the last six of its eight digits.
        let secret = b"12345678901234567890";
        for (at_s, digits) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            let step = at_s / 30;
            for (moment_s, expected) in [
                (at_s, Some(step)),
                (at_s + 30, Some(step)),
                (at_s - 30, Some(step)),
                (at_s + 60, None),
                (at_s - 60, None),
            ] {
                assert_eq!(step_of(secret, digits, moment_s * 1_000), expected, "{digits} at {moment_s}");
            }
        }
        let address = address(secret, "hanako@sakura.example", "https://registry.example").unwrap();
        assert!(
            address.starts_with("otpauth://totp/https%20%2F%2Fregistry.example:hanako%40sakura.example?"),
            "{address}"
        );
    }

    #[test]
    fn codes_are_read_however_they_are_grouped() {
        let (shown, hash) = recovery_code();
        assert_eq!(shown.len(), 29);
        for typed in [shown.clone(), shown.to_uppercase(), shown.replace('-', " "), shown.replace('-', "")] {
            assert!(Code::read(&typed) == Some(Code::Recovery(hash)), "{typed}");
        }
        assert!(Code::read("287 082") == Some(Code::Device("287082".to_owned())));
        for bad in ["", "28708", "2870822", "28708a", &shown[1..], "１２３４５６"] {
            assert!(Code::read(bad).is_none(), "{bad}");
        }
    }
}
