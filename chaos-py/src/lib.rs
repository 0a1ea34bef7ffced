//! The module behind the Python package `chaos_handler`: it converts, calls the engine and converts back. What a user
//! sees of it (names, defaults, documentation, dataframes, HTML) is in `python/chaos_handler/`.

#![allow(missing_debug_implementations)] // what Python shows of an object is its `__repr__`

mod agents;
mod analysis;
mod arrow;
mod convert;
mod errors;
mod evidence;
mod host;
mod page;
mod run;
mod runtime;
mod setup;
mod sink;
mod target;
mod testing;
mod transport;

/// What the package calls. Nothing here is for users: it may change with any version.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::analysis::{Miner, assess, evaluate};
    #[pymodule_export]
    use crate::evidence::{
        Column, ColumnIterator, Known, LogStream, MetricSeries, Seen, log_stream, metric_series, metric_series_packed,
        open_incident,
    };
    #[pymodule_export]
    use crate::host::{Context, Followed, Host};
    #[pymodule_export]
    use crate::page::{chart, markdown_to_html};
    #[pymodule_export]
    use crate::run::Run;
    #[pymodule_export]
    use crate::runtime::stop_all;
    #[pymodule_export]
    use crate::setup::{Setup, scenarios};
    #[pymodule_export]
    use crate::target::Target;
    #[pymodule_export]
    use crate::testing::{check_sink, check_transport};
    #[pymodule_export]
    use crate::transport::TransportRequest;
}
