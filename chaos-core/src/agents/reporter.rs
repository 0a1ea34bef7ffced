//! The reporter agent.
