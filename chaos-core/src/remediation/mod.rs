//! Carrying out a plan that a person approved. Besides a scenario this is the only thing that changes a target, and it
//! runs nothing but the commands of exactly that plan: preconditions again, one action after the other, each with its
//! time, its checks afterwards, and its way back.

mod aftermath;
mod apply;
mod approval;
#[cfg(test)]
mod tests;
mod told;

pub use self::{
    aftermath::{compare, still_odd},
    apply::{Apply, Progress},
    approval::check,
    told::{applied_md, report_with},
};
