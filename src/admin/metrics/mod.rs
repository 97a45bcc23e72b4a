//! `GET /metrics`: counters for Prometheus, read from the live routes with each request. Beside this program's own
//! metrics there are Toxiproxy's two, under their names.

mod exposition;

use std::time::{SystemTime, UNIX_EPOCH};

use self::exposition::{Exposition, Family, Kind, MEDIA_TYPE};
use super::Api;
use super::answer::method_not_allowed;
use crate::http::{Request, Response, Status};
use crate::logging;
use crate::plan::RouteState;
use crate::proxy::{Bytes, Histogram, RouteStatus};
use crate::value::Direction;

/// Answers a request for `/metrics`.
pub(super) fn respond(api: &Api, request: &Request) -> Option<Response> {
    match (request.target.path().as_slice(), request.method.as_str()) {
        (["metrics"], "GET" | "HEAD") => Some(Response::new(Status::Ok, MEDIA_TYPE, text(api))),
        (["metrics"], method) => Some(method_not_allowed(method, "GET, HEAD")),
        _ => None,
    }
}

fn text(api: &Api) -> Vec<u8> {
    let (routes, mut text) = (api.supervisor.routes(), Exposition::default());
    describe_process(api, &mut text);
    describe_reloads(api, &mut text);
    count_connections(&routes, &mut text);
    measure_durations(&routes, &mut text);
    count_bytes(&routes, &mut text);
    count_faults(&routes, &mut text);
    imitate_toxiproxy(&routes, &mut text);
    text.into_bytes()
}

fn describe_process(api: &Api, text: &mut Exposition) {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    text.family(Kind::Gauge, "chaos_proxy_build_info", "The version of this program.").sample(&version, 1);
    let started = seconds(api.started);
    text.family(Kind::Gauge, "chaos_proxy_start_time_seconds", "When the run has started.").sample(&[], started);
    let buffered = api.supervisor.held_bytes();
    text.family(Kind::Gauge, "chaos_proxy_held_bytes", "The bytes that toxics hold.").sample(&[], buffered);
    let help = "Log lines dropped because stderr was not read fast enough.";
    text.family(Kind::Counter, "chaos_proxy_log_lines_lost_total", help).sample(&[], logging::lost_lines());
}

/// A run without a config file has made no reload.
fn describe_reloads(api: &Api, text: &mut Exposition) {
    let results = api.reloader.as_ref().map(|reloader| reloader.results());
    let (succeeded, failed) = results.map_or((0, 0), |results| (results.succeeded, results.failed));
    let help = "The reloads of the config file, by their result.";
    let mut family = text.family(Kind::Counter, "chaos_proxy_reloads_total", help);
    family.sample(&[("result", "success")], succeeded);
    family.sample(&[("result", "failure")], failed);
    if let Some(results) = results {
        let (name, help) = ("chaos_proxy_last_reload_success_time_seconds", "When the config file was last made live.");
        text.family(Kind::Gauge, name, help).sample(&[], seconds(results.last_success));
    }
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn count_connections(routes: &[RouteStatus], text: &mut Exposition) {
    let help = "Whether the route accepts connections.";
    let family = text.family(Kind::Gauge, "chaos_proxy_route_enabled", help);
    by_route(family, routes, |it| u64::from(it.route.state == RouteState::Enabled));
    let family = text.family(Kind::Gauge, "chaos_proxy_connections_active", "The live connections.");
    by_route(family, routes, |it| it.active as u64);
    let family = text.family(Kind::Counter, "chaos_proxy_connections_accepted_total", "The connections accepted.");
    by_route(family, routes, |it| it.accepted);
    let help = "The connections that the drop rate selected.";
    let family = text.family(Kind::Counter, "chaos_proxy_connections_dropped_total", help);
    by_route(family, routes, |it| it.dropped);
    let family = text.family(Kind::Counter, "chaos_proxy_failed_dials_total", "The dials that failed.");
    by_route(family, routes, |it| it.failed_dials);
    let help = "The connections that have closed, by the reason.";
    let mut closed = text.family(Kind::Counter, "chaos_proxy_connections_closed_total", help);
    for status in routes {
        for (reason, times) in &status.closed {
            closed.sample(&[("route", name(status)), ("reason", reason.as_str())], times);
        }
    }
}

fn by_route(mut family: Family<'_>, routes: &[RouteStatus], value: impl Fn(&RouteStatus) -> u64) {
    for status in routes {
        family.sample(&[("route", name(status))], value(status));
    }
}

fn name(status: &RouteStatus) -> &str {
    status.route.name.as_str()
}

fn measure_durations(routes: &[RouteStatus], text: &mut Exposition) {
    let mut measure = |metric, help, histogram: fn(&RouteStatus) -> &Histogram| {
        let mut family = text.family(Kind::Histogram, metric, help);
        for status in routes {
            family.histogram(&[("route", name(status))], histogram(status));
        }
    };
    measure("chaos_proxy_dial_duration_seconds", "The durations of successful dials.", |it| &it.dials);
    measure("chaos_proxy_connection_duration_seconds", "The durations of closed connections.", |it| &it.durations);
}

fn directions(status: &RouteStatus) -> [(Direction, Bytes); 2] {
    [(Direction::Upstream, status.totals.up), (Direction::Downstream, status.totals.down)]
}

/// Live connections are included.
fn count_bytes(routes: &[RouteStatus], text: &mut Exposition) {
    let mut count = |metric, help, count: fn(Bytes) -> u64| {
        let mut family = text.family(Kind::Counter, metric, help);
        for status in routes {
            for (direction, bytes) in directions(status) {
                let labels = [("route", name(status)), ("direction", direction.as_str())];
                family.sample(&labels, count(bytes));
            }
        }
    };
    count("chaos_proxy_received_bytes_total", "The bytes read from senders.", |bytes| bytes.received);
    count("chaos_proxy_sent_bytes_total", "The bytes written to receivers.", |bytes| bytes.sent);
}

fn count_faults(routes: &[RouteStatus], text: &mut Exposition) {
    let help = "The number of times that toxics have acted.";
    let mut acts = text.family(Kind::Counter, "chaos_proxy_toxic_acts_total", help);
    for status in routes {
        for ((toxic, kind), times) in &status.totals.faults {
            acts.sample(&[("route", name(status)), ("toxic", toxic.as_str()), ("type", *kind)], times);
        }
    }
}

/// Toxiproxy counts a connection when it ends. Here live ones are included.
fn imitate_toxiproxy(routes: &[RouteStatus], text: &mut Exposition) {
    let mut count = |metric, help, count: fn(Bytes) -> u64| {
        let mut family = text.family(Kind::Counter, metric, help);
        for status in routes {
            let (listener, upstream) = (status.route.listen().to_string(), status.route.upstream.to_string());
            for (direction, bytes) in directions(status) {
                let labels = [
                    ("direction", direction.as_str()),
                    ("listener", &listener),
                    ("proxy", name(status)),
                    ("upstream", &upstream),
                ];
                family.sample(&labels, count(bytes));
            }
        }
    };
    count("toxiproxy_proxy_received_bytes_total", "Bytes received, under Toxiproxy's name.", |bytes| bytes.received);
    count("toxiproxy_proxy_sent_bytes_total", "Bytes sent, under Toxiproxy's name.", |bytes| bytes.sent);
}
