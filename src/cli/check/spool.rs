//! Answers that wait for the closing line: nobody reads *permitted* before the whole answer is believed.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use crate::cli::{Failure, output};
use crate::clock;
use crate::store::private;

/// What is kept in memory; more goes to a file that has no name any more.
const IN_MEMORY_BYTES: usize = 8 << 20;

/// Lines that are written out later, or never.
pub(super) struct Spool {
    memory: Vec<u8>,
    file: Option<File>,
}

impl Spool {
    pub(super) const fn new() -> Self {
        Self { memory: Vec::new(), file: None }
    }

    pub(super) fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.memory.extend_from_slice(text.as_bytes());
        self.memory.push(b'\n');
        if self.memory.len() < IN_MEMORY_BYTES {
            return Ok(());
        }
        self.spill()
            .map_err(|error| Failure::new(format!("the answers can't be kept until the last one: {error}")))
    }

    fn spill(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(unnamed()?),
        };
        file.write_all(&self.memory)?;
        self.memory.clear();
        Ok(())
    }

    /// Writes everything to standard output. A reader that goes away is no failure of the check.
    pub(super) fn copy_to_stdout(&mut self) -> Result<(), Failure> {
        if let Some(file) = &mut self.file {
            let failed = |error: io::Error| Failure::new(format!("the answers can't be read back: {error}"));
            file.rewind().map_err(failed)?;
            let mut buffer = vec![0; 1 << 16];
            loop {
                let read = file.read(&mut buffer).map_err(failed)?;
                if read == 0 || !output::raw(buffer.get(..read).unwrap_or_default()) {
                    break;
                }
            }
        }
        output::raw(&self.memory);
        Ok(())
    }
}

/// A file that only this process can reach, and that vanishes with it.
fn unnamed() -> io::Result<File> {
    let name = format!("kyodaku-{}", data_encoding::HEXLOWER.encode(&clock::random::<16>()));
    let path = std::env::temp_dir().join(name);
    let file = private::to_write().read(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
