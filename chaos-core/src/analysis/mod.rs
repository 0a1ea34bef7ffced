//! Pure algorithms over logs and metrics: no agents, no I/O, no clock. What they are told is all they know.

pub mod logs;
pub mod metrics;
pub mod proc;
pub mod together;
