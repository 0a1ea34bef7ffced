//! Finds log records that contain a text.

use chaos_plugin::{Detector, Event, Finding, Observation, Signal, config};

struct Plugin;

impl Detector for Plugin {
    fn detect(seen: &Observation) -> Result<Vec<Finding>, String> {
        let pattern = config("pattern").unwrap_or_else(|| "out of memory".into()).to_lowercase();
        let hit = |(source, row, event): Event<'_>| {
            let is_hit = event.text.to_lowercase().contains(&pattern);
            let signal = Signal::Other("app.pattern".into());
            is_hit.then(|| Finding::new(signal, &event.text).score(0.7).since(event.at).cite(source, row))
        };
        Ok(seen.events().filter_map(hit).take(10).collect())
    }
}

chaos_plugin::detector!(Plugin);
