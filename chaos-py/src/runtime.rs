//! The threads on which runs go on, and how Python waits for them: without the GIL, with Ctrl-C, through a fork, and up
//! to the interpreter's end.

use std::{
    future::Future,
    sync::{Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use chaos_core::{
    error::{Error, ErrorKind},
    transport::Stop,
};
use pyo3::prelude::*;
use tokio::{runtime::Runtime, sync::watch};

use crate::errors::raised;

/// How often a waiting thread looks for Ctrl-C.
const TICK: Duration = Duration::from_millis(50);

/// The runtime and the process that it belongs to. It is never taken down: at the interpreter's end a callback may
/// still be running that nothing can interrupt.
static RUNTIME: Mutex<Option<(u32, &'static Runtime)>> = Mutex::new(None);

/// The runtime of this process. A forked child has none of its parent's threads, so it gets one of its own.
///
/// # Errors
/// When the system gives no threads.
pub(crate) fn runtime(py: Python<'_>) -> PyResult<&'static Runtime> {
    let pid = std::process::id();
    let mut held = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((owner, runtime)) = *held
        && owner == pid
    {
        return Ok(runtime);
    }
    let made = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("chaos-handler")
        .max_blocking_threads(2048)
        .build()
        .map_err(|e| raised(py, &Error::new(ErrorKind::Internal, "cannot start threads").because(e)))?;
    let runtime: &'static Runtime = Box::leak(Box::new(made));
    *held = Some((pid, runtime));
    Ok(runtime)
}

/// Waits for `work` without the GIL. Ctrl-C ends the wait, and the work with it.
pub(crate) fn wait<T: Send + 'static>(py: Python<'_>, work: impl Future<Output = T> + Send + 'static) -> PyResult<T> {
    let (tx, mut rx) = mpsc::sync_channel(1);
    let task = runtime(py)?.spawn(async move { drop(tx.send(work.await)) });
    loop {
        let got = py.detach(move || {
            let got = rx.recv_timeout(TICK);
            (got, rx)
        });
        rx = got.1;
        match got.0 {
            Ok(out) => return Ok(out),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                if let Err(interrupted) = py.check_signals() {
                    task.abort();
                    return Err(interrupted);
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(raised(py, &Error::new(ErrorKind::Internal, "the work broke off")));
            }
        }
    }
}

/// Does `work` in the background and then calls `done(value, None)` or `done(None, exception)` on a thread of ours.
pub(crate) fn then<T: Send + 'static>(
    py: Python<'_>,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
    give: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    done: Py<PyAny>,
) -> PyResult<()> {
    runtime(py)?.spawn(async move {
        let out = work.await;
        // Off the reactor: the GIL may be held for long. No interpreter any more: nobody waits.
        let call = move || {
            Python::try_attach(|py| {
                let given = match out {
                    Ok(value) => give(py, value),
                    Err(e) => Err(raised(py, &e)),
                };
                let called = match given {
                    Ok(value) => done.call1(py, (value, py.None())),
                    Err(e) => done.call1(py, (py.None(), e.into_value(py))),
                };
                if let Err(e) = called {
                    e.write_unraisable(py, None);
                }
            })
        };
        let _ = tokio::task::spawn_blocking(call).await;
    });
    Ok(())
}

/// The runs that go on: whose process's each is, how to end it, and whether it is over.
static RUNS: Mutex<Vec<(u32, Stop, watch::Receiver<bool>)>> = Mutex::new(Vec::new());

/// Counts a run among those that go on.
pub(crate) fn register(stop: Stop, over: watch::Receiver<bool>) {
    let mut runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    runs.retain(|(_, _, over)| !*over.borrow());
    runs.push((std::process::id(), stop, over));
}

/// Stops all runs, and waits until what they injected is reverted: for at most so many seconds. Gives the number of
/// those that still go on. The package calls this when the interpreter ends.
#[pyfunction]
pub(crate) fn stop_all(py: Python<'_>, within_s: f64) -> usize {
    let mut runs = std::mem::take(&mut *RUNS.lock().unwrap_or_else(PoisonError::into_inner));
    // A forked child has its parent's list, and none of its runs.
    runs.retain(|(owner, ..)| *owner == std::process::id());
    runs.iter().for_each(|(_, stop, _)| stop.end());
    let within = Duration::try_from_secs_f64(within_s).unwrap_or(Duration::from_secs(60));
    let until = Instant::now() + within;
    let left = || runs.iter().filter(|(_, _, over)| !*over.borrow()).count();
    py.detach(|| {
        while left() > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    left()
}
