//! Host parsers.
