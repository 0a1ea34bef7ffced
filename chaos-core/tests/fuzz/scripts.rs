//! The assessor of scripts: any text gets a verdict, in little time, and what hides a command adds no safety.

use std::time::{Duration, Instant};

use chaos_core::{model::RiskVerdict, risk::RiskRules};

/// An input has a few thousand bytes; debug builds are slow.
const SOON: Duration = Duration::from_secs(20);

pub(super) fn scripts(data: &[u8]) {
    let rules = RiskRules::builtin();
    let text = String::from_utf8_lossy(data);
    let started = Instant::now();
    let risk = rules.script(&text);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert!(risk.verdict == RiskVerdict::Safe || !risk.reasons().is_empty(), "a verdict without a reason");
    let before = rules.script(&format!("rm -rf /srv\n{text}"));
    assert!(before.verdict > RiskVerdict::Safe, "what comes behind it takes nothing back");
    let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    let _ = rules.command(&words);
}
