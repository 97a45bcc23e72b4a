//! Where a report goes, and in which format.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;

use super::{Format, Report};

/// Where and how to write a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Where to.
    pub destination: Destination,
    /// In which format.
    pub format: Format,
}

/// Where a report goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Stdout, after the ready line.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl Output {
    /// A path, or `-` for stdout. Without a format, the ending of the path decides: `.xml`, `.md`, `.html`, or else JSON.
    #[must_use]
    pub fn new(path: PathBuf, format: Option<Format>) -> Self {
        let format = format.unwrap_or_else(|| format_of(&path));
        let destination = if path == Path::new("-") { Destination::Stdout } else { Destination::File(path) };
        Self { destination, format }
    }

    /// Finds out whether a file can be written there. Call it before the run, which would otherwise end without its report.
    ///
    /// # Errors
    /// The path is a directory, or no file can be created beside it.
    pub fn check(&self) -> io::Result<()> {
        let Destination::File(path) = &self.destination else { return Ok(()) };
        let checked = match fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
            // Opening a pipe would wait for its reader.
            Ok(found) if !found.is_file() => Ok(()),
            _ => create_beside(path),
        };
        checked
            .map_err(|error| io::Error::new(error.kind(), format!("can't write --report {}: {error}", path.display())))
    }

    /// Writes the report. A file appears with all of its text or not at all.
    ///
    /// # Errors
    /// It can't be written.
    pub fn write(&self, report: &Report) -> io::Result<()> {
        let text = report.to_text(self.format);
        match &self.destination {
            Destination::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush())
            }
            Destination::File(path) if is_special(path) => fs::write(path, text),
            Destination::File(path) => replace(path, text.as_bytes()),
        }
    }
}

fn format_of(path: &Path) -> Format {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref() {
        Some("xml") => Format::Junit,
        Some("md") => Format::Markdown,
        Some("html" | "htm") => Format::Html,
        _ => Format::Json,
    }
}

/// Whether the path is there and no regular file, such as `/dev/stderr` or a named pipe, which a rename would replace.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|it| !it.is_file())
}

/// Creates and removes the file that [`replace`] writes first.
fn create_beside(path: &Path) -> io::Result<()> {
    let part = part_of(&target_of(path));
    File::create(&part)?;
    fs::remove_file(&part)
}

/// Writes a file beside `path`, and renames it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = target_of(path);
    let part = part_of(&path);
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, &path));
    written.inspect_err(|_| {
        // The first error is the one to report.
        let _ = fs::remove_file(&part);
    })
}

/// A link stays, and what it leads to is replaced.
fn target_of(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The file that is written first.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_the_path_decides_unless_a_format_is_given() {
        for (path, format) in [
            ("r.json", Format::Json),
            ("r", Format::Json),
            ("-", Format::Json),
            ("r.XML", Format::Junit),
            ("r.md", Format::Markdown),
            ("a.b/r.html", Format::Html),
        ] {
            assert_eq!(Output::new(path.into(), None).format, format, "{path}");
            assert_eq!(Output::new(path.into(), Some(Format::Html)).format, Format::Html);
        }
    }
}
