//! What changes the routes during a run: the admin server, SIGHUP, and a config file that is watched. The command line
//! and the config decide which of them a run has; what they do is in `admin` and `reload`.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::admin::{Access, Admin, Api};
use crate::cli::{AdminOptions, Options, RouteSource, Watch};
use crate::config::Defaults;
use crate::event::{Event, Origin, emit};
use crate::harness::scenario::Player;
use crate::http::BindError;
use crate::plan::Plan;
use crate::proxy::Supervisor;
use crate::reload::{Reloader, is_reloadable};
use crate::signals::HangUp;
use crate::watch;

/// The config file of a run, which can be loaded again.
#[derive(Debug)]
pub struct ConfigFile {
    path: PathBuf,
    defaults: Defaults,
    watch: Option<watch::Watch>,
}

impl ConfigFile {
    /// The file, unless it is stdin, a pipe or a device: these are empty or block when they are read again. Call it
    /// before the file is loaded, so that no change of it is missed.
    ///
    /// # Errors
    /// It is to be watched, and can't be read again.
    pub fn of(options: &Options) -> Result<Option<Self>, NotReloadable> {
        match &options.routes {
            RouteSource::File { path, defaults } if is_reloadable(path) => {
                let watch = (options.watch == Watch::File).then(|| watch::Watch::new(path.clone()));
                Ok(Some(Self { path: path.clone(), defaults: *defaults, watch }))
            }
            RouteSource::File { path, .. } if options.watch == Watch::File => Err(NotReloadable(path.clone())),
            RouteSource::File { .. } | RouteSource::Flags(_) => Ok(None),
        }
    }
}

/// A path that is to be watched, but names a pipe or a device.
#[derive(Debug)]
pub struct NotReloadable(PathBuf);

impl fmt::Display for NotReloadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.display();
        write!(f, "--watch needs a regular file: {path} is a pipe or a device, which can't be read again")
    }
}

impl std::error::Error for NotReloadable {}

/// The controls of a run that has not begun.
#[derive(Debug)]
pub struct Control {
    file: Option<(ConfigFile, HangUp)>,
    admin: Option<AdminOptions>,
    defaults: Defaults,
}

impl Control {
    /// SIGHUP ends the process if there is no `file`. Call it before any other thread starts.
    ///
    /// # Errors
    /// SIGHUP can't be blocked.
    pub fn new(file: Option<ConfigFile>, admin: Option<AdminOptions>, defaults: Defaults) -> io::Result<Self> {
        let file = file.map(|file| HangUp::block().map(|hang_up| (file, hang_up))).transpose()?;
        Ok(Self { file, admin, defaults })
    }

    /// Binds the address of the admin server, if there is one. It answers after [`Control::start`].
    ///
    /// # Errors
    /// The address can't be bound.
    pub fn bind(&self) -> Result<Option<Admin>, BindError> {
        self.admin.as_ref().map(|options| Admin::bind(options.addr)).transpose()
    }

    /// Starts all controls, each on its own thread. The run has begun with `plan`.
    ///
    /// # Errors
    /// No thread is available.
    pub fn start(
        self,
        admin: Option<Admin>,
        plan: &Plan,
        supervisor: &Arc<Supervisor>,
        scenario: &Arc<Player>,
    ) -> io::Result<()> {
        let reloader = self.file.map(|file| follow(file, plan, scenario)).transpose()?;
        let Some((admin, options)) = admin.zip(self.admin) else { return Ok(()) };
        let access = Access { hosts: options.hosts, token: options.token };
        let api =
            Api::new(Arc::clone(supervisor), self.defaults).with_access(access).with_scenario(Arc::clone(scenario));
        let addr = admin.local_addr();
        admin.serve(match reloader {
            Some(reloader) => api.with_reloader(reloader),
            None => api,
        })?;
        emit(&Event::AdminListening(addr));
        Ok(())
    }
}

/// Loads the file again after each SIGHUP, and after each change of it if it is watched.
fn follow((file, hang_up): (ConfigFile, HangUp), plan: &Plan, scenario: &Arc<Player>) -> io::Result<Arc<Reloader>> {
    let scenario = Arc::clone(scenario);
    let make_live = move |plan: &Plan, origin| scenario.reload(plan, origin);
    let reloader = Arc::new(Reloader::new(file.path, plan.clone(), file.defaults, make_live));
    hang_up.handle(reload(&reloader, Origin::SigHup))?;
    if let Some(watch) = file.watch {
        watch.start(reload(&reloader, Origin::Watch))?;
    }
    Ok(reloader)
}

fn reload(reloader: &Arc<Reloader>, origin: Origin) -> impl Fn() + Send + 'static {
    let reloader = Arc::clone(reloader);
    // The reloader logs the result.
    move || drop(reloader.reload(origin))
}
