//! The fault catalogue.
