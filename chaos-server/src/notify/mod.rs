//! Who is told of a finished incident: Slack and PagerDuty, where they are configured.

mod pagerduty;
mod post;
mod slack;

use std::sync::Arc;

use chaos_core::pipeline::Notifier;

use crate::config::Config;

pub(crate) use pagerduty::{Key, PagerDuty};
pub(crate) use post::{Patience, Webhook};
pub(crate) use slack::Slack;

/// Those that are configured, by name.
pub(crate) fn configured(config: &Config, patience: Patience) -> Vec<(&'static str, Arc<dyn Notifier>)> {
    let mut all: Vec<(&'static str, Arc<dyn Notifier>)> = Vec::new();
    if let Some(webhook) = config.slack_webhook.clone() {
        all.push(("Slack", Arc::new(Slack { webhook, patience })));
    }
    if let Some(key) = config.pagerduty_key.clone() {
        let address = config.pagerduty_url.clone().unwrap_or_else(PagerDuty::usual);
        all.push(("PagerDuty", Arc::new(PagerDuty { key, address, patience })));
    }
    all
}
