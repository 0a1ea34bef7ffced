//! The report about an incident whose texts are hostile.

use std::{
    sync::LazyLock,
    task::{Context, Poll, Waker},
    time::Duration,
};

use chaos_core::{
    agent::{Agent, AgentContext},
    agents::{ReporterAgent, terminal_summary},
    model::{Incident, Report},
};
use serde_json::Value;

use super::{inert::assert_inert, input::Input};

/// An incident with something in every field.
static INCIDENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("incident.json")).unwrap());
/// The texts of it that can be any, by their paths.
static FREE: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut paths = Vec::new();
    walk(&INCIDENT, "", &mut paths);
    let mut json = INCIDENT.clone();
    paths.retain(|p| {
        let old = std::mem::replace(json.pointer_mut(p).unwrap(), "x<y".into());
        let fits = serde_json::from_value::<Incident>(json.clone()).is_ok();
        *json.pointer_mut(p).unwrap() = old;
        fits
    });
    paths
});

fn walk(value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        Value::String(_) => out.push(path.to_owned()),
        Value::Array(all) => all.iter().enumerate().for_each(|(i, v)| walk(v, &format!("{path}/{i}"), out)),
        Value::Object(all) => {
            let key = |k: &str| k.replace('~', "~0").replace('/', "~1");
            all.iter().for_each(|(k, v)| walk(v, &format!("{path}/{}", key(k)), out));
        }
        _ => {}
    }
}

fn written(incident: &Incident) -> Report {
    let context = AgentContext::detached("ReporterAgent", tokio::time::Instant::now() + Duration::from_secs(60));
    let agent = ReporterAgent::new();
    let mut run = agent.run(&context, incident);
    match run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(report) => report.unwrap(),
        Poll::Pending => panic!("a report waits for nothing"),
    }
}

/// Texts, one a line of the input, stand in every field in turn: none becomes markup, and the same incident gives the
/// same report.
pub(super) fn report(data: &[u8]) {
    let mut input = Input::new(data);
    let (shift, step) = (input.pick(256), 1 + input.pick(30));
    let lossy = String::from_utf8_lossy(input.text);
    let texts: Vec<&str> = lossy.split(if input.flag() { '\n' } else { '\0' }).collect();
    let mut json = INCIDENT.clone();
    for (i, path) in FREE.iter().enumerate() {
        let text = texts[(i * step + shift) % texts.len()];
        *json.pointer_mut(path).unwrap() = text.into();
    }
    let incident: Incident = serde_json::from_value(json).unwrap();
    let report = written(&incident);
    assert_inert(&report.markdown);
    assert!(!report.slack.contains(['<', '>']), "{}", report.slack);
    let shown = terminal_summary(&incident);
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n') && shown.lines().count() <= 10, "{shown:?}");
    for chart in &report.charts {
        assert!(!chart.svg.contains("<script") && !chart.svg.contains("<img"));
    }
    assert_eq!(written(&incident).markdown, report.markdown);
}
