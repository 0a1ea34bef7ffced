//! The investigator: works out which fault of the catalogue explains what was found, or that nothing is wrong, or
//! that it can't tell. Decision-theoretic troubleshooting (Heckerman, Breese, Rommelse, "Decision-theoretic
//! troubleshooting", CACM 38(3), 1995): belief by Bayes' rule, and always the question that is expected to tell
//! most for its cost. It sees findings, evidence and the host; never what was injected.

mod belief;
mod changes;
mod culprit;
mod inquiry;
mod passing;
mod recurrence;
mod silence;
#[cfg(test)]
mod tests;

use async_trait::async_trait;

use self::inquiry::Inquiry;
use crate::{
    agent::{Agent, AgentContext, Case},
    catalogue::Catalogue,
    error::Result,
    model::Diagnosis,
};

/// Works out the cause with a catalogue of faults.
///
/// What limits a conclusion is said in [`Diagnosis::limits`]: what could not be observed or asked, and faults that
/// are likely there *besides* the one that is named.
#[derive(Debug, Clone, Default)]
pub struct Investigator {
    catalogue: Catalogue,
}

impl Investigator {
    /// An investigator that knows these faults.
    #[must_use]
    pub fn new(catalogue: Catalogue) -> Self {
        Self { catalogue }
    }
}

#[async_trait]
impl Agent<Case, Diagnosis> for Investigator {
    async fn run(&self, cx: &AgentContext, case: &Case) -> Result<Diagnosis> {
        let mut inquiry = Inquiry::new(&self.catalogue, case, cx);
        inquiry.consider_findings();
        inquiry.ask_what_tells_most().await;
        inquiry.name_the_culprit().await;
        inquiry.ask_what_changed().await;
        Ok(inquiry.conclude())
    }
}
