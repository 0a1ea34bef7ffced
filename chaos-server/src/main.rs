//! `chaos-handler`, the command line of AI Chaos-Handler.

use std::process::ExitCode;

fn main() -> ExitCode {
    chaos_server::main()
}
