//! The HTTP server: [`app`] is all of it as a router, [`listen`](listen()) puts it on a socket. `API.md` beside this
//! crate's manifest says what it answers. Handlers convert, call, and convert.

mod access;
mod api;
mod assets;
mod input;
pub(crate) mod listen;
mod openapi;
mod past;
mod problem;
mod prometheus;
mod routes;
mod runs;
mod settings;
mod told;

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, middleware};
use chaos_core::{
    clock::{Clock, SystemClock},
    error::Result,
    model::{IncidentId, Status},
    sinks::Dir,
    transport::Stop,
};

pub use listen::listen;
pub use settings::Settings;

/// How often it is looked whether a process that ran an incident died.
const LOOKING: Duration = Duration::from_secs(20);

/// What the server holds.
pub struct Server {
    settings: Settings,
    dir: Arc<Dir>,
    clock: Arc<dyn Clock>,
    runs: runs::Runs,
    past: past::Past,
    numbers: prometheus::Numbers,
    /// Over when it is asked to end.
    closing: Stop,
    /// Incidents of which a plan is being applied.
    applying: Mutex<HashSet<IncidentId>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("listen", &self.settings.listen).finish_non_exhaustive()
    }
}

impl Server {
    /// Opens the incidents' directory, marks what a process that died has left, and looks after its faults.
    /// Within a tokio runtime.
    ///
    /// # Errors
    /// When incidents can't be stored.
    pub async fn open(settings: Settings) -> Result<Arc<Self>> {
        let dir = Arc::new(Dir::open(&settings.incidents)?);
        let server = Arc::new(Self {
            settings,
            dir,
            clock: Arc::new(SystemClock::default()),
            runs: runs::Runs::default(),
            past: past::Past::default(),
            numbers: prometheus::Numbers::default(),
            closing: Stop::default(),
            applying: Mutex::default(),
        });
        runs::recover(&server, true).await?;
        let weak = Arc::downgrade(&server);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOKING).await;
                let Some(server) = weak.upgrade() else { return };
                if let Err(e) = runs::recover(&server, false).await {
                    crate::output::note(&format!("looking for interrupted incidents: {e}"));
                }
            }
        });
        Ok(server)
    }

    /// Ends every incident, and returns when what they injected is reverted and all is written. Takes no new ones.
    pub async fn close(&self) {
        self.closing.end();
        runs::stop_all(self).await;
    }

    fn is_applying(&self, id: &IncidentId) -> bool {
        self.applying.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    fn count_ended(&self, status: Status) {
        self.numbers.ended(status);
    }
}

/// The server as a router, without a socket.
pub fn app(server: Arc<Server>) -> Router {
    let router = routes::router(&server).layer(middleware::from_fn_with_state(server.clone(), access::guard));
    router.with_state(server)
}
