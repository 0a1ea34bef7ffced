//! The fuzz targets of `chaos-core/tests/fuzz` for libFuzzer. A package of its own, outside of the workspace: it wants a
//! nightly toolchain and a C++ compiler, which nothing else here does.

#![forbid(unsafe_code)]
#![allow(missing_docs)]

#[path = "../../chaos-core/tests/fuzz/mod.rs"]
mod fuzz;

/// Runs the target of that name on one input.
pub fn run(target: &str, input: &[u8]) {
    let (_, run) = fuzz::TARGETS.iter().find(|(name, _)| *name == target).expect("a target of that name");
    run(input);
}
