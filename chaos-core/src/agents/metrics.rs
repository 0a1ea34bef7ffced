//! The metrics agent.
