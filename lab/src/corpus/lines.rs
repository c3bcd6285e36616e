//! Lines of a text file, plain or gzip, of bounded length.

use super::CorpusError;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

/// Hands each line that isn't blank, with its number from 1, to `take`.
///
/// # Errors
/// The file can't be read, a line is too long or not UTF-8, or `take` refuses one.
pub fn for_each(
    path: &Path,
    mut take: impl FnMut(usize, &str) -> Result<(), CorpusError>,
) -> Result<(), CorpusError> {
    let read_error = |error| CorpusError::Read { file: path.to_owned(), error };
    let mut reader = open(path).map_err(read_error)?;
    let mut bytes = vec![];
    for line in 1.. {
        bytes.clear();
        let got = reader.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut bytes).map_err(read_error)?;
        if got == 0 {
            break;
        }
        let wrong =
            |what: &str, mend| CorpusError::Line { file: path.to_owned(), line, what: what.to_owned(), mend };
        if got as u64 > LONGEST_LINE {
            return Err(wrong("the line is longer than 16 MiB", "write one JSON object a line"));
        }
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| wrong("the line is not UTF-8", "save the file as UTF-8"))?;
        let text = text.trim_start_matches('\u{FEFF}').trim();
        if !text.is_empty() {
            take(line, text)?;
        }
    }
    Ok(())
}

/// The first line that isn't blank, as far as it is text; empty when there is none.
///
/// # Errors
/// The file can't be read.
pub fn first_line(path: &Path) -> Result<String, CorpusError> {
    let read_error = |error| CorpusError::Read { file: path.to_owned(), error };
    let mut reader = open(path).map_err(read_error)?.take(LONGEST_LINE);
    let mut bytes = vec![];
    while reader.read_until(b'\n', &mut bytes).map_err(read_error)? > 0 {
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_start_matches('\u{FEFF}').trim();
        if !text.is_empty() {
            return Ok(text.to_owned());
        }
        bytes.clear();
    }
    Ok(String::new())
}

/// Gzip is told by its first two bytes, whatever the name says.
fn open(path: &Path) -> std::io::Result<Box<dyn BufRead>> {
    let mut plain = BufReader::new(File::open(path)?);
    let is_gzip = plain.fill_buf()?.starts_with(&[0x1F, 0x8B]);
    if is_gzip {
        Ok(Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(plain))))
    } else {
        Ok(Box::new(plain))
    }
}

const LONGEST_LINE: u64 = 16 << 20;
