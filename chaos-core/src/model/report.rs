//! What is told at the end.

use serde::{Deserialize, Serialize};

/// The post-mortem and its companions. Which file each becomes is the pipeline's business.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Report {
    /// `report.md`.
    pub markdown: String,
    /// `slack_summary.txt`, and what a webhook gets.
    pub slack: String,
    /// Files under `artifacts/`.
    pub charts: Vec<Chart>,
}

/// A chart that the report shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Chart {
    /// File name under `artifacts/`, ending in `.svg`: letters, digits, `-`, `_`, `.`.
    pub name: String,
    /// For a person.
    pub title: String,
    /// The SVG document.
    pub svg: String,
}
