//! Reads the bytes of a config, up to a limit, and explains read errors. Parsing lives in `document`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::string::FromUtf8Error;

use super::problem::{Problem, SourceSpan};

/// A config with a route on every port and every key except toxics has about 14 MiB.
const MAX_BYTES: u64 = 16 << 20;

/// Whether a path stands for stdin.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Reads stdin, a file, a pipe or a device. Stops one byte past the limit, so that an endless device is rejected too.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let read = if is_stdin(path) {
        io::stdin().take(MAX_BYTES + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
    };
    match read {
        Err(error) => Err(unreadable(&error)),
        Ok(length) if length as u64 > MAX_BYTES => {
            Err(Problem::of_file("the file is larger than 16 MiB", "split it up, or check that this is a config"))
        }
        Ok(_) => Ok(bytes),
    }
}

fn unreadable(error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::NotFound => Problem::of_file("there is no such file", "check the path and the spelling"),
        io::ErrorKind::IsADirectory => Problem::of_file("this is a directory", "name a file in it"),
        io::ErrorKind::PermissionDenied => {
            Problem::of_file("this user may not read the file", "allow it with chmod, or run as another user")
        }
        _ => Problem::of_file(format!("the file can't be read: {error}"), "check the path and what is mounted there"),
    }
}

/// Reports the first byte that is not UTF-8. Its offset is the same in the lossy text, where a replacement character
/// stands for it.
pub(super) fn not_utf8(error: &FromUtf8Error) -> Problem {
    let (bytes, at) = (error.as_bytes(), error.utf8_error().valid_up_to());
    let what = format!("byte 0x{:02X} at offset {at} is not UTF-8", bytes[at]);
    let hint = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "this is UTF-16, as some Windows editors write it; save it as UTF-8",
        _ => "save the file as UTF-8",
    };
    Problem::at(SourceSpan { start: at, end: at + char::REPLACEMENT_CHARACTER.len_utf8() }, what, hint)
}
