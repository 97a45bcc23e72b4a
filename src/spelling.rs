//! The known word that a misspelt one was probably meant to be. Which words are known is up to the caller.

/// The word of `known` that `name` was probably meant to be: equal except for case, `_` and `-`, or at most a third of
/// its letters wrong, or the only one that begins with `name` or that `name` begins with.
#[must_use]
pub fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    // Only as many characters as a misspelt word may have: the distance takes time in proportion to both lengths.
    let name = bare(&name.chars().take(64).collect::<String>());
    let distances = known.iter().map(|&word| (strsim::damerau_levenshtein(&name, &bare(word)), word));
    let similar = distances.filter(|&(distance, word)| distance <= bare(word).len() / 3).min();
    similar.map(|(_, word)| word).or_else(|| only_prefix(&name, known))
}

fn only_prefix<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    const SHORTEST: usize = 3;
    let is_prefix = |prefix: &str, word: &str| prefix.len() >= SHORTEST && word.starts_with(prefix);
    let mut matches = known.iter().filter(|&&word| is_prefix(name, &bare(word)) || is_prefix(&bare(word), name));
    matches.next().filter(|_| matches.next().is_none()).copied()
}

fn bare(word: &str) -> String {
    word.replace(['_', '-'], "").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_similar_word_and_no_other() {
        const KNOWN: [&str; 7] =
            ["localPort", "latencyMs", "dropRate", "dropMode", "bind", "connectTimeoutMs", "--verbose"];
        for (name, meant) in [
            ("localport", Some("localPort")),
            ("local_port", Some("localPort")),
            ("DROP-RATE", Some("dropRate")),
            ("dropRat", Some("dropRate")),
            ("bnid", Some("bind")),
            ("latency", Some("latencyMs")),
            ("lat", Some("latencyMs")),
            ("conn", Some("connectTimeoutMs")),
            ("bindAddress", Some("bind")),
            ("--VERB", Some("--verbose")),
            ("drop", None),
            ("la", None),
            ("port", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, &KNOWN), meant, "{name}");
        }
    }
}
