//! The results of an exploration in a directory: one config for each finding, and a journal of all points that were tried,
//! so that the exploration can be resumed.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::results::Verdict;
use crate::plan::keys::SEED;

/// The name of the journal in its directory.
const NAME: &str = "explored.jsonl";

/// A journal that is being written. Each line is an object; the first one says what is explored.
#[derive(Debug)]
pub(super) struct Journal {
    directory: PathBuf,
    file: File,
}

/// The verdicts of an earlier exploration by the names of their points.
pub(super) type Earlier = HashMap<String, Verdict>;

impl Journal {
    /// Begins a journal in `directory`, which is created if necessary.
    pub(super) fn begin(directory: &Path, identity: &Value) -> io::Result<Self> {
        let path = directory.join(NAME);
        let error = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => io::Error::new(
                error.kind(),
                format!(
                    "{} has an exploration already: go on with --resume, or name another directory",
                    directory.display()
                ),
            ),
            kind => io::Error::new(kind, format!("can't write {}: {error}", path.display())),
        };
        let file = fs::create_dir_all(directory).and_then(|()| File::create_new(&path)).map_err(error)?;
        let mut journal = Self { directory: directory.to_owned(), file };
        journal.add(identity)?;
        Ok(journal)
    }

    /// Opens the journal of an earlier exploration of the same, and returns what it has found.
    pub(super) fn resume(directory: &Path, identity: &Value) -> io::Result<(Self, Earlier)> {
        let path = directory.join(NAME);
        let text = read(&path)?;
        // The last line may have been cut short when the machine stopped.
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let earlier = lines.next().unwrap_or_default();
        if let Some(what) = difference(&earlier, identity) {
            let error =
                format!("{} is of another {what}: give the same one, or begin anew with --write", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
        }
        let verdicts = lines.filter_map(|line| Some((line["point"].as_str()?.to_owned(), Verdict::read(&line)?)));
        let file = OpenOptions::new().append(true).open(&path)?;
        let mut journal = Self { directory: directory.to_owned(), file };
        if !text.ends_with('\n') {
            journal.file.write_all(b"\n")?;
        }
        Ok((journal, verdicts.collect()))
    }

    /// The seed of the runs of an earlier exploration.
    pub(super) fn seed(directory: &Path) -> io::Result<Value> {
        let text = read(&directory.join(NAME))?;
        let identity: Value = text.lines().next().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
        Ok(identity["config"][SEED.name].clone())
    }

    /// Adds the verdict about a point.
    pub(super) fn record(&mut self, point: &str, verdict: &Verdict) -> io::Result<()> {
        let mut line = verdict.to_json();
        line["point"] = point.into();
        self.add(&line)
    }

    fn add(&mut self, line: &Value) -> io::Result<()> {
        self.file.write_all(format!("{line}\n").as_bytes())
    }

    /// Writes the config of a finding, and what the command has printed, under a name that begins with the point's number.
    pub(super) fn keep(&self, number: usize, point: &str, config: &Value, output: &Path) -> io::Result<()> {
        let stem = format!("{number:04}-{}", file_name(point));
        fs::write(self.directory.join(format!("{stem}.json")), format!("{config:#}\n"))?;
        fs::copy(output, self.directory.join(format!("{stem}.txt"))).map(drop)
    }
}

fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
        .map_err(|error| io::Error::new(error.kind(), format!("can't resume {}: {error}", path.display())))
}

/// What is explored: these must be equal for an exploration to be resumed.
pub(super) fn identity(config: &Value, command: &[String], faults: &[String]) -> Value {
    json!({ "config": config, "command": command, "faults": faults })
}

fn difference<'k>(one: &Value, other: &Value) -> Option<&'k str> {
    ["config", "command", "faults"].into_iter().find(|key| one[*key] != other[*key])
}

/// The name of a point with characters that file systems and shells have no other use for.
fn file_name(point: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '=' { letter } else { '-' };
    let name: String = point.chars().map(plain).collect();
    name.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_file_has_no_special_characters() {
        assert_eq!(file_name("db#1 after upstream 2: stall=5s"), "db-1-after-upstream-2-stall=5s");
    }
}
