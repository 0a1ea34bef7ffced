//! Redaction of secrets.
