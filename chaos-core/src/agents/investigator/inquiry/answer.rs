//! A question that is asked, and what its answer says: for and against faults, and of the culprit.

use std::time::Duration;

use super::{
    super::{belief::Likelihood, culprit},
    Inquiry,
    question::{Bearing, background_of, p_of},
};
use crate::{
    catalogue::{Probe, Reading, reading},
    error::{Error, ErrorKind},
    model::{Answer, Ask, Basis, Command, EntityKind, EventType, Id},
};

/// Questions in a row without an answer after which the target counts as gone; one that can't be reached does at once.
pub(super) const GONE: u32 = 2;

/// An answer, and whether it came to its end.
struct Heard {
    answer: Answer,
    id: Id<Answer>,
    whole: bool,
}

fn not_so(reading: &Reading) -> String {
    format!("it is not so that {}", reading.sentence)
}

impl Inquiry<'_> {
    /// Asks one probe and takes the answer into account.
    pub(super) async fn ask(&mut self, fault: usize, n: usize) {
        let probe = &self.faults()[fault].probes[n];
        self.done.insert((fault, n));
        let Some(argv) = self.argv(fault, probe) else { return };
        self.asked.insert(argv.clone());
        self.cost_s += probe.cost_s;
        let facts = &self.case.seen.facts;
        let elevate = probe.elevate && (facts.root || facts.sudo);
        let ask = Ask::Run(Command { elevate, ..Command::new(argv) });
        let asked = self.case.host.ask(ask.clone(), Duration::from_secs_f64(probe.within_s)).await;
        let (id, mut answer) = match asked {
            Ok(answered) => answered,
            Err(why) => return self.no_answer(probe, &ask, &why),
        };
        let unusable = reading::readable(&answer, probe.reads_errors()).err();
        if let Some(why) = &unusable {
            // What it found before its time was up is there; what it did not find may be there too.
            match reading::cut_short(&answer) {
                Some(part) if probe.reading.as_ref().is_none_or(|r| reading::is_present(r, &part)) => answer = part,
                _ => return self.no_answer(probe, &ask, why),
            }
            self.limit(format!("{} `{ask}` did not end ({why}); what it had found by then counts", probe.question));
        }
        self.unanswered = 0;
        self.read(&Heard { answer, id, whole: unusable.is_none() }, (fault, n));
    }

    /// Takes an answer into account for whoever asks this question, first for the probe that did.
    fn read(&mut self, heard: &Heard, first: (usize, usize)) {
        let faults = self.faults();
        let Ask::Run(Command { argv, .. }) = &heard.answer.ask else { return };
        let mut readers = vec![first];
        for (i, fault) in faults.iter().enumerate() {
            let same = |n: &usize| (i, *n) != first && self.argv(i, &fault.probes[*n]).as_ref() == Some(argv);
            readers.extend((0..fault.probes.len()).filter(same).map(|n| (i, n)));
        }
        // Who reads what is settled before anything is learnt: what is named changes what can be asked.
        let mut readings: Vec<(&Reading, Bearing<'_>, bool)> = Vec::new();
        for (i, n) in &readers {
            if let Some(reading) = &faults[*i].probes[*n].reading
                && !readings.iter().any(|(known, ..)| known.looks_for_the_same(reading))
            {
                let present = reading::is_present(reading, &self.as_heard(*i, *n, heard));
                readings.push((reading, self.bearing(argv, reading), present));
            }
        }
        for (fault, n) in &readers {
            self.done.insert((*fault, *n));
            let probe = &faults[*fault].probes[*n];
            let answer = self.as_heard(*fault, *n, heard);
            let present = probe.reading.as_ref().map(|r| reading::is_present(r, &answer));
            let names = probe.names.as_ref().filter(|_| present != Some(false));
            let named = names.and_then(|names| reading::named(names, &answer));
            let is_named = named.is_some();
            if let Some(named) = named {
                let known = self.culprits[*fault].take();
                self.culprits[*fault] = culprit::merged(known.clone(), named, Basis::Answer(heard.id)).or(known);
            }
            if (*fault, *n) == first {
                let says = self.says(*fault, probe, present, is_named);
                let data = serde_json::json!({ "probe": probe.id, "answer": heard.id, "present": present });
                self.cx.emit_with(EventType::Probe, format!("{} `{}`: {says}", probe.question, heard.answer.ask), data);
            }
        }
        for (reading, bearing, present) in readings {
            // What an answer that was cut short does not say is not known to be absent.
            if !present && !heard.whole {
                continue;
            }
            self.learn(&bearing, present, Basis::Answer(heard.id));
            let says = if present { reading.sentence.clone() } else { not_so(reading) };
            self.step(&faults[first.0].probes[first.1].id, &says);
        }
    }

    /// The answer as it bears on a fault: where findings name a unit, what it says of others is another matter; and so it
    /// is with the port, where it only describes what is known.
    fn as_heard(&self, fault: usize, n: usize, heard: &Heard) -> Answer {
        let (Some(names), Some(known)) = (&self.faults()[fault].probes[n].names, &self.culprits[fault]) else {
            return heard.answer.clone();
        };
        let from_finding = matches!(known.basis.first(), Some(Basis::Finding(_)));
        match (names.kind, known.entity.attributes.get("port")) {
            (Some(EntityKind::Unit), _) if known.entity.kind == EntityKind::Unit && from_finding => {
                reading::about(names, &heard.answer, "unit", &known.entity.name)
            }
            (None, Some(port)) => reading::about(names, &heard.answer, "port", port),
            _ => heard.answer.clone(),
        }
    }

    fn no_answer(&mut self, probe: &Probe, ask: &Ask, why: &Error) {
        let said = match why.kind() {
            ErrorKind::NotRecorded => "was not recorded".to_owned(),
            _ => format!("got no usable answer: {why}"),
        };
        let text = format!("{} `{ask}` {said}; nothing is concluded from it", probe.question);
        self.cx.emit_with(EventType::Probe, &text, serde_json::json!({ "probe": probe.id, "error": why }));
        self.limit(text);
        self.unanswered += match why.kind() {
            ErrorKind::Unreachable => GONE,
            ErrorKind::Deadline => 1,
            _ => 0,
        };
        if self.unanswered >= GONE {
            self.limit("the target did not answer, so nothing else was asked".into());
        }
    }

    fn says(&self, fault: usize, probe: &Probe, present: Option<bool>, named: bool) -> String {
        let mut parts = Vec::new();
        match (&probe.reading, present) {
            (Some(r), Some(true)) => parts.push(r.sentence.clone()),
            (Some(r), Some(false)) => parts.push(not_so(r)),
            _ => {}
        }
        match &self.culprits[fault] {
            Some(c) if named => parts.push(c.summary.clone()),
            _ if probe.reading.is_none() => parts.push("it names nothing".into()),
            _ => {}
        }
        parts.join("; ")
    }

    fn learn(&mut self, bearing: &[(usize, &Reading)], present: bool, basis: Basis) {
        let bears = |i: usize| p_of(bearing, i);
        let background = background_of(bearing);
        let said = Likelihood { fault: &bears, healthy: background, background, unknown: background };
        self.belief.update(&said, present);
        for (fault, reading) in bearing {
            if present {
                self.belief.strengthen(*fault, (reading.p.get() / background).ln());
                self.answers[*fault].push(basis);
            } else {
                self.against[*fault].push(not_so(reading));
            }
        }
    }
}
