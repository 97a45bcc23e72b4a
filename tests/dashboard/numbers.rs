//! What the page shows.

use std::io::Write;

use serde_json::json;

use crate::browser::Browser;
use crate::run::Run;

#[test]
fn numbers_move_and_faults_are_listed() {
    let Some(browser) = Browser::start() else { return };
    let toxics = json!([{ "type": "latency", "name": "slow", "attributes": { "latency": 1 } }]);
    let run = Run::start(1, &json!({ "toxics": toxics }), &json!({}), &[]);
    let _traffic = run.traffic();
    browser.open(&run.url());
    browser.wait_for_text("#state", "connected");
    browser.wait_for_text("#seed", "7");
    browser.wait_for_text("#routes article", "slow");
    for plot in ["figure.up", "figure.down"] {
        browser.wait_for(&format!("/[1-9].* kB\\/s/.test(document.querySelector('{plot} figcaption').textContent)"));
        browser.wait_for(&format!(
            "document.querySelector('{plot} polyline').getAttribute('points').split(' ').length > 1"
        ));
    }
    let acts = "Number(document.querySelector('#routes tbody td:nth-child(3)').textContent.replaceAll(',', ''))";
    browser.wait_for(&format!("{acts} > 0"));
    let before = browser.run(&format!("return {acts}"));
    browser.wait_for(&format!("{acts} > {before}"));
    // Connections that are open when the page is loaded have logged some of their faults before.
    run.round_trip();
    browser.wait_for_text("#faults", "toxic=slow");
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn the_steps_of_a_scenario_are_marked() {
    let Some(browser) = Browser::start() else { return };
    let steps = json!([{ "at": "0s", "set": { "latencyMs": 1 } }, { "at": "1h", "cut": "reset" }, { "at": "2h", "cut": "close" }]);
    let run = Run::start(2, &json!({}), &json!({ "scenario": steps }), &[]);
    browser.open(&run.url());
    browser.wait_for("document.querySelectorAll('#steps tr').length == 3");
    let states = "return [...document.querySelectorAll('#steps td:last-child')].map((cell) => cell.textContent)";
    assert_eq!(browser.run(states), json!(["done", "next", "later"]));
    browser.wait_for_text("#scenario-time", "the next step in 59 min");
    browser.wait_for_text("#routes .address", "latency 1 ms");
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn connections_are_sorted_and_filtered() {
    let Some(browser) = Browser::start() else { return };
    let run = Run::plain(3);
    let clients = [run.connect(), run.connect(), run.connect()];
    (&clients[1]).write_all(&[7; 5000]).unwrap();
    browser.open(&run.url());
    let ids = "return [...document.querySelectorAll('#connections td:first-child')].map((cell) => cell.textContent)";
    browser.wait_for("document.querySelectorAll('#connections tr').length == 3");
    assert_eq!(browser.run(ids), json!(["3", "2", "1"]), "newest first");
    browser.click("#columns th:nth-child(1) button");
    assert_eq!(browser.run(ids), json!(["1", "2", "3"]));
    browser.wait_for_text("#connections", "5.0 kB");
    browser.click("#columns th:nth-child(5) button");
    browser.click("#columns th:nth-child(5) button");
    assert_eq!(browser.run(ids)[0], "2", "the most bytes first");
    assert_eq!(browser.run("return document.querySelector('#columns th:nth-child(5)').ariaSort"), "descending");
    let client = clients[2].local_addr().unwrap().to_string();
    browser.write("#filter", &client);
    assert_eq!(browser.run(ids), json!(["3"]));
    browser.wait_for_text("#count", "1 of 3 open");
    assert_eq!(browser.console(), [""; 0]);
}

/// The server's side is tested elsewhere; this is the page's. It must stay usable, so its work must be short: a refresh of
/// 5,000 rows takes some 10 ms where this was written, and a second would be felt.
#[test]
fn five_thousand_connections_are_shown_in_parts() {
    let Some(browser) = Browser::start() else { return };
    let run = Run::plain(4);
    let answer = "const real = window.fetch;
        const list = (age) => Array.from({ length: 5000 }, (_, at) => ({ id: at + 1, route: at % 2 ? 'db' : 'web',
            number: at, client: `10.0.0.1:${at}`, upstream: '10.0.0.2:1', state: 'forwarding', ageMs: age, bytesUp: at,
            bytesDown: age * at, toxics: ['slow'] }));
        window.fetch = (path, ...rest) => path === 'v1/connections'
            ? Promise.resolve(new Response(JSON.stringify(list(performance.now())))) : real(path, ...rest);
        window.longest = 0;
        new PerformanceObserver((entries) => { for (const entry of entries.getEntries())
            window.longest = Math.max(window.longest, entry.duration); }).observe({ type: 'longtask' });";
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": answer }));
    browser.open(&run.url());
    browser.wait_for_text("#count", "5000 open");
    browser.wait_for("document.querySelectorAll('#connections tr').length == 100");
    browser.click("#more");
    browser.wait_for("document.querySelectorAll('#connections tr').length == 200");
    browser.write("#filter", "web");
    browser.wait_for_text("#count", "2500 of 5000 open");
    let age = "document.querySelector('#connections td:nth-child(4)').textContent";
    let before = browser.run(&format!("return {age}"));
    browser.wait_for(&format!("{age} != {before}"));
    let longest = browser.run("return window.longest");
    assert!(longest.as_f64().unwrap() < 1000.0, "{longest} ms");
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn a_lost_server_is_noticed_and_comes_back() {
    let Some(browser) = Browser::start() else { return };
    let mut run = Run::plain(5);
    browser.open(&run.url());
    browser.wait_for_text("#state", "connected");
    assert_eq!(browser.console(), [""; 0]);
    run.kill();
    browser.wait_for_text("#state", "connection lost, trying again");
    run.restart();
    browser.wait_for("document.querySelector('#state').textContent == 'connected'");
    // The stream of events is read again too.
    let reset = json!({ "type": "reset_peer", "name": "gone" });
    let put = format!(
        "return fetch('v1/routes/db/toxics/gone', {{ method: 'PUT', body: '{reset}' }}).then((it) => it.status)"
    );
    assert_eq!(browser.run(&put), 201);
    let is_listed = "document.querySelector('#faults').textContent.includes('toxic=gone')";
    browser.repeat_until(is_listed, || drop(run.connect()));
}
