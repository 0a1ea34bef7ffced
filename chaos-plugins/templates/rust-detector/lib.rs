//! Finds log records that contain a text.

use chaos_plugin::{Detector, Event, Finding, Observation, Signal, config};

struct Plugin;

impl Detector for Plugin {
    fn detect(seen: &Observation) -> Result<Vec<Finding>, String> {
        let pattern = config("pattern").unwrap_or_else(|| "out of memory".into()).to_lowercase();
        let hit = |event: Event<'_>| {
            if !event.text.to_lowercase().contains(&pattern) {
                return None;
            }
            let finding = Finding::new(Signal::Other("app.pattern".into()), event.text).score(0.7);
            Some(finding.since(event.at).cite(event.source, event.row))
        };
        Ok(seen.events().filter_map(hit).take(10).collect())
    }
}

chaos_plugin::detector!(Plugin);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_with_the_text_is_found_and_cited() {
        let seen = Observation::empty().with_log("app.log", [(1000, "started"), (2000, "Out of memory: killed")]);
        let found = Plugin::detect(&seen).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].summary.as_str(), found[0].onset), ("Out of memory: killed", Some(2000)));
    }
}
