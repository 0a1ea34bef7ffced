//! The tester agent.
