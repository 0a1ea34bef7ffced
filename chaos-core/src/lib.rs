//! draft
pub use async_trait::async_trait;
pub mod agent;
pub mod agents;
pub mod analysis;
pub mod artifact;
pub mod catalogue;
pub mod chart;
pub mod clock;
pub mod error;
pub mod host;
pub mod model;
pub mod readonly;
pub mod redact;
pub mod transport;
