//! A proxy in this process, driven through `Supervisor::apply`, on a loopback address of its own.

use std::net::Ipv4Addr;
use std::num::NonZeroUsize;
use std::process::id;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chaos_proxy::config::{Defaults, Syntax, parse};
use chaos_proxy::event::Origin;
use chaos_proxy::limits::Cap;
use chaos_proxy::proxy::{AppliedChange, ApplyError, Supervisor};
use chaos_proxy::stop::{Signal, Stop};

/// The port of most upstreams.
pub const UPSTREAM: u16 = 9090;

const SEED: u64 = 7;

/// Above the number of connections of any test.
pub const CAP: Cap = Cap {
    connections: NonZeroUsize::new(1000).unwrap(),
    limited_by: "the tests",
    overflow: NonZeroUsize::new(100).unwrap(),
};

/// What toxics may hold: little enough that a test can use it up.
const BUFFERS: NonZeroUsize = NonZeroUsize::new(16 << 20).unwrap();

/// The descriptors of the idle pipes that the proxy keeps for bulk streams (`MAX_IDLE` in `proxy::forward::pipe_pool`), two
/// for each.
#[allow(dead_code, reason = "only tests that count descriptors need it")]
pub const IDLE_PIPE_DESCRIPTORS: usize = 2 * 16;

/// Its routes come and go through [`Proxy::apply`].
pub struct Proxy {
    pub ip: Ipv4Addr,
    pub supervisor: Arc<Supervisor>,
    pub stop: Arc<Stop>,
}

impl Proxy {
    pub fn new() -> Self {
        Self::with(CAP)
    }

    pub fn with(cap: Cap) -> Self {
        let stop = Arc::new(Stop::new().unwrap());
        let supervisor = Arc::new(Supervisor::new(cap, BUFFERS, SEED, Arc::clone(&stop), None));
        Self { ip: unique_ip(), supervisor, stop }
    }

    /// A route in JSON, from `port` to [`UPSTREAM`]. `keys` are further keys of it.
    pub fn route(&self, name: &str, port: u16, keys: &str) -> String {
        self.route_to(UPSTREAM, name, port, keys)
    }

    pub fn route_to(&self, upstream: u16, name: &str, port: u16, keys: &str) -> String {
        let comma = if keys.is_empty() { "" } else { ", " };
        let upstream = format!("{}:{upstream}", self.ip);
        format!(r#"{{"name": "{name}", "localPort": {port}, "upstream": "{upstream}"{comma}{keys}}}"#)
    }

    pub fn apply(&self, routes: &[String]) {
        self.try_apply(routes).unwrap();
    }

    pub fn try_apply(&self, routes: &[String]) -> Result<Vec<AppliedChange>, ApplyError> {
        let text = format!("[{}]", routes.join(", "));
        let plan = parse("plan", &text, Syntax::Json, Defaults { bind: self.ip.into(), ..Defaults::default() });
        self.supervisor.apply(&plan.unwrap_or_else(|report| panic!("{report}")).value, Origin::SigHup)
    }

    /// Returns the number of connections that were cut.
    pub fn drain(self, timeout: Duration) -> usize {
        self.stop.request(Signal::Terminate);
        self.supervisor.drain(Some(timeout))
    }
}

/// A toxic in JSON.
pub fn toxic(kind: &str, stream: &str, attributes: &str) -> String {
    format!(r#"{{"type": "{kind}", "stream": "{stream}", "attributes": {{{attributes}}}}}"#)
}

/// The key of a route that lists its toxics.
pub fn toxics(toxics: &[String]) -> String {
    format!(r#""toxics": [{}]"#, toxics.join(", "))
}

/// A loopback address that no other proxy uses: 13 bits from the process id and an 11-bit counter.
fn unique_ip() -> Ipv4Addr {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Ipv4Addr::from_bits(127 << 24 | (id() << 11 | count) & 0xff_ffff)
}
