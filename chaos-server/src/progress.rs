//! What is seen of a run while it goes on: JSON lines for a program, plain lines for a log, and for a person a line
//! that moves below what has been found. Everything that may come from a host is shown with its control characters
//! as escapes.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use anstyle::{AnsiColor, Effects, Style};
use chaos_core::{
    chart::visible,
    model::{EventType, Phase, RunOptions, TraceEvent},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::output;

/// Longest text of one event on a terminal, in characters.
const MAX_TEXT: usize = 240;
/// Findings that are shown as they come; the report has all.
const MAX_FINDINGS: usize = 12;

/// How a run is shown.
#[derive(Debug)]
pub(crate) struct Display {
    how: How,
    baseline_s: u32,
    observe_s: u32,
    findings: usize,
}

#[derive(Debug)]
enum How {
    Json,
    Plain,
    Live { bar: ProgressBar, colored: bool },
}

impl Display {
    pub(crate) fn new(json: bool, options: &RunOptions) -> Self {
        let how = if json {
            How::Json
        } else if output::is_live() {
            let (bar, colored) = (ProgressBar::hidden(), output::is_colored());
            // Before it is seen: its usual style is a bar.
            bar.set_style(moving(None, colored));
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(120));
            How::Live { bar, colored }
        } else {
            How::Plain
        };
        Self { how, baseline_s: options.baseline_s, observe_s: options.observe_s, findings: 0 }
    }

    /// Shows an event.
    pub(crate) fn event(&mut self, event: &TraceEvent) {
        match &self.how {
            How::Json => {
                let line = serde_json::to_string(event).expect("an event is plain data");
                // Whoever read may have gone; the run goes on, since it has a fault to revert.
                let _ = writeln!(io::stdout().lock(), "{line}");
            }
            How::Plain => {
                let _ = writeln!(io::stderr(), "{}", plain(event));
            }
            How::Live { .. } => self.live(event),
        }
    }

    /// Says something that is not an event.
    pub(crate) fn note(&self, text: &str) {
        match &self.how {
            How::Live { bar, colored } => {
                bar.println(painted(AnsiColor::Yellow.on_default() | Effects::BOLD, *colored, &visible(text)));
            }
            How::Json | How::Plain => output::note(text),
        }
    }

    /// Takes the moving line away.
    pub(crate) fn finish(&mut self) {
        if let How::Live { bar, .. } = &self.how {
            if self.findings > MAX_FINDINGS {
                bar.println(format!("          {:13} … and {} findings more", "", self.findings - MAX_FINDINGS));
            }
            bar.finish_and_clear();
        }
    }

    fn live(&mut self, event: &TraceEvent) {
        let How::Live { bar, colored } = &self.how else { return };
        let text = cut(&visible(&event.content));
        let style = match event.kind {
            EventType::Phase => {
                let total = match event.phase {
                    Phase::Baseline => Some(self.baseline_s),
                    Phase::Observe => Some(self.observe_s),
                    _ => None,
                };
                bar.set_style(moving(total.filter(|s| *s > 0), *colored));
                bar.set_prefix(event.phase.as_str());
                bar.set_message(text.clone());
                bar.reset_elapsed();
                if event.phase == Phase::Done {
                    return;
                }
                Effects::BOLD.into()
            }
            EventType::Hypothesis | EventType::Probe | EventType::Evidence => {
                bar.set_message(text);
                return;
            }
            EventType::Finding => {
                self.findings += 1;
                if self.findings > MAX_FINDINGS {
                    return;
                }
                AnsiColor::Yellow.on_default()
            }
            EventType::Error => AnsiColor::Red.on_default() | Effects::BOLD,
            EventType::Chaos => AnsiColor::Magenta.on_default(),
            EventType::Diagnosis => AnsiColor::Green.on_default() | Effects::BOLD,
            EventType::Fix | EventType::Risk => AnsiColor::Cyan.on_default(),
            EventType::Note | EventType::Report => Effects::DIMMED.into(),
        };
        let label = match event.kind {
            EventType::Phase => format!("▸ {}", event.phase),
            kind => format!("  {}", label(kind)),
        };
        let line = format!("{label:<13} {text}");
        bar.println(format!("{}  {}", event.timestamp.time_of_day(), painted(style, *colored, &line)));
    }
}

fn painted(style: Style, colored: bool, text: &str) -> String {
    if colored { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// One line for a log: time, who, what.
fn plain(event: &TraceEvent) -> String {
    let text = cut(&visible(&event.content));
    let agent = visible(event.agent.as_str());
    format!("{} {agent:<13} {:<10} {text}", event.timestamp.time_of_day(), label(event.kind))
}

fn label(kind: EventType) -> &'static str {
    match kind {
        EventType::Phase => "phase",
        EventType::Note => "note",
        EventType::Evidence => "evidence",
        EventType::Finding => "finding",
        EventType::Hypothesis => "hypothesis",
        EventType::Probe => "probe",
        EventType::Diagnosis => "diagnosis",
        EventType::Fix => "fix",
        EventType::Risk => "risk",
        EventType::Chaos => "chaos",
        EventType::Report => "report",
        EventType::Error => "error",
    }
}

/// The moving line: the phase, the seconds in it, and where it is known of how many.
fn moving(total: Option<u32>, colored: bool) -> ProgressStyle {
    let template = if colored {
        "{spinner:.cyan} {prefix:.bold} {clock} {wide_msg:.dim}"
    } else {
        "{spinner} {prefix} {clock} {wide_msg}"
    };
    let clock = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let gone = state.elapsed().as_secs();
        let _ = match total {
            Some(total) => write!(out, "{gone}/{total} s"),
            None => write!(out, "{gone} s"),
        };
    };
    ProgressStyle::with_template(template).expect("a template of ours").with_key("clock", clock)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_says_can_not_move_the_cursor() {
        let event: TraceEvent = serde_json::from_str(
            r#"{"seq":0,"timestamp":"2026-11-24T08:00:00.000Z","phase":"detect","agent":"LogAgent","type":"finding",
                "content":"new \u001b[2J\u0007\nerror: \u202efake"}"#,
        )
        .unwrap();
        let line = plain(&event);
        assert!(line.starts_with("08:00:00 LogAgent"), "{line}");
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line}");
    }
}
