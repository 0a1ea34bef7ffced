//! The fixer agent.
