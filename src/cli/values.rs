//! Parses the values of flags into types that can't be invalid; errors say what to write instead. What the values mean
//! is in `value` and `plan`, and which flags there are in `cli`.

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU64, NonZeroUsize};
use std::str::FromStr;
use std::time::Duration;

use crate::plan::{Bind, ListenAddress, LocalPort};
use crate::value::{Kind, Millis, Port, Probability, Rejected, Scalar, Size, Written, has_host_characters};

pub(super) fn seed(text: &str) -> Result<u64, &'static str> {
    number(text, "use a whole number, 0 to 18446744073709551615")
}

pub(super) fn runs(text: &str) -> Result<NonZeroU64, &'static str> {
    number(text, "use a whole number, 1 or more")
}

pub(super) fn connections(text: &str) -> Result<NonZeroUsize, &'static str> {
    number(text, "use a whole number, 1 or more")
}

/// A port to listen on, with or without an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listen {
    pub bind: Option<Bind>,
    pub port: LocalPort,
}

pub(super) fn listen(text: &str) -> Result<Listen, String> {
    let (bind, port) = match (text.parse::<SocketAddr>(), text.rsplit_once(':')) {
        (Ok(address), _) => (Some(address.ip().to_string()), address.port().to_string()),
        (Err(_), Some((ip, LocalPort::AUTO))) if !ip.is_empty() => {
            (Some(without_brackets(ip)), LocalPort::AUTO.to_owned())
        }
        (Err(_), Some(("", port))) => return Err(format!("write {port}, or 0.0.0.0:{port} for every address")),
        (Err(_), Some(("localhost", port))) => return Err(format!("write 127.0.0.1:{port}")),
        (Err(_), _) => (None, text.to_owned()),
    };
    let bind = bind.map(|ip| ip.parse::<Bind>()).transpose().map_err(|rejected| rejected.to_string())?;
    Ok(Listen { bind, port: local_port(&port)? })
}

fn local_port(text: &str) -> Result<LocalPort, String> {
    if text == LocalPort::AUTO {
        return Ok(LocalPort::Auto);
    }
    let number: i128 = number(text, "use a port number, 1 to 65535, or IP:PORT; auto for a port that is free")?;
    Port::try_from(number).map(LocalPort::Number).map_err(|rejected| rejected.to_string())
}

fn without_brackets(ip: &str) -> String {
    ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip).to_owned()
}

/// The address of the admin server; a port alone is one of this machine.
pub(super) fn admin_address(text: &str) -> Result<ListenAddress, Rejected> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("localhost:{}", text.parse::<Port>()?).parse()
    } else {
        text.parse()
    }
}

/// Whether an argument is meant as the address of the admin server: a port, or anything that ends with one.
pub(super) fn has_port(text: &str) -> bool {
    let port = text.rsplit(':').next().unwrap_or(text);
    !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// The address of a client.
pub(super) fn client(text: &str) -> Result<IpAddr, &'static str> {
    text.parse().map_err(|_| "use an IP address, such as 10.0.0.7 or ::1")
}

pub(super) fn destination(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "use IP:PORT, such as 10.0.0.7:5432 or [::1]:5432")
}

/// The name or the number of a user, with the characters that a shell leaves as they are.
pub(super) fn user(text: &str) -> Result<String, &'static str> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    let is_user = !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain);
    is_user.then(|| text.to_owned()).ok_or("use the name or the number of a user, such as 65532")
}

/// The name of a host, in lower case.
pub(super) fn host_name(text: &str) -> Result<String, &'static str> {
    let name = text.to_ascii_lowercase();
    if has_host_characters(&name) { Ok(name) } else { Err("use a host name alone, such as chaos-proxy or db.example") }
}

pub(super) fn probability(text: &str) -> Result<Probability, String> {
    let number: f64 = amount(Probability::KIND, text, "use 0.0 (never) to 1.0 (always)")?;
    Probability::try_from(number).map_err(|rejected| rejected.to_string())
}

pub(super) fn millis(text: &str) -> Result<Millis, String> {
    let number: i128 = amount(Millis::KIND, text, "use whole milliseconds")?;
    Millis::try_from(number).map_err(|rejected| rejected.to_string())
}

/// In bytes.
pub(super) fn mebibytes(text: &str) -> Result<NonZeroUsize, String> {
    const MEBIBYTE: NonZeroUsize = NonZeroUsize::new(1 << 20).expect("not 0");
    let mebibytes: NonZeroUsize = text.parse().map_err(|_| match Size::KIND.amount(text) {
        Some(Scalar::Whole(bytes)) if bytes >= 1 << 20 => format!("write {}, in MiB", bytes >> 20),
        _ => "use whole MiB, 1 or more".to_owned(),
    })?;
    mebibytes.checked_mul(MEBIBYTE).ok_or_else(|| "more than any machine has; use whole MiB, such as 256".to_owned())
}

#[expect(clippy::cast_precision_loss, reason = "an amount is below 2^53")]
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    // A hundred years, which no clock overflows by adding.
    const MAX_SECONDS: f64 = 3.2e9;
    let seconds = text.parse().map_err(|_| match Millis::KIND.amount(text) {
        Some(Scalar::Whole(millis)) => format!("write {}, in seconds", millis as f64 / 1e3),
        _ => "use seconds, such as 30 or 2.5".to_owned(),
    })?;
    if (0.0..MAX_SECONDS).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("use seconds, 0 or more".to_owned())
    }
}

/// A number for which one with a unit is often given.
fn amount<T: FromStr>(kind: Kind, text: &str, hint: &str) -> Result<T, String> {
    text.parse().map_err(|_| kind.amount_hint(text).unwrap_or_else(|| hint.to_owned()))
}

fn number<T: FromStr>(text: &str, hint: &'static str) -> Result<T, &'static str> {
    text.parse().map_err(|_| hint)
}
