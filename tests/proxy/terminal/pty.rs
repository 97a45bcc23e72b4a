//! A pseudoterminal with a process on it: what it shows, and what is typed.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::screen::Screen;
use crate::harness::TIMEOUT;

/// Ends with its process.
pub struct Pty {
    keyboard: File,
    child: Child,
    shown: Shown,
}

type Shown = Arc<(Mutex<Screen>, Condvar)>;

impl Pty {
    /// Starts a process on a new terminal.
    pub fn start(columns: u16, start: impl FnOnce(&File) -> Child) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let controller = File::from(controller);
        set_columns(&controller, columns);
        let terminal = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let child = start(&terminal);
        let shown = Arc::new((Mutex::new(Screen::new(columns.into())), Condvar::new()));
        show(controller.try_clone().unwrap(), Arc::clone(&shown));
        Self { keyboard: controller, child, shown }
    }

    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    pub fn resize(&self, columns: u16) {
        self.shown.0.lock().unwrap().resize(columns.into());
        set_columns(&self.keyboard, columns);
    }

    /// Waits until `is_shown`, and returns all that is shown then.
    #[track_caller]
    pub fn wait_until(&self, is_shown: impl Fn(&Screen) -> bool) -> String {
        let (screen, changed) = &*self.shown;
        let waited = changed.wait_timeout_while(screen.lock().unwrap(), TIMEOUT, |screen| !is_shown(screen));
        let (screen, timeout) = waited.unwrap();
        assert!(!timeout.timed_out(), "not shown in:\n{}\n{:?}", screen.text(), screen.last_line());
        screen.text()
    }

    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_until(|screen| screen.text().contains(text))
    }

    /// Waits until the process has ended and everything is shown.
    pub fn wait(&mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        // The controller reads an error once no process has the terminal open, and then the screen is released.
        while Arc::strong_count(&self.shown) > 1 {
            thread::yield_now();
        }
        (code, self.shown.0.lock().unwrap().text())
    }

    pub fn raw(&self) -> String {
        String::from_utf8(self.shown.0.lock().unwrap().raw.clone()).unwrap()
    }

    pub fn widest(&self) -> usize {
        self.shown.0.lock().unwrap().widest()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn set_columns(terminal: &File, columns: u16) {
    tcsetwinsize(terminal, Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}

fn show(mut controller: File, shown: Shown) {
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count) = controller.read(&mut bytes) {
            shown.0.lock().unwrap().write(&bytes[..count]);
            shown.1.notify_all();
        }
    });
}
