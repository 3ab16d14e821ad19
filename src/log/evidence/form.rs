//! The files of a bundle, written and read.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::summary::{self, SummaryError};
use super::{
    ArchiveError, Asked, BUNDLE_VERSION, Evidence, LogKeys, MAX_CHECKS, MAX_ENTRIES, OpenEntry, RestedOn,
    TypedText,
};
use crate::domain::explain::Lang;
use crate::domain::ids::{CheckId, InquiryId};
use crate::log::digest::sha256;
use crate::log::merkle::Hash;
use crate::log::receipt::{FormError as ReceiptFormError, Receipt};
use crate::log::tile::{TilePath, TileRef};

const MANIFEST: &str = "manifest.json";
const KEYS: &str = "keys.json";
const CHECKPOINT: &str = "acts/checkpoint";
const ENTRIES: &str = "acts/entries.ndjson";
const ACTS: &str = "acts/";
const TEXTS: &str = "texts.ndjson";
const GRANTS: &str = "grants.ndjson";
const RECEIPTS: &str = "receipts/";
const WORKS: &str = ".works.ndjson";
const JSON: &str = ".json";
const README: &str = "README.txt";
const SUMMARIES: [(&str, Lang); 2] = [("summary.ja.html", Lang::Ja), ("summary.en.html", Lang::En)];

/// Why files are not those of a bundle, or can't be made.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// A file that must be there.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A file that is none of a bundle's.
    #[error("`{0}` is no file of a bundle")]
    Strange(String),
    /// A file that can't be read.
    #[error("`{path}` can't be read: {why}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why not.
        why: String,
    },
    /// Of a later version of the program.
    #[error("it is a bundle of version {0}, and this program reads version {BUNDLE_VERSION}")]
    Version(u8),
    /// More than a bundle holds.
    #[error("it has {found} {what}, and a bundle has {most} at most")]
    Many {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// The archive can't be made.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A summary can't be written.
    #[error(transparent)]
    Summary(#[from] SummaryError),
}

/// What stands first in an archive: what it is, and the digest of every other file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    v: u8,
    inquiry: InquiryId,
    files: Vec<Listed>,
}

/// A file in the manifest.
#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    path: String,
    #[serde(flatten)]
    digest: Digest,
}

/// Which bytes a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Digest {
    bytes: u64,
    sha256: Hash,
}

impl Digest {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, sha256: sha256(bytes) }
    }
}

/// A bundle that was read, and what tells of its form.
#[derive(Debug)]
pub struct Written {
    /// What it holds.
    pub evidence: Evidence,
    /// Where the files are others than those that its contents make.
    pub differences: Vec<String>,
}

impl Evidence {
    /// The files of the bundle, in the order in which they are packed.
    ///
    /// # Errors
    /// [`FormError::Many`] where there is more than a bundle holds.
    pub fn files(&self) -> Result<Vec<(String, Vec<u8>)>, FormError> {
        let mut files = self.given()?;
        files.splice(0..0, self.derived()?);
        let listed =
            |(path, bytes): &(String, Vec<u8>)| Listed { path: path.clone(), digest: Digest::of(bytes) };
        let manifest =
            Manifest { v: BUNDLE_VERSION, inquiry: self.inquiry, files: files.iter().map(listed).collect() };
        files.insert(0, (MANIFEST.to_owned(), json(MANIFEST, &manifest)?));
        Ok(files)
    }

    /// What is derived from the rest.
    fn derived(&self) -> Result<Vec<(String, Vec<u8>)>, FormError> {
        let mut files = vec![(README.to_owned(), include_bytes!("README.txt").to_vec())];
        for (path, lang) in SUMMARIES {
            files.push((path.to_owned(), summary::write(self, lang)?.into_bytes()));
        }
        Ok(files)
    }

    /// What it rests on.
    fn given(&self) -> Result<Vec<(String, Vec<u8>)>, FormError> {
        bounded("entries", self.entries.len(), MAX_ENTRIES)?;
        bounded("checks", self.checks.len(), MAX_CHECKS)?;
        let mut files = vec![
            (KEYS.to_owned(), json(KEYS, &self.keys)?),
            (CHECKPOINT.to_owned(), self.checkpoint.clone().into_bytes()),
            (ENTRIES.to_owned(), lines(ENTRIES, &self.entries)?),
            (TEXTS.to_owned(), lines(TEXTS, &self.texts)?),
        ];
        files.extend(self.tiles.iter().map(|(tile, bytes)| (format!("{ACTS}{tile}"), bytes.clone())));
        let rested =
            |asked: &Asked| RestedOn { check: asked.receipt.check, rests_on: asked.rests_on.clone() };
        let rested: Vec<RestedOn> = self.checks.iter().map(rested).collect();
        files.push((GRANTS.to_owned(), lines(GRANTS, &rested)?));
        for Asked { receipt, matched, .. } in &self.checks {
            let path = format!("{RECEIPTS}{}", receipt.check);
            files.push((format!("{path}{JSON}"), json(&path, receipt)?));
            files.push((format!("{path}{WORKS}"), lines(&path, matched)?));
        }
        Ok(files)
    }

    /// Reads the files of a bundle. Nothing of it is verified but that each file is what the manifest says, and what the contents make.
    ///
    /// # Errors
    /// Where they are not the files of a bundle, or can't be read.
    pub fn read(mut files: BTreeMap<String, Vec<u8>>) -> Result<Written, FormError> {
        let found: BTreeMap<String, Digest> =
            files.iter().map(|(path, bytes)| (path.clone(), Digest::of(bytes))).collect();
        let Manifest { v, inquiry, files: listed } = parse(MANIFEST, &take(&mut files, MANIFEST)?)?;
        if v != BUNDLE_VERSION {
            return Err(FormError::Version(v));
        }
        let mut stated: BTreeMap<String, Digest> =
            listed.into_iter().map(|Listed { path, digest }| (path, digest)).collect();
        let manifest = found.get(MANIFEST).map(|digest| (MANIFEST.to_owned(), *digest));
        stated.extend(manifest);
        let mut differences = compare(&stated, &found, "the manifest says");
        let evidence = contents(&mut files, inquiry)?;
        for path in [README].into_iter().chain(SUMMARIES.map(|(path, _)| path)) {
            take(&mut files, path)?;
        }
        if let Some((path, _)) = files.pop_first() {
            return Err(FormError::Strange(path));
        }
        // What is derived belongs to the version of the form: other words in a summary are another version.
        if differences.is_empty() {
            let made = evidence.files()?;
            let made = made.iter().map(|(path, bytes)| (path.clone(), Digest::of(bytes))).collect();
            differences = compare(&made, &found, "the contents make");
        }
        Ok(Written { evidence, differences })
    }
}

/// Where files are not those that they should be.
fn compare(expected: &BTreeMap<String, Digest>, found: &BTreeMap<String, Digest>, by: &str) -> Vec<String> {
    let paths: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let differing = paths.into_iter().filter(|path| expected.get(*path) != found.get(*path));
    differing.map(|path| format!("`{path}` is not what {by}")).collect()
}

fn contents(files: &mut BTreeMap<String, Vec<u8>>, inquiry: InquiryId) -> Result<Evidence, FormError> {
    let checkpoint = take(files, CHECKPOINT)?;
    let checkpoint = String::from_utf8(checkpoint).map_err(|error| unreadable(CHECKPOINT, &error))?;
    let keys: Vec<LogKeys> = parse(KEYS, &take(files, KEYS)?)?;
    let entries: Vec<OpenEntry> = each(ENTRIES, &take(files, ENTRIES)?)?;
    bounded("entries", entries.len(), MAX_ENTRIES)?;
    let texts: Vec<TypedText> = each(TEXTS, &take(files, TEXTS)?)?;
    let tiles = files_below(files, ACTS)
        .into_iter()
        .map(|path| {
            let tile = tile(&path)?;
            Ok((tile, take(files, &path)?))
        })
        .collect::<Result<Vec<_>, FormError>>()?;
    let rested: Vec<RestedOn> = each(GRANTS, &take(files, GRANTS)?)?;
    let mut rested: BTreeMap<CheckId, Vec<u64>> =
        rested.into_iter().map(|it| (it.check, it.rests_on)).collect();
    let receipts = files_below(files, RECEIPTS);
    let mut checks = Vec::new();
    for path in receipts.iter().filter(|path| path.ends_with(JSON)) {
        let name = path.strip_prefix(RECEIPTS).and_then(|name| name.strip_suffix(JSON)).unwrap_or_default();
        let check: CheckId = name.parse().map_err(|_| FormError::Strange(path.clone()))?;
        let receipt = Receipt::read(&take(files, path)?);
        let receipt = receipt.map_err(|error: ReceiptFormError| unreadable(path, &error))?;
        if receipt.check != check {
            return Err(unreadable(path, &format_args!("it is the receipt of `{}`", receipt.check)));
        }
        let works = format!("{RECEIPTS}{name}{WORKS}");
        let rests_on = rested.remove(&check).unwrap_or_default();
        checks.push(Asked { matched: each(&works, &take(files, &works)?)?, receipt, rests_on });
    }
    bounded("checks", checks.len(), MAX_CHECKS)?;
    let mut evidence = Evidence { inquiry, checkpoint, keys, entries, texts, tiles, checks };
    evidence.tiles.sort_by_key(|(tile, _)| (tile.id, tile.width));
    evidence.checks.sort_by_key(|asked| asked.receipt.check);
    Ok(evidence)
}

fn files_below(files: &BTreeMap<String, Vec<u8>>, folder: &str) -> Vec<String> {
    files.keys().filter(|path| path.starts_with(folder)).cloned().collect()
}

fn tile(path: &str) -> Result<TileRef, FormError> {
    let tile = path.strip_prefix(ACTS).and_then(|path| path.parse().ok());
    match tile {
        Some(TilePath::Hashes(tile)) => Ok(tile),
        _ => Err(FormError::Strange(path.to_owned())),
    }
}

fn bounded(what: &'static str, found: usize, most: usize) -> Result<(), FormError> {
    if found > most { Err(FormError::Many { what, found, most }) } else { Ok(()) }
}

fn take(files: &mut BTreeMap<String, Vec<u8>>, path: &str) -> Result<Vec<u8>, FormError> {
    files.remove(path).ok_or_else(|| FormError::Missing(path.to_owned()))
}

fn unreadable(path: &str, why: &dyn std::fmt::Display) -> FormError {
    FormError::Unreadable { path: path.to_owned(), why: why.to_string() }
}

fn json(path: &str, value: &impl Serialize) -> Result<Vec<u8>, FormError> {
    let mut bytes = serde_json::to_vec(value).map_err(|error| unreadable(path, &error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn lines<T: Serialize>(path: &str, values: &[T]) -> Result<Vec<u8>, FormError> {
    Ok(values.iter().map(|value| json(path, value)).collect::<Result<Vec<_>, _>>()?.concat())
}

fn parse<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, FormError> {
    serde_json::from_slice(bytes).map_err(|error| unreadable(path, &error))
}

fn each<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<Vec<T>, FormError> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| parse(path, line)).collect()
}
