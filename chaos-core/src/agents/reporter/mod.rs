//! The reporter agent: a post-mortem that people want to read, from the incident alone.
//!
//! This file owns which sections there are and their order. Each section is a file; `escape` is the one way from
//! data to Markdown, `story` works out once what all sections need. The same incident gives the same bytes.

mod brief;
mod cause;
mod charts;
mod cut_off;
mod doc;
mod escape;
mod evidence;
mod lessons;
mod remedy;
mod story;
mod summary;
mod timeline;
mod words;

use async_trait::async_trait;

use crate::{
    agent::{Agent, AgentContext},
    error::Result,
    model::{EventType, Incident, Report},
};
use doc::Doc;
use story::{Outcome, Story};

pub use brief::terminal_summary;
pub use cut_off::interrupted_report;
pub(crate) use escape::text as escape_text;

/// Writes `report.md`, the charts it shows, and the summary for Slack.
///
/// What comes from a target is escaped: it never becomes markup, a link or HTML. The report has no raw HTML at
/// all, and its only links lead to its own headings and to `artifacts/`.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct ReporterAgent;

impl ReporterAgent {
    /// A reporter.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Agent<Incident, Report> for ReporterAgent {
    async fn run(&self, cx: &AgentContext, incident: &Incident) -> Result<Report> {
        let report = render(incident);
        let charts = words::count(report.charts.len(), "chart");
        cx.emit(EventType::Report, format!("wrote the report ({} bytes, {charts})", report.markdown.len()));
        Ok(report)
    }
}

/// The report about an incident.
fn render(incident: &Incident) -> Report {
    let story = Story::of(incident);
    let charts = incident.observation.iter().flat_map(|seen| story.charts.iter().map(|c| c.draw(incident, seen)));
    Report { markdown: markdown(&story), slack: brief::slack(&story), charts: charts.collect() }
}

fn markdown(story: &Story<'_>) -> String {
    let mut doc = Doc::default();
    summary::write(&mut doc, story);
    if story.outcome == Outcome::Healthy {
        healthy(&mut doc, story);
    } else if story.observation().is_none() {
        cause::limits(&mut doc, story, &[]);
        timeline::write(&mut doc, story);
    } else {
        cause::impact(&mut doc, story);
        cause::root_cause(&mut doc, story);
        timeline::write(&mut doc, story);
        evidence::write(&mut doc, story);
        remedy::write(&mut doc, story);
        lessons::write(&mut doc, story);
    }
    lessons::chaos(&mut doc, story);
    doc.finish()
}

/// A healthy host's report is short: what was looked at, and what stood out all the same.
fn healthy(doc: &mut Doc, story: &Story<'_>) {
    summary::sources(doc, story);
    if !story.incident.findings.is_empty() {
        evidence::minor(doc, story);
    }
    let said = story.diagnosis().map_or(&[][..], |d| &d.limits);
    cause::limits(doc, story, said);
    timeline::write(doc, story);
}

#[cfg(test)]
mod tests;
