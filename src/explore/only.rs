//! Which connections and streams are explored.

use std::str::FromStr;

use crate::value::Direction;

/// The selections of `--only`: `ROUTE` or `ROUTE#CONNECTION`, either with `:upstream` or `:downstream`, and with commas
/// between them. By default everything is explored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only(Vec<Selection>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Selection {
    route: String,
    connection: Option<u64>,
    stream: Option<Direction>,
}

impl Only {
    /// Whether anything of a connection is explored.
    #[must_use]
    pub fn has(&self, route: &str, connection: u64) -> bool {
        self.0.is_empty() || self.of(route, connection).next().is_some()
    }

    /// Whether a connection is explored as a whole, not only one of its streams.
    #[must_use]
    pub fn has_whole(&self, route: &str, connection: u64) -> bool {
        self.0.is_empty() || self.of(route, connection).any(|it| it.stream.is_none())
    }

    /// Whether a stream of a connection is explored.
    #[must_use]
    pub fn has_stream(&self, route: &str, connection: u64, stream: Direction) -> bool {
        self.0.is_empty() || self.of(route, connection).any(|it| it.stream.is_none_or(|only| only == stream))
    }

    fn of(&self, route: &str, connection: u64) -> impl Iterator<Item = &Selection> {
        let is_it = move |it: &&Selection| it.route == route && it.connection.is_none_or(|only| only == connection);
        self.0.iter().filter(is_it)
    }

    /// The first selected route that is none of these.
    #[must_use]
    pub fn unknown_route(&self, routes: &[&str]) -> Option<&str> {
        self.0.iter().map(|it| it.route.as_str()).find(|route| !routes.contains(route))
    }
}

impl FromStr for Only {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// The names of routes may have `#` and `:` too.
impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let with_stream = text.rsplit_once(':').and_then(|(rest, word)| Some((rest, word.parse().ok()?)));
        let (rest, stream) = with_stream.map_or((text, None), |(rest, stream)| (rest, Some(stream)));
        let with_number = rest.rsplit_once('#').and_then(|(route, number)| Some((route, number.parse().ok()?)));
        let (route, connection) = with_number.map_or((rest, None), |(route, number)| (route, Some(number)));
        if route.is_empty() {
            return Err("write ROUTE, ROUTE#CONNECTION or ROUTE:upstream, with commas between several".to_owned());
        }
        Ok(Self { route: route.to_owned(), connection, stream })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects_routes_connections_and_streams() {
        let only: Only = "db#2,web:upstream,a#b:c".parse().expect("selections");
        assert!(only.has("db", 2) && only.has_whole("db", 2) && !only.has("db", 1));
        assert!(only.has("web", 7) && !only.has_whole("web", 7));
        assert!(only.has_stream("web", 7, Direction::Upstream) && !only.has_stream("web", 7, Direction::Downstream));
        assert!(only.has_whole("a#b:c", 1) && !only.has("other", 1));
        assert_eq!(only.unknown_route(&["db", "web"]), Some("a#b:c"));
        assert!(Only::default().has_whole("any", 1));
        assert!("db,".parse::<Only>().is_err());
    }
}
