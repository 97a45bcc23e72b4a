//! What can be changed in the page, and what clients notice of it.

use std::io::Read;
use std::time::Duration;

use serde_json::json;

use crate::browser::Browser;
use crate::run::Run;

const LATE: Duration = Duration::from_millis(300);

#[test]
fn a_toxic_is_added_changed_and_removed() {
    let Some(browser) = Browser::start() else { return };
    let run = Run::plain(10);
    assert!(run.round_trip() < LATE);
    browser.open(&run.url());
    browser.click("[aria-label='Add toxic to db']");
    browser.wait_for("document.querySelector('#toxic').open");
    let types = browser.run("return document.querySelectorAll('#toxic select')[0].length");
    assert_eq!(types, chaos_proxy::toxic::TYPES.len(), "one for each type");
    write(&browser, "latency", "300");
    write(&browser, "name", "slow");
    browser.click("#toxic-save");
    browser.wait_for_text("#routes article", "latency, latency 300");
    assert!(run.round_trip() >= LATE);
    browser.click("[aria-label='Change slow of db']");
    write(&browser, "latency", "1");
    browser.click("#toxic-save");
    browser.wait_for("!document.querySelector('#toxic').open");
    assert!(run.round_trip() < LATE);
    browser.click("[aria-label='Remove slow of db']");
    browser.wait_for_text("#routes article", "no toxics");
    assert_eq!(browser.run("return fetch('v1/config').then((it) => it.json())")["routes"][0]["toxics"], json!([]));
    assert_eq!(browser.console(), [""; 0]);
}

/// Writes to the field of the form that is called `key`.
#[track_caller]
fn write(browser: &Browser, key: &str, text: &str) {
    let id = "[...document.querySelectorAll('#toxic label')].find((label) => label.textContent ==";
    browser.wait_for(&format!("{id} '{key}')"));
    let id = browser.run(&format!("return {id} '{key}').htmlFor"));
    browser.write(&format!("#{}", id.as_str().unwrap()), text);
}

/// A form that names the keys once more would miss those that are added.
#[test]
fn every_type_of_toxic_can_be_added_by_its_form() {
    let Some(browser) = Browser::start() else { return };
    let run = Run::plain(11);
    browser.open(&run.url());
    for toxic_type in chaos_proxy::toxic::TYPES {
        let name = toxic_type.name;
        browser.click("[aria-label='Add toxic to db']");
        browser.wait_for("document.querySelector('#toxic').open");
        let choose = format!(
            "const type = document.querySelector('#toxic select'); type.value = '{name}'; \
             type.dispatchEvent(new Event('change'));"
        );
        browser.run(&choose);
        for attribute in toxic_type.attributes {
            let labels = "[...document.querySelectorAll('#toxic label')].some((label) => label.textContent ==";
            browser.wait_for(&format!("{labels} '{}')", attribute.name));
        }
        browser.click("#toxic-save");
        browser.wait_for("!document.querySelector('#toxic').open");
        browser.wait_for_text("#routes article", &format!("{name}_downstream"));
    }
    let count = "document.querySelectorAll('#routes tbody tr').length";
    browser.wait_for(&format!("{count} == {}", chaos_proxy::toxic::TYPES.len()));
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn a_problem_is_shown_in_the_form_with_its_hint() {
    let Some(browser) = Browser::start() else { return };
    let run = Run::plain(12);
    browser.open(&run.url());
    browser.click("[aria-label='Add toxic to db']");
    browser.click("#toxic details summary");
    write(&browser, "connections", "second");
    browser.click("#toxic-save");
    browser.wait_for_text("#toxic-error", "; ");
    assert_eq!(browser.run("return document.querySelector('#toxic').open"), true);
    write(&browser, "connections", "2");
    write(&browser, "contains", "COMMIT ");
    browser.click("#toxic-save");
    browser.wait_for("!document.querySelector('#toxic').open");
    let toxic = &browser.run("return fetch('v1/config').then((it) => it.json())")["routes"][0]["toxics"][0];
    assert_eq!((&toxic["connections"], &toxic["when"]["contains"]), (&json!("2"), &json!("COMMIT ")));
}

#[test]
fn a_connection_is_closed_and_another_one_is_reset() {
    let Some(browser) = Browser::start() else { return };
    let run = Run::plain(13);
    let (mut first, mut second) = (run.connect(), run.connect());
    browser.open(&run.url());
    browser.click("[aria-label='Close connection 1']");
    assert_eq!(first.read(&mut [0]).unwrap(), 0);
    browser.click("[aria-label='Reset connection 2']");
    assert_eq!(second.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    browser.wait_for_text("#count", "0 open");
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn a_route_is_disabled_and_enabled() {
    let Some(browser) = Browser::start() else { return };
    let run = Run::plain(14);
    browser.open(&run.url());
    browser.click("[aria-label='Disable db']");
    browser.wait_for_text("#routes article header", "disabled");
    assert!(std::net::TcpStream::connect((run.ip, 8180)).is_err());
    // By keyboard: the focus has stayed on the button.
    assert_eq!(browser.run("return document.activeElement.ariaLabel"), "Enable db");
    browser.press("[aria-label='Enable db']", "\u{e007}");
    browser.wait_for_text("#routes article header", "enabled");
    run.round_trip();
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn the_present_state_is_copied_as_a_config_file() {
    let Some(browser) = Browser::start() else { return };
    let run = Run::start(15, &json!({ "dropRate": 0.25 }), &json!({}), &[]);
    browser.devtools(
        "Browser.grantPermissions",
        &json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] }),
    );
    browser.open(&run.url());
    browser.wait_for_text("#routes article", "drops 25 % (close)");
    browser.click("#copy");
    browser.wait_for_text("#copy", "Copied");
    let copied = browser.run("return navigator.clipboard.readText()");
    let config = chaos_proxy::config::parse(
        "copied",
        copied.as_str().unwrap(),
        chaos_proxy::config::Syntax::Json,
        chaos_proxy::config::Defaults::default(),
    );
    assert_eq!(config.unwrap().value.routes()[0].name.as_str(), "db");
}
