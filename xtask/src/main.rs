//! The project's own chores: `cargo xtask test`, `e2e`, `api`, `browser`, `python`, `fuzz`, `lint`, `dashboard`, `bench`,
//! `eval`, `examples`.

mod api;
mod bench;
mod dashboard;
mod e2e;
mod eval;
mod examples;
mod fuzz;
mod guests;
mod python;
mod run;

use std::process::ExitCode;

const HELP: &str = "cargo xtask <command>

  test       all tests: of the workspace, of the shell scripts, of the API by its description, in a browser, of the Python
             package, and on a virtual machine
  e2e        those on a virtual machine, real faults over SSH: all, or those whose names contain the words given
  api        the served API against its OpenAPI document, by schemathesis
  browser    those of the dashboard, in a real browser: all, or those whose names contain the words given
  python     those of the Python package, in an environment of its own: all, or as pytest's arguments say
  guests     the example plugins in Python and JavaScript, by tools from PyPI and npm
  fuzz       what reads bytes of a host or of a file, under libFuzzer: `fuzz [SECONDS of each] [TARGET…]`
  lint       formatting, clippy, docs, shellcheck, the package of chaos-core, the dashboard's build
  dashboard  builds the dashboard anew, and fails when what is committed was another
  bench      the measurements that README quotes, each printed with its machine; `bench dashboard`;
             `bench logs`, `bench plugins`, `bench python`, `bench server`, `bench ssh`: beside others
  eval       how good the analysis is, on labelled data where there is some: `eval logs`, `metrics`, `commands`, or all
  examples   makes the outputs in examples/incidents anew from their recordings, after a change of what is written
";

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let done = match command.as_str() {
        "test" => run::test(),
        "e2e" => e2e::test(&std::env::args().skip(2).collect::<Vec<_>>()),
        "api" => api::test(),
        "browser" => dashboard::browser(&std::env::args().skip(2).collect::<Vec<_>>()),
        "python" => python::test(&std::env::args().skip(2).collect::<Vec<_>>()),
        "dashboard" => dashboard::check(),
        "guests" => guests::test(),
        "fuzz" => fuzz::fuzz(&std::env::args().skip(2).collect::<Vec<_>>()),
        "lint" => run::lint(),
        "bench" => bench::bench(&std::env::args().skip(2).collect::<Vec<_>>()),
        "eval" => eval::eval(&std::env::args().skip(2).collect::<Vec<_>>()),
        "examples" => examples::renew(),
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
