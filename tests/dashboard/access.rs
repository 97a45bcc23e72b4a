//! The page with a token, in both themes, on a narrow screen, and for a screen reader.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::run::Run;

#[test]
fn a_token_is_asked_for() {
    let Some(browser) = Browser::start() else { return };
    let run = Run::start(20, &json!({}), &json!({}), &["--admin-token", "s3cret"]);
    browser.open(&run.url());
    for (token, state) in [("wrong", "needs a token"), ("s3cret", "connected")] {
        browser.wait_for("document.querySelector('#token').open");
        browser.write("#token-value", token);
        browser.click("#token button");
        browser.wait_for_text("#state", state);
    }
    browser.wait_for_text("#routes article", "no toxics");
    assert_eq!(browser.run("return document.querySelector('#token').open"), false);
}

/// The ratio of luminances of each visible text and what it is on (WCAG 2.2, 1.4.3), of those below 4.5.
const LOW_CONTRAST: &str = "
    const rgb = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const luminance = (colour) => rgb(colour).slice(0, 3).map((it) => it / 255)
        .map((it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4))
        .reduce((sum, it, at) => sum + it * [0.2126, 0.7152, 0.0722][at], 0);
    const under = (element) => {
        const colour = element ? getComputedStyle(element).backgroundColor : 'rgb(255, 255, 255)';
        return rgb(colour)[3] === 0 ? under(element.parentElement) : colour;
    };
    const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    return [...document.querySelectorAll('body *')].filter((it) => hasText(it) && it.checkVisibility()).map((it) => {
        const [one, other] = [luminance(getComputedStyle(it).color), luminance(under(it))];
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        return [ratio, it.tagName, it.textContent];
    }).filter(([ratio]) => ratio < 4.5);";

/// Controls without a name for screen readers.
const NAMELESS: &str = "
    const name = (it) => it.ariaLabel || it.textContent.trim() || it.labels?.[0]?.textContent.trim();
    return [...document.querySelectorAll('button, input, select')].filter((it) => !name(it)).map((it) => it.outerHTML);";

#[test]
fn texts_have_enough_contrast_and_controls_have_names() {
    let Some(browser) = Browser::start() else { return };
    let toxics = json!([{ "type": "latency", "name": "slow", "attributes": { "latency": 1 } }]);
    let steps = json!([{ "at": "1h", "cut": "reset" }]);
    let run = Run::start(21, &json!({ "toxics": toxics }), &json!({ "scenario": steps }), &[]);
    let _traffic = run.traffic();
    let mut pictures = Vec::new();
    for (theme, is_dark) in [("light", false), ("dark", true)] {
        let features = json!([{ "name": "prefers-color-scheme", "value": theme }]);
        browser.devtools("Emulation.setEmulatedMedia", &json!({ "features": features }));
        browser.open(&run.url());
        browser.wait_for_text("#connections", "forwarding");
        browser.wait_for_text("#routes article", "slow");
        run.round_trip();
        browser.wait_for_text("#faults", "toxic=slow");
        assert_eq!(browser.run(LOW_CONTRAST), json!([]), "{theme}");
        pictures.push((theme, browser.screenshot()));
        browser.click("[aria-label='Add toxic to db']");
        browser.wait_for("document.querySelector('#toxic').open");
        assert_eq!(browser.run(LOW_CONTRAST), json!([]), "{theme}");
        assert_eq!(browser.run(NAMELESS), json!([]), "{theme}");
        let background =
            browser.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)");
        assert_eq!(background[0].as_u64().unwrap() < 128, is_dark, "{theme}: {background}");
    }
    for (theme, picture) in &pictures {
        save(&format!("dashboard-{theme}.png"), picture);
    }
    assert_ne!(pictures[0].1, pictures[1].1);
    assert_eq!(browser.console(), [""; 0]);
}

/// Writes a file that is given in base64, for people who look at it.
fn save(name: &str, base64: &str) {
    let file = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)).unwrap();
    let mut decoder = Command::new("base64").arg("-d").stdin(Stdio::piped()).stdout(file).spawn().unwrap();
    decoder.stdin.take().unwrap().write_all(base64.as_bytes()).unwrap();
    assert!(decoder.wait().unwrap().success());
}

#[test]
fn nothing_is_wider_than_a_narrow_screen() {
    let Some(browser) = Browser::start() else { return };
    let name = "a route with a name that is longer than a line of a narrow screen";
    let toxics = json!([{ "type": "latency", "name": "a-toxic-with-a-long-name-and-no-space-in-it", "attributes": { "latency": 1 } }]);
    let run = Run::start(22, &json!({ "name": name, "toxics": toxics }), &json!({}), &[]);
    let _client = run.connect();
    browser.devtools(
        "Emulation.setDeviceMetricsOverride",
        &json!({ "width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": true }),
    );
    browser.open(&run.url());
    browser.wait_for_text("#connections", "forwarding");
    browser.wait_for_text("#routes article", "a-toxic");
    let width = || browser.run("return document.documentElement.scrollWidth");
    assert_eq!(width(), 360);
    browser.click("#routes article > p button");
    browser.wait_for("document.querySelector('#toxic').open");
    assert_eq!(width(), 360);
    let outside: Value = browser.run(
        "return [...document.querySelectorAll('#toxic *')].filter((it) => it.checkVisibility())
            .filter((it) => it.getBoundingClientRect().right > 360).map((it) => it.outerHTML)",
    );
    assert_eq!(outside, json!([]));
}

/// A page that could load anything from elsewhere would show to others what is tested here.
#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let Some(browser) = Browser::start() else { return };
    let run = Run::plain(23);
    browser.open(&run.url());
    browser.wait_for_text("#state", "connected");
    let loaded = browser.run("return performance.getEntriesByType('resource').map(({ name }) => name)");
    let loaded: Vec<&str> = loaded.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(
        loaded.len() > 10 && loaded.iter().all(|name| name.starts_with(&run.url()) || name.starts_with("data:")),
        "{loaded:?}"
    );
    let foreign = "return fetch('http://127.0.0.1:1/').then(() => 'loaded', () => 'refused')";
    assert_eq!(browser.run(foreign), "refused");
    assert!(browser.console().iter().any(|line| line.contains("Content Security Policy")));
}
