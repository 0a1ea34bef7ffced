#![doc = include_str!("../README.md")]

pub use async_trait::async_trait;

pub mod agent;
pub mod agents;
pub mod analysis;
pub mod artifact;
pub mod audit;
pub mod catalogue;
pub mod chart;
pub mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod error;
pub mod evaluation;
mod events;
pub mod host;
pub mod model;
pub mod pipeline;
pub mod readonly;
mod recording;
pub mod redact;
pub mod rehearsal;
pub mod remediation;
pub mod risk;
pub mod scenario;
pub mod sinks;
pub mod transport;
pub mod transports;
