//! A Slack-compatible incoming webhook: the summary as blocks, and as text for what shows no blocks.

use async_trait::async_trait;
use chaos_core::{
    chart::visible,
    error::{Error, ErrorKind, Result},
    model::{Incident, Report},
    pipeline::Notifier,
};
use serde_json::{Value, json};

use super::{Patience, Webhook};

/// Longest header and section that Slack takes, in characters.
const HEADER: usize = 150;
const SECTION: usize = 3000;

/// The webhook.
#[derive(Debug)]
pub(crate) struct Slack {
    pub(crate) webhook: Webhook,
    pub(crate) patience: Patience,
}

#[async_trait]
impl Notifier for Slack {
    async fn notify(&self, incident: &Incident, report: &Report) -> Result<()> {
        let (webhook, patience, body) = (self.webhook.clone(), self.patience, message(incident, report));
        let sent = tokio::task::spawn_blocking(move || webhook.send(&body, false, patience)).await;
        sent.map_err(|e| Error::new(ErrorKind::Internal, "the webhook's thread was lost").because(e))?
    }
}

/// The summary is Slack's own markup, and escaped; a header is plain text.
fn message(incident: &Incident, report: &Report) -> Value {
    let title = match (&incident.diagnosis, &incident.reason) {
        (Some(d), _) => format!("{} ({})", d.title, d.confidence),
        (None, Some(reason)) => reason.clone(),
        (None, None) => incident.status.as_str().to_owned(),
    };
    let header = cut(&visible(&title), HEADER);
    let mut blocks =
        vec![json!({ "type": "header", "text": { "type": "plain_text", "text": header, "emoji": false } })];
    blocks.extend(
        sections(&report.slack)
            .into_iter()
            .map(|text| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } })),
    );
    let about = format!("{} on {}", incident.id, visible(&incident.target.name));
    blocks.push(
        json!({ "type": "context", "elements": [{ "type": "plain_text", "text": cut(&about, 2000), "emoji": false }] }),
    );
    json!({ "text": report.slack, "blocks": blocks })
}

/// The text in pieces that Slack takes, each of whole lines unless one is longer than that.
fn sections(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        let line = cut(line, SECTION - 1);
        match all.last_mut().filter(|last| last.chars().count() + line.chars().count() < SECTION) {
            Some(last) => {
                last.push('\n');
                last.push_str(&line);
            }
            None => all.push(line),
        }
    }
    // Slack takes 50 blocks; two are not ours to give.
    all.truncate(40);
    all
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_whole_lines_that_slack_takes() {
        let text = format!("a\n\nb\n{}\nc\n", "x".repeat(5000));
        let parts = sections(&text);
        assert_eq!((parts.len(), parts[0].as_str()), (3, "a\nb"));
        assert!(parts.iter().all(|p| p.chars().count() <= SECTION));
        assert!(sections("").is_empty());
        assert_eq!(cut("äöü", 2), "ä…");
    }
}
