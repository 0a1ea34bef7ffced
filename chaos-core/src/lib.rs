//! draft
pub use async_trait::async_trait;
pub mod agent;
pub mod agents;
pub mod analysis;
pub mod artifact;
pub mod catalogue;
pub mod clock;
pub mod error;
pub mod host;
pub mod model;
pub mod readonly;
mod recording;
pub mod redact;
pub mod sinks;
pub mod transport;
pub mod transports;
