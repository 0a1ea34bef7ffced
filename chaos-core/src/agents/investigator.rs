//! The investigator agent.
