//! The wasmtime engine that all plugins of a host share: its configuration, its pool of instances, and the clock by
//! which it interrupts.

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::Thread,
    time::Duration,
};

use chaos_core::error::{Error, ErrorKind, Result};
use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::limits::{MOST_MEMORY_MB, MOST_TABLE_ELEMENTS};

/// How often a running plugin lets others run; a limit on time is kept this exactly.
const TICK: Duration = Duration::from_millis(5);
/// Calls that run at a time; more wait.
const AT_ONCE: u32 = 16;
/// Stack of a plugin; what is deeper is an error of it.
const STACK: usize = 512 << 10;
/// Bytes of a memory that stay with its place from one call to the next, so that the kernel need not give them again
/// page by page: where it tells which of them were written, those are set to nought (Linux 6.7 and newer) …
const KEPT: usize = 4 << 20;
/// … and where it does not, all of them are, after each call.
const KEPT_BLINDLY: usize = 64 << 10;
/// Places that keep theirs although no call runs in them.
const WARM: u32 = 4;

/// An engine and what belongs to it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

struct Inner {
    engine: Engine,
    is_pooled: bool,
    places: Semaphore,
    running: AtomicUsize,
    ticker: Thread,
    over: Arc<AtomicBool>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine(pooled: {})", self.0.is_pooled)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        self.ticker.unpark();
    }
}

/// A call that runs: a place in the pool, and ticks of the clock.
pub(crate) struct Running<'a> {
    inner: &'a Inner,
    _place: SemaphorePermit<'a>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.inner.running.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Shared {
    /// An engine with a pool of instances; without one where the system does not let us reserve the addresses.
    pub(crate) fn new() -> Result<Self> {
        let failed =
            |e: wasmtime::Error| Error::new(ErrorKind::Internal, format!("cannot start the plugin engine: {e:#}"));
        let pooled = Engine::new(config().allocation_strategy(InstanceAllocationStrategy::Pooling(pool())));
        let (engine, is_pooled) = match pooled {
            Ok(engine) => (engine, true),
            Err(_) => (Engine::new(&config()).map_err(failed)?, false),
        };
        let over = Arc::new(AtomicBool::new(false));
        let inner = Arc::new_cyclic(|weak: &Weak<Inner>| {
            let ticker = tick(weak.clone(), over.clone());
            Inner {
                engine,
                is_pooled,
                places: Semaphore::new(AT_ONCE as usize),
                running: AtomicUsize::new(0),
                ticker,
                over,
            }
        });
        Ok(Self(inner))
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Whether instances come from a pool.
    pub(crate) fn is_pooled(&self) -> bool {
        self.0.is_pooled
    }

    /// Waits for a place to run a call in.
    pub(crate) async fn enter(&self) -> Result<Running<'_>> {
        let place = self.0.places.acquire().await;
        let place = place.map_err(|e| Error::new(ErrorKind::Internal, "the plugin engine is gone").because(e))?;
        if self.0.running.fetch_add(1, Ordering::AcqRel) == 0 {
            self.0.ticker.unpark();
        }
        Ok(Running { inner: &self.0, _place: place })
    }
}

/// The thread that advances the engine's epoch while something runs, and sleeps otherwise.
fn tick(inner: Weak<Inner>, over: Arc<AtomicBool>) -> Thread {
    let work = move || {
        while !over.load(Ordering::Acquire) {
            let is_idle = match inner.upgrade() {
                Some(inner) if inner.running.load(Ordering::Acquire) > 0 => {
                    inner.engine.increment_epoch();
                    false
                }
                _ => true,
            };
            if is_idle { std::thread::park_timeout(Duration::from_secs(1)) } else { std::thread::sleep(TICK) }
        }
    };
    let started = std::thread::Builder::new().name("plugin-clock".into()).spawn(work);
    // Without a thread nothing works any more; a plugin would then end at its deadline only where it calls the host.
    started.map_or_else(|_| std::thread::current(), |handle| handle.thread().clone())
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        .async_stack_size(STACK + (512 << 10))
        .cranelift_opt_level(OptLevel::Speed)
        // The same input gives the same output, on any machine.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true);
    config
}

fn pool() -> PoolingAllocationConfig {
    let tells = PoolingAllocationConfig::is_pagemap_scan_available();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(AT_ONCE)
        .total_core_instances(AT_ONCE * 32)
        .total_memories(AT_ONCE * 2)
        .total_tables(AT_ONCE * 8)
        .total_stacks(AT_ONCE)
        .max_core_instances_per_component(64)
        .max_memories_per_component(4)
        .max_tables_per_component(16)
        .max_memory_size((MOST_MEMORY_MB as usize) << 20)
        .table_elements(MOST_TABLE_ELEMENTS)
        .max_unused_warm_slots(if tells { WARM } else { AT_ONCE })
        .pagemap_scan(if tells { Enabled::Yes } else { Enabled::No })
        .linear_memory_keep_resident(if tells { KEPT } else { KEPT_BLINDLY })
        .table_keep_resident(16 << 10);
    pool
}
