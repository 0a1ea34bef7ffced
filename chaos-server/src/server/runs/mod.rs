//! Many incidents at once: who may start one, who has to wait, and what is running. One run is [`run`]'s subject.

mod live;
mod queue;
mod recover;
mod run;
mod stored;
mod target;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chaos_core::{
    error::ErrorKind,
    model::{IncidentId, RunOptions, Status},
};

use self::queue::FairQueue;
use super::{Server, problem::Problem};
use crate::commands::chaos::Chaos;

pub(super) use live::{Live, Stage};
pub(super) use recover::{recover, reset, subject};
pub(super) use stored::Request;
pub(super) use target::{Subject, TargetVm, kind};

/// What is to be run.
pub(super) struct Job {
    pub(super) subject: Subject,
    pub(super) request: Request,
    pub(super) chaos: Option<Chaos>,
    pub(super) options: RunOptions,
    pub(super) rehearse: bool,
}

/// All that this process runs, or is about to.
#[derive(Default)]
pub(super) struct Runs {
    inner: Mutex<Inner>,
    /// Starting is done one by one: what is checked still holds when it is done.
    admission: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Inner {
    live: BTreeMap<IncidentId, Arc<Live>>,
    queue: FairQueue<(Arc<Live>, Job)>,
    running: usize,
    /// Targets that are taken, by key; several incidents where that is allowed.
    busy: HashMap<String, Vec<IncidentId>>,
}

impl Runs {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An incident that is not over.
    pub(super) fn get(&self, id: &IncidentId) -> Option<Arc<Live>> {
        self.inner().live.get(id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Live>> {
        self.inner().live.values().cloned().collect()
    }

    /// How many run, and how many wait.
    pub(super) fn counts(&self) -> (usize, usize) {
        let inner = self.inner();
        (inner.running, inner.queue.len())
    }

    /// The how manieth in the queue it is, from 1.
    pub(super) fn position(&self, id: &IncidentId) -> Option<usize> {
        self.inner().queue.position(|(live, _)| live.id == *id)
    }

    /// The incident that has the target.
    pub(super) fn busy_with(&self, key: &str) -> Option<IncidentId> {
        self.inner().busy.get(key).and_then(|ids| ids.first().cloned())
    }
}

/// Starts an incident, or lets it wait.
///
/// # Errors
/// `Conflict` when its target is taken, `Busy` when the queue is full, `Stopped` when the server goes down.
pub(super) async fn start(server: &Arc<Server>, caller: &str, job: Job) -> Result<(Arc<Live>, bool), Problem> {
    let settings = &server.settings.config.server;
    let runs = &server.runs;
    let _one_by_one = runs.admission.lock().await;
    if server.closing.is_over() {
        return Err(Problem::new(ErrorKind::Stopped, "the server is going down"));
    }
    let key = job.subject.key.clone();
    if let Some(id) = runs.busy_with(&key).filter(|_| !settings.several_per_target) {
        let detail = format!("{} has an incident that is not over: {id}", job.subject.info.name);
        return Err(Problem::new(ErrorKind::Conflict, detail));
    }
    let (running, queued) = runs.counts();
    let waits = running >= settings.max_running;
    if waits && queued >= settings.max_queued {
        let detail = format!("{running} incidents are running and {queued} are waiting, which is all that may");
        return Err(Problem::new(ErrorKind::Busy, detail).retry_after(u64::from(job.options.observe_s).clamp(5, 60)));
    }
    let began = server.clock.now();
    let id = stored::create(&server.dir, began, &job)?;
    let scenario = job.request.scenario.clone();
    let live = Live::new(id.clone(), key.clone(), job.subject.info.clone(), scenario, began);
    {
        let mut inner = runs.inner();
        inner.live.insert(id.clone(), live.clone());
        inner.busy.entry(key).or_default().push(id);
        if waits {
            inner.queue.push(caller, (live.clone(), job));
            return Ok((live, true));
        }
        inner.running += 1;
    }
    launch(server, live.clone(), job);
    Ok((live, false))
}

/// Runs it in a task of its own; its place is given to the next one whatever becomes of it.
fn launch(server: &Arc<Server>, live: Arc<Live>, job: Job) {
    let place = Place { server: server.clone(), live: live.clone() };
    live.begin();
    let server = server.clone();
    tokio::spawn(async move {
        run::run(&server, &live, job).await;
        drop(place);
    });
}

/// A place among the running; dropped, it is free.
struct Place {
    server: Arc<Server>,
    live: Arc<Live>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.live.is_over() {
            self.live.end(Status::Interrupted, Some("the task that ran this incident was lost".into()));
        }
        let next = {
            let mut inner = self.server.runs.inner();
            forget(&mut inner, &self.live);
            inner.running -= 1;
            let next = inner.queue.pop();
            inner.running += usize::from(next.is_some());
            next
        };
        if let Some((live, job)) = next {
            launch(&self.server, live, job);
        }
    }
}

fn forget(inner: &mut Inner, live: &Live) {
    inner.live.remove(&live.id);
    if let Some(ids) = inner.busy.get_mut(&live.key) {
        ids.retain(|id| *id != live.id);
        if ids.is_empty() {
            inner.busy.remove(&live.key);
        }
    }
}

/// Ends an incident: one that waits at once, one that runs as soon as it has reverted. `false` when it is not ours.
pub(super) async fn stop(server: &Server, id: &IncidentId, why: &str) -> bool {
    let waiting = server.runs.inner().queue.remove(|(live, _)| live.id == *id);
    if let Some((live, _)) = waiting {
        stored::conclude(&server.dir, &live, Status::Stopped, why).await;
        forget(&mut server.runs.inner(), &live);
        return true;
    }
    match server.runs.get(id) {
        Some(live) => {
            live.stop.end();
            true
        }
        None => false,
    }
}

/// Ends all, and returns when none is left.
pub(super) async fn stop_all(server: &Server) {
    for live in server.runs.all() {
        stop(server, &live.id, "the server went down before it began").await;
    }
    for live in server.runs.all() {
        live.over().await;
    }
    while server.runs.counts().0 > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
