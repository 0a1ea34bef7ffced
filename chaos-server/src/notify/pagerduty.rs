//! PagerDuty's Events API v2: somebody is called when something is wrong that nobody made, or when a fault of ours is
//! not proven to be gone.

use std::fmt;

use async_trait::async_trait;
use chaos_core::{
    chart::visible,
    error::{Error, ErrorKind, Result},
    model::{Incident, Recovery, Report, Verdict},
    pipeline::Notifier,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Patience, Webhook};

/// Longest summary that it takes, in characters.
const SUMMARY: usize = 1024;

/// The routing key of an integration, 32 letters and digits. It is in no error and no `Debug`.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl TryFrom<String> for Key {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.trim();
        if text.len() == 32 && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Ok(Self(text.to_owned()))
        } else {
            Err("PagerDuty's routing key has 32 letters and digits")
        }
    }
}

/// The integration.
#[derive(Debug)]
pub(crate) struct PagerDuty {
    pub(crate) key: Key,
    pub(crate) address: Webhook,
    pub(crate) patience: Patience,
}

impl PagerDuty {
    /// Where events go unless the configuration says otherwise.
    pub(crate) fn usual() -> Webhook {
        "https://events.pagerduty.com/v2/enqueue".parse().expect("an address of ours")
    }
}

#[async_trait]
impl Notifier for PagerDuty {
    fn wants(&self, incident: &Incident) -> bool {
        trouble(incident).is_some()
    }

    async fn notify(&self, incident: &Incident, report: &Report) -> Result<()> {
        let Some(body) = event(&self.key, incident, report) else { return Ok(()) };
        let (address, patience) = (self.address.clone(), self.patience);
        // By its key for the incident, an event that comes twice is one.
        let sent = tokio::task::spawn_blocking(move || address.send(&body, true, patience)).await;
        sent.map_err(|e| Error::new(ErrorKind::Internal, "the webhook's thread was lost").because(e))?
    }
}

/// How severe it is, and what; `None` where nobody need be called.
fn trouble(incident: &Incident) -> Option<(&'static str, String)> {
    match (&incident.injection, &incident.diagnosis) {
        (Some(i), _) if i.recovery != Recovery::Proven => {
            Some(("critical", "a fault that was injected on purpose is not proven to be reverted".to_owned()))
        }
        // What we broke and mended is nobody's night.
        (Some(_), _) | (None, None) => None,
        (None, Some(d)) => match d.verdict {
            Verdict::Healthy => None,
            Verdict::Unknown => Some(("warning", d.title.clone())),
            Verdict::Fault(_) => Some(("error", format!("{} ({})", d.title, d.confidence))),
        },
    }
}

fn event(key: &Key, incident: &Incident, report: &Report) -> Option<Value> {
    let (severity, summary) = trouble(incident)?;
    let diagnosis = incident.diagnosis.as_ref();
    let target = visible(&incident.target.name);
    let summary: String = format!("{target}: {}", visible(&summary)).chars().take(SUMMARY).collect();
    Some(json!({
        "routing_key": key.0,
        "event_action": "trigger",
        "dedup_key": format!("chaos-handler/{}", incident.id),
        "client": "AI Chaos-Handler",
        "payload": {
            "summary": summary, "source": target, "severity": severity, "timestamp": incident.span.end,
            "class": diagnosis.map(|d| d.verdict.id()),
            "component": diagnosis.and_then(|d| d.culprit.as_ref()).map(|c| visible(&c.summary)),
            "custom_details": { "incident": incident.id, "summary": report.slack },
        },
    }))
}
