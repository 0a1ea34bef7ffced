//! Markdown and charts for a notebook: HTML in which nothing that came from a host is markup.

use chaos_core::{
    chart::{Line, Spec, render, visible},
    model::{Series, Timestamp},
};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use pyo3::prelude::*;

use crate::evidence::MetricSeries;

#[allow(clippy::needless_pass_by_value)] // as Python hands it over
/// A report as HTML. HTML in it becomes text, links lead nowhere; images are looked up in `images` (name, data URL).
#[pyfunction]
pub(crate) fn markdown_to_html(markdown: &str, images: Vec<(String, String)>) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let events = Parser::new_ext(markdown, options).map(|event| safe(event, &images));
    let mut body = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut body, events);
    body
}

fn safe<'a>(event: Event<'a>, images: &[(String, String)]) -> Event<'a> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) | Event::Text(text) => Event::Text(shown(&text).into()),
        Event::Code(text) => Event::Code(shown(&text).into()),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Link { link_type, id, .. }) => {
            Event::Start(Tag::Link { link_type, dest_url: CowStr::Borrowed("#"), title: CowStr::Borrowed(""), id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            let known = images.iter().find(|(name, _)| **name == *dest_url);
            let dest_url = known.map_or_else(|| "data:,".to_owned(), |(_, url)| url.clone()).into();
            Event::Start(Tag::Image { link_type, dest_url, title, id })
        }
        other => other,
    }
}

/// With what is invisible or turns the direction of reading written as escapes.
fn shown(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// A series as an SVG document; spans in milliseconds since the epoch.
#[pyfunction]
#[pyo3(signature = (series, observed = None, baseline = None))]
pub(crate) fn chart(series: &MetricSeries, observed: Option<(i64, i64)>, baseline: Option<(i64, i64)>) -> String {
    let data = series.0.series();
    let span = |(from, to)| Timestamp::from_millis(from)..Timestamp::from_millis(to);
    let whole = || {
        let (from, to) = (data.at.iter().min().copied(), data.at.iter().max().copied());
        (from.unwrap_or(0), to.map_or(1, |to| to.saturating_add(1)))
    };
    let spec = Spec {
        title: title(data),
        unit: data.unit.clone(),
        lines: vec![Line { label: title(data), series: data, gaps: series.0.known_gaps() }],
        baseline: baseline.map(span),
        observed: span(observed.unwrap_or_else(whole)),
        fault: None,
        onset: None,
    };
    render(&spec)
}

fn title(series: &Series) -> String {
    let attributes: Vec<&str> = series.attributes.values().map(String::as_str).collect();
    if attributes.is_empty() { series.name.clone() } else { format!("{} ({})", series.name, attributes.join(", ")) }
}
