//! What travels from agents and coordinator to the single writer of the trace. It has no time yet: the writer stamps it.

use tokio::sync::oneshot;

use crate::{
    error::Error,
    model::{AgentName, EventType, Phase, Timestamp},
};

/// An event on its way to the trace writer, which stamps it.
#[derive(Debug)]
pub(crate) struct Emitted {
    pub(crate) agent: AgentName,
    pub(crate) kind: EventType,
    pub(crate) content: String,
    pub(crate) data: Option<serde_json::Value>,
}

/// What the writer is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// An event.
    Event(Emitted),
    /// An event whose time the sender wants to know.
    Stamp(Emitted, oneshot::Sender<Timestamp>),
    /// The run enters a phase.
    Phase(Phase, Emitted, oneshot::Sender<Timestamp>),
    /// Everything so far is to be written; what failed so far is told.
    Flush(oneshot::Sender<Flushed>),
}

/// What the writer knows after a flush.
#[derive(Debug, Default, Clone)]
pub(crate) struct Flushed {
    /// The texts of all events of type `error`.
    pub(crate) errors: Vec<String>,
    /// The first failure to append.
    pub(crate) storage: Option<Error>,
}
