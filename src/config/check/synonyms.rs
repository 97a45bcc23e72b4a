//! Words that other tools have for keys and attributes, for "did you mean".

/// A key or an attribute, and what other tools and habits call it, in lower case without `_` and `-`.
const SYNONYMS: &[(&str, &[&str])] = &[
    ("localPort", &["port", "listenport", "src"]),
    ("upstream", &["target", "backend", "server", "destination", "remote", "to", "dst"]),
    ("listen", &["address", "addr"]),
    ("bind", &["host", "address", "interface"]),
    ("latencyMs", &["delay", "delayms"]),
    ("connectTimeoutMs", &["timeout", "timeoutms"]),
    ("dropRate", &["loss", "lossrate", "errorrate", "failurerate", "probability"]),
    ("type", &["kind", "toxic", "fault"]),
    ("stream", &["direction"]),
    ("toxicity", &["probability", "chance", "share"]),
    ("attributes", &["options", "params", "parameters", "settings"]),
    ("for", &["duration", "lasts"]),
    ("after", &["start", "begin"]),
    ("latency", &["delay", "delayms", "latencyms"]),
    ("timeout", &["timeoutms", "delay", "time"]),
    ("time", &["timeout", "timeoutms", "duration"]),
    ("duration", &["time", "timeout", "for"]),
    ("delay", &["latency", "timeout", "delayms"]),
    ("rate", &["bandwidth", "speed", "limit", "probability"]),
    ("loss_rate", &["loss", "rate", "probability"]),
    ("at", &["time", "when", "after", "start"]),
    ("ramp", &["over", "duration", "for"]),
    ("cut", &["kill", "close", "reset"]),
    ("repeat", &["every", "loop", "period"]),
    ("bytes", &["limit", "size", "length"]),
    ("average_size", &["size", "averagesize"]),
];

/// The known key that others call `name`.
pub(super) fn synonym(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let name = name.replace(['_', '-'], "").to_ascii_lowercase();
    let is_called = |key: &str| SYNONYMS.iter().any(|(own, others)| *own == key && others.contains(&name.as_str()));
    known.iter().copied().find(|key| is_called(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::keys::{ROUTE, SCENARIO_OBJECT, STEP, TOXIPROXY_ROUTE};
    use crate::toxic::TYPES;
    use crate::toxic::keys::TOXIC;

    #[test]
    fn every_synonym_leads_to_a_declared_key() {
        let attributes = TYPES.iter().flat_map(|it| it.attributes);
        let declared: Vec<&str> = [ROUTE, TOXIPROXY_ROUTE, TOXIC, SCENARIO_OBJECT, STEP]
            .concat()
            .iter()
            .chain(attributes)
            .map(|key| key.name)
            .collect();
        for (key, _) in SYNONYMS {
            assert!(declared.contains(key), "{key}");
        }
    }

    #[test]
    fn finds_the_key_of_the_map_at_hand() {
        assert_eq!(synonym("delay", &["localPort", "latencyMs"]), Some("latencyMs"));
        assert_eq!(synonym("delay", &["latency", "jitter"]), Some("latency"));
        assert_eq!(synonym("timeout_ms", &["timeout"]), Some("timeout"));
        assert_eq!(synonym("delay", &["rate"]), None);
    }
}
