//! Chromium without a window, controlled by chromedriver (W3C `WebDriver`, and its endpoint for the protocol of
//! `DevTools`).

use std::env;
use std::io::{BufRead, BufReader, Write, stderr};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http_client::Client;

/// Longer than the page takes for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the keys of an element are called in answers (`WebDriver`, 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

/// Where Debian installs a program, or its name in `PATH`.
fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.exists())
}

impl Browser {
    /// `None` if Chromium or chromedriver is not installed. The reason is printed.
    pub fn start() -> Option<Self> {
        let (Some(chromium), Some(chromedriver)) = (program("chromium"), program("chromedriver")) else {
            // The macros that print are captured if the test succeeds.
            stderr().write_all(b"skipped: chromium or chromedriver is not installed\n").unwrap();
            return None;
        };
        let mut driver = Command::new(chromedriver).arg("--port=0").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let mut ports = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_suffix('.')?.rsplit_once("successfully on port ")?.1.parse().ok());
        let port = ports.next().expect("the port of chromedriver");
        let mut browser = Self { driver, port, session: String::new() };
        browser.session = browser.open_session(&chromium);
        Some(browser)
    }

    fn open_session(&self, chromium: &Path) -> String {
        // Chromium has no sandbox for root, and /dev/shm is small in containers.
        let args = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,900"];
        let capabilities = json!({
            "goog:chromeOptions": { "binary": chromium, "args": args },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let answer = self.send("POST", "/session", &json!({ "capabilities": { "alwaysMatch": capabilities } }));
        answer["sessionId"].as_str().expect("a session").to_owned()
    }

    /// The `value` of the answer. An error of the driver is one of the test.
    #[track_caller]
    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut client = Client::connect((Ipv4Addr::LOCALHOST, self.port).into());
        let (body, port) = (if method == "POST" { body.to_string() } else { String::new() }, self.port);
        let length = body.len();
        client.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        let answer = client.answer();
        let mut object: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status, 200, "{path}: {object:#}");
        object["value"].take()
    }

    #[track_caller]
    fn post(&self, command: &str, body: &Value) -> Value {
        self.send("POST", &format!("/session/{}/{command}", self.session), body)
    }

    pub fn open(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    /// What a script in the page returns.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression in the page is true.
    #[track_caller]
    pub fn wait_for(&self, expression: &str) {
        self.repeat_until(expression, || ());
    }

    /// Does something again and again until an expression in the page is true.
    #[track_caller]
    pub fn repeat_until(&self, expression: &str, act: impl Fn()) {
        let deadline = Instant::now() + PATIENCE;
        while self.run(&format!("return Boolean({expression})")) != true {
            let page = || self.run("return document.body.innerText");
            assert!(Instant::now() < deadline, "{expression} is not true on this page:\n{}", page().as_str().unwrap());
            act();
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the element is there and has that text.
    #[track_caller]
    pub fn wait_for_text(&self, selector: &str, text: &str) {
        self.wait_for(&format!("document.querySelector({selector:?})?.textContent.includes({text:?})"));
    }

    #[track_caller]
    fn find(&self, selector: &str) -> String {
        self.wait_for(&format!("document.querySelector({selector:?})"));
        let found = self.post("element", &json!({ "using": "css selector", "value": selector }));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Clicks as a user does: the element must be visible.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.post(&format!("element/{element}/click"), &json!({}));
    }

    /// Replaces the text of an input.
    #[track_caller]
    pub fn write(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.post(&format!("element/{element}/clear"), &json!({}));
        self.press(selector, text);
    }

    /// Sends keys to an element. Some have code points of their own (`WebDriver`, 17.4.2).
    #[track_caller]
    pub fn press(&self, selector: &str, keys: &str) {
        let element = self.find(selector);
        self.post(&format!("element/{element}/value"), &json!({ "text": keys }));
    }

    /// A command of the `DevTools` protocol.
    #[track_caller]
    pub fn devtools(&self, command: &str, params: &Value) -> Value {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": params }))
    }

    /// A PNG of the window, in base64.
    pub fn screenshot(&self) -> String {
        let value = self.send("GET", &format!("/session/{}/screenshot", self.session), &Value::Null);
        value.as_str().unwrap().to_owned()
    }

    /// The errors and warnings of the console since the last call.
    #[track_caller]
    pub fn console(&self) -> Vec<String> {
        let log = self.post("se/log", &json!({ "type": "browser" }));
        let lines = log.as_array().unwrap().iter();
        lines.filter(|line| line["level"] != "INFO").map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }
}

/// chromedriver ends Chromium with itself if it is asked to, but not if it gets a signal.
impl Drop for Browser {
    fn drop(&mut self) {
        let asked = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).and_then(|mut stream| {
            stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: localhost\r\n\r\n").map(|()| stream)
        });
        if asked.is_err() {
            let _ = self.driver.kill();
        }
        let _ = self.driver.wait();
    }
}
