//! Folders and files for the owner's eyes alone: keys, what people typed, who licensed what to whom. What is there already keeps
//! the mode that somebody gave it.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::Path;

/// Makes a folder that only its owner can enter, and those above it that are not there.
pub fn make_folder(path: &Path) -> io::Result<()> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}

/// How a file is opened to be written that only its owner can read once it is made.
pub fn to_write() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes an empty file that only its owner can read, where there is none. Whatever is wrong with the place is told by whoever opens
/// it next.
pub(in crate::store) fn begin(path: &Path) {
    drop(to_write().create_new(true).open(path));
}
