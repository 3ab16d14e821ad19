//! Rebuilds when a migration is added, and names the form of the index for the snapshot file.

use std::hash::{DefaultHasher, Hasher};
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-changed=src/domain");
    // A snapshot made by other rules or records must not be read: whoever changes the domain can't forget to say so.
    let mut hasher = DefaultHasher::new();
    hash(Path::new("src/domain"), &mut hasher);
    println!("cargo::rustc-env=KYODAKU_DOMAIN={:016x}", hasher.finish());
}

fn hash(folder: &Path, hasher: &mut DefaultHasher) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            hash(&path, hasher);
        } else if let Ok(bytes) = std::fs::read(&path) {
            hasher.write(path.to_string_lossy().as_bytes());
            hasher.write(&bytes);
        }
    }
}
