//! The contract with plugins, one folder a version. What stands outside of these folders knows the model alone, so that
//! a version that was released never has to change.

pub(crate) mod v0_1_0;
