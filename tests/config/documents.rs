//! The tables of keys, toxics and profiles in the documents: they match the declarations. After a change of those,
//! `BLESS=1 cargo test --test config` writes the tables anew, between the comments that name them.

use std::env;
use std::fs;

use chaos_proxy::plan::Profile;
use chaos_proxy::plan::keys::{FILE, ROUTE, SCENARIO_OBJECT, STEP, expectation};
use chaos_proxy::toxic::keys::{TOXIC, TRIGGER, TYPE};
use chaos_proxy::toxic::{TYPES, ToxicType};
use chaos_proxy::value::{Bounds, Key, Kind, Presence, Scalar, Unit};

const REFERENCE: &str = "configs/README.md";

#[test]
fn tables_match_the_declarations() {
    assert_table(REFERENCE, "keys of a file", &["key", "meaning", "value", "default"], keys(FILE));
    assert_table(REFERENCE, "keys of a route", &["key", "meaning", "value", "default"], keys(ROUTE));
    assert_table(REFERENCE, "keys of a scenario", &["key", "meaning", "value", "default"], keys(SCENARIO_OBJECT));
    assert_table(REFERENCE, "keys of a step", &["key", "meaning", "value", "default"], keys(STEP));
    assert_table(REFERENCE, "keys of an expectation", &["key", "meaning", "value", "default"], keys(&expectation()));
    assert_table(REFERENCE, "keys of a toxic", &["key", "meaning", "value", "default"], keys(TOXIC));
    assert_table(REFERENCE, "keys of a trigger", &["key", "meaning", "value", "default"], keys(TRIGGER));
    let types = TYPES.iter().map(|kind| vec![code(kind.name), kind.about().to_owned()]).collect();
    assert_table(REFERENCE, "types of toxics", &["type", "what it does"], types);
    let attributes = TYPES.iter().flat_map(|kind| attributes(kind)).collect();
    assert_table(REFERENCE, "attributes", &["type", "attribute", "meaning", "value", "default"], attributes);
    let head = ["profile", "down KB/s", "up KB/s", "latency ms", "jitter ms", "loss", "retransmit ms"];
    assert_table(REFERENCE, "profiles", &head, Profile::ALL.iter().map(|profile| numbers(*profile)).collect());
    let glance = TYPES.iter().map(|kind| vec![code(kind.name), attribute_names(kind), first_sentence(kind)]).collect();
    assert_table("README.md", "toxics at a glance", &["type", "attributes", "what it does"], glance);
}

/// Messages, fields' values and close reasons: all texts that `event` puts into a line.
#[test]
fn every_text_of_the_log_is_documented() {
    let reference = fs::read_to_string(REFERENCE).unwrap();
    let files = fs::read_dir("src/event").unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    let code = |file: String| file.split("#[cfg(test)]").next().unwrap().to_owned();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let lines: String = files.map(code).collect::<String>().lines().filter(is_code).collect();
    // Formats are made of values.
    let is_text = |text: &&str| !text.contains(['{', '\\']) && *text != "CARGO_PKG_VERSION";
    let texts: Vec<&str> = lines.split('"').skip(1).step_by(2).filter(is_text).collect();
    assert!(texts.contains(&"drained") && texts.contains(&"cut"), "{texts:?}");
    let missing: Vec<&&str> = texts.iter().filter(|text| !reference.contains(**text)).collect();
    assert!(missing.is_empty(), "{REFERENCE} does not describe {missing:?}");
}

#[track_caller]
fn assert_table(document: &str, name: &str, head: &[&str], rows: Vec<Vec<String>>) {
    let text = fs::read_to_string(document).unwrap();
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{document} has no line `{begin}`"));
    let (found, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{document} has no line `{end}`"));
    let expected = table(head, rows);
    if env::var_os("BLESS").is_some() {
        fs::write(document, [before, &begin, &expected, &end, after].concat()).unwrap();
    } else {
        assert!(found == expected, "{document} should have these {name}; BLESS=1 writes them:\n{expected}");
    }
}

/// A table of Markdown with all columns but the last as wide as their cells, within reason.
fn table(head: &[&str], mut rows: Vec<Vec<String>>) -> String {
    const WIDEST: usize = 48;
    rows.insert(0, head.iter().map(|cell| (*cell).to_owned()).collect());
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).filter(|it| *it <= WIDEST).max();
    let widths: Vec<usize> = (0..head.len() - 1).map(|column| width(column).unwrap_or(0)).chain([1]).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("| {cell:width$} "));
        cells.collect::<String>() + "|\n"
    };
    let ruler: String = widths.iter().flat_map(|width| ["|".to_owned(), "-".repeat(width + 2)]).collect();
    format!("{}{ruler}|\n{}", line(&rows[0]), rows[1..].iter().map(line).collect::<String>())
}

fn keys(keys: &[Key]) -> Vec<Vec<String>> {
    keys.iter().map(|key| vec![code(key.name), key.about().to_owned(), range(key), default(key)]).collect()
}

fn attributes(kind: &ToxicType) -> Vec<Vec<String>> {
    let row = |key: &Key| vec![code(kind.name), code(key.name), key.about().to_owned(), range(key), default(key)];
    let none = || vec![code(kind.name), "none".to_owned(), String::new(), String::new(), String::new()];
    if kind.attributes.is_empty() { vec![none()] } else { kind.attributes.iter().map(row).collect() }
}

fn attribute_names(kind: &ToxicType) -> String {
    kind.attributes.iter().map(|key| code(key.name)).collect::<Vec<_>>().join(", ")
}

fn first_sentence(kind: &ToxicType) -> String {
    kind.about().split_inclusive(['.', ';']).next().unwrap().replace(';', ".")
}

/// The attributes of its toxics, in the order of the table.
fn numbers(profile: Profile) -> Vec<String> {
    let attribute = |toxic: &str, wanted: &str| {
        let name = format!("{}_{toxic}", profile.as_str());
        let toxic = profile.toxics().into_iter().find(|toxic| toxic.name.as_str() == name)?;
        toxic.effect.attributes().find_map(|(name, value)| (name == wanted).then(|| value.to_string()))
    };
    let cells = [
        ("bandwidth_downstream", "rate"),
        ("bandwidth_upstream", "rate"),
        ("latency", "latency"),
        ("latency", "jitter"),
        ("packet_loss", "loss_rate"),
        ("packet_loss", "retransmit"),
    ];
    let cell = |(toxic, wanted)| attribute(toxic, wanted).unwrap_or_else(|| "none".to_owned());
    [code(profile.as_str())].into_iter().chain(cells.map(cell)).collect()
}

/// Which values there are.
fn range(key: &Key) -> String {
    match key.kind {
        _ if key.name == TYPE.name => "a type".to_owned(),
        Kind::Whole(Bounds { least, most, unit: Unit::None }) => format!("{least} to {most}"),
        Kind::WholeOr(bounds, word) => format!("{} to {}, or `\"{word}\"`", bounds.least, bounds.most),
        Kind::Whole(Bounds { least, most, unit }) => format!("{least} to {most} {}", unit.symbol()),
        Kind::Share => "0.0 to 1.0".to_owned(),
        Kind::Word(words) => one_of(words),
        Kind::Flag | Kind::Text | Kind::Texts | Kind::Nested(_) => key.kind.noun().to_owned(),
    }
}

fn default(key: &Key) -> String {
    match key.presence {
        Presence::Required(_) => "required".to_owned(),
        Presence::Optional(default) => bare(&default()),
        Presence::Otherwise(what) => what.to_owned(),
    }
}

/// A scalar as it is written in a sentence.
fn bare(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Real(number) => number.to_string(),
        Scalar::Text(text) => code(text),
        other => other.to_string(),
    }
}

fn one_of(words: &[&str]) -> String {
    words.iter().map(|word| code(word)).collect::<Vec<_>>().join(", ")
}

fn code(text: &str) -> String {
    format!("`{text}`")
}
