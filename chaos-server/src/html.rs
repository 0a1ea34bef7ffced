//! `report.html`: the post-mortem as one page without anything from elsewhere, made from its Markdown.
//!
//! The Markdown is our own, with all data in it escaped. What would be HTML in it is dropped all the same, links lead
//! nowhere but into the page, and charts stand in it as images, in which no script runs.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

const STYLE: &str = include_str!("report.css");

/// What a browser may do with the page: nothing but this style and these images.
pub(crate) fn policy() -> String {
    let hex = chaos_core::audit::sha256_hex(STYLE.as_bytes());
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap_or_default();
    let hash: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    let hash = STANDARD.encode(hash);
    format!(
        "sandbox; default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
}

/// The page. `charts` are the SVG files by the names that the Markdown has.
pub(crate) fn page(markdown: &str, charts: &[(String, Vec<u8>)], title: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut ids = Ids::default();
    let mut events: Vec<Event<'_>> = Parser::new_ext(markdown, options).map(|event| safe(event, charts)).collect();
    ids.give(&mut events);
    let mut body = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut body, events.into_iter());
    let title = text(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )
}

fn text(data: &str) -> String {
    data.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Takes out what is no text of ours.
fn safe<'a>(event: Event<'a>, charts: &[(String, Vec<u8>)]) -> Event<'a> {
    match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Link { link_type, dest_url, id, .. }) => {
            let dest_url = if dest_url.starts_with('#') { dest_url } else { CowStr::Borrowed("#") };
            Event::Start(Tag::Link { link_type, dest_url, title: CowStr::Borrowed(""), id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            let chart = charts.iter().find(|(name, _)| **name == *dest_url);
            let data = chart.map_or_else(
                || "data:,".to_owned(),
                |(_, svg)| format!("data:image/svg+xml;base64,{}", STANDARD.encode(svg)),
            );
            Event::Start(Tag::Image { link_type, dest_url: data.into(), title, id })
        }
        other => other,
    }
}

/// Headings get the names by which GitHub links to them, so that the report's own links lead there.
#[derive(Default)]
struct Ids(Vec<String>);

impl Ids {
    fn give(&mut self, events: &mut [Event<'_>]) {
        for at in 0..events.len() {
            if !matches!(events[at], Event::Start(Tag::Heading { .. })) {
                continue;
            }
            let inside = events[at + 1..].iter().take_while(|e| !matches!(e, Event::End(TagEnd::Heading(_))));
            let words: String = inside
                .map(|e| match e {
                    Event::Text(t) | Event::Code(t) => t.to_string(),
                    _ => String::new(),
                })
                .collect();
            let slug = self.unique(&words);
            if let Event::Start(Tag::Heading { id, .. }) = &mut events[at] {
                *id = Some(slug.into());
            }
        }
    }

    fn unique(&mut self, words: &str) -> String {
        let lower = words.to_lowercase();
        let kept = lower.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        let slug: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let mut name = slug.clone();
        for n in 1.. {
            if !self.0.contains(&name) {
                break;
            }
            name = format!("{slug}-{n}");
        }
        self.0.push(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_others_becomes_markup() {
        let hostile = "# <script>alert(1)</script>\n\n<img src=x onerror=alert(1)>\n\n[a](javascript:alert(1)) ![c](http://evil/x.png)\n\n\
                       <iframe src=//evil></iframe> text\n\n![ok](artifacts/a.svg)\n";
        let page = page(hostile, &[("artifacts/a.svg".into(), b"<svg onload='x'/>".to_vec())], "<b>\"x");
        for bad in ["<script", "<img src=x", "<iframe", "href=\"javascript", "evil/x.png\"", "onload", "<b>"] {
            assert!(!page.contains(bad), "{bad}: {page}");
        }
        assert!(page.contains("data:image/svg+xml;base64,") && page.contains("&lt;script&gt;"), "{page}");
        assert!(policy().contains("style-src 'sha256-"));
    }

    #[test]
    fn headings_can_be_linked_to() {
        let page = page("## What to do: now\n\n## What to do: now\n\n[x](#what-to-do-now)\n", &[], "t");
        assert!(page.contains("<h2 id=\"what-to-do-now\">") && page.contains("<h2 id=\"what-to-do-now-1\">"), "{page}");
        assert!(page.contains("href=\"#what-to-do-now\""));
    }
}
