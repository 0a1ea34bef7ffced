//! Metric analysis.
