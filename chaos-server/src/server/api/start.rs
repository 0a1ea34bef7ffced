//! `POST /start_incident`: from a request to a run.

use std::{
    collections::BTreeMap,
    path::{Component, Path},
    sync::Arc,
};

use axum::{
    Extension,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use chaos_core::{error::ErrorKind, model::RunOptions};
use serde::Deserialize;
use serde_json::json;

use crate::{
    commands::{
        chaos::{Chaos, Wanted},
        run::{BASELINE, OBSERVE},
    },
    config::{Endpoint, Seconds},
    server::{
        Server,
        access::Who,
        input::{Input, Object},
        problem::Problem,
        runs::{self, Job, Request, Subject, TargetVm},
    },
};

/// Most log files and arguments of one request.
const MOST: usize = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct StartRequest {
    scenario: Option<String>,
    target: Option<String>,
    target_vm: Option<Object<TargetVm>>,
    #[serde(default)]
    options: Object<StartOptions>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StartOptions {
    duration: Option<Seconds>,
    baseline: Option<Seconds>,
    observe: Option<Seconds>,
    max_runtime: Option<Seconds>,
    args: BTreeMap<String, Argument>,
    log_files: Vec<String>,
    metrics: Option<Endpoint>,
    rehearse: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Argument {
    Text(String),
    Number(i64),
}

pub(in crate::server) async fn start(
    State(server): State<Arc<Server>>,
    Extension(who): Extension<Who>,
    Input(request): Input<StartRequest>,
) -> Result<Response, Problem> {
    let (subject, vm) = subject(&server, &request).await?;
    let job = job(&server, subject, vm, &request, &who.name)?;
    let (live, queued) = runs::start(&server, &who.name, job).await?;
    let status = if queued { "queued" } else { "started" };
    let mut response = super::json(&json!({ "incident_id": live.id, "status": status }));
    *response.status_mut() = StatusCode::ACCEPTED;
    if let Ok(place) = HeaderValue::from_str(&format!("/incidents/{}", live.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response.into_response())
}

async fn subject(server: &Server, request: &StartRequest) -> Result<(Subject, Option<TargetVm>), Problem> {
    match (&request.target, &request.target_vm) {
        (Some(name), None) => Ok((Subject::named(&server.settings, name)?, None)),
        (None, Some(Object(vm))) => Ok((Subject::described(&server.settings, vm).await?, Some(vm.clone()))),
        _ => Err(Problem::invalid("say which machine: one of target (see GET /targets) and target_vm")),
    }
}

/// A job for a target as it is, by the defaults.
pub(super) fn plain(server: &Server, target: &str, caller: &str) -> Result<Job, Problem> {
    let request =
        StartRequest { scenario: None, target: Some(target.to_owned()), target_vm: None, options: Object::default() };
    job(server, Subject::named(&server.settings, target)?, None, &request, caller)
}

fn job(
    server: &Server,
    subject: Subject,
    vm: Option<TargetVm>,
    request: &StartRequest,
    caller: &str,
) -> Result<Job, Problem> {
    let (config, Object(given)) = (&server.settings.config, &request.options);
    let usual = if request.scenario.is_some() { config.baseline.unwrap_or(BASELINE) } else { Seconds(0) };
    let Seconds(baseline_s) = given.baseline.unwrap_or(usual);
    let Seconds(observe_s) = given.observe.or(config.observe).unwrap_or(OBSERVE);
    if observe_s == 0 {
        return Err(Problem::invalid("options.observe must be at least 1 s: without observation there is no evidence"));
    }
    let chaos = match &request.scenario {
        Some(scenario) => Some(chaos(&subject, scenario, given, observe_s)?),
        None if given.duration.is_some() || given.max_runtime.is_some() || !given.args.is_empty() => {
            return Err(Problem::invalid(
                "options.duration, max_runtime and args are for a scenario, and none is named",
            ));
        }
        None => None,
    };
    let endpoint = given.metrics.as_ref().or(config.metrics.as_ref());
    let options = RunOptions {
        baseline_s,
        observe_s,
        log_files: log_files(server, &given.log_files)?,
        metrics_endpoint: endpoint.map(|Endpoint(port, path)| (*port, path.clone())),
    };
    let scenario = request.scenario.clone();
    let info = subject.info.clone();
    let request = Request { target: info.name, kind: info.kind, vm, scenario, caller: caller.to_owned() };
    let rehearse = given.rehearse.or(config.rehearse).unwrap_or(true);
    Ok(Job { subject, request, chaos, options, rehearse })
}

fn chaos(subject: &Subject, scenario: &str, given: &StartOptions, observe_s: u32) -> Result<Chaos, Problem> {
    if !subject.is_live() {
        return Err(Problem::new(ErrorKind::Unsupported, "no fault can be injected into files"));
    }
    if given.args.len() > MOST {
        return Err(Problem::invalid("options.args has too many entries"));
    }
    let set: Vec<String> = given
        .args
        .iter()
        .map(|(key, value)| match value {
            Argument::Text(text) => format!("{key}={text}"),
            Argument::Number(number) => format!("{key}={number}"),
        })
        .collect();
    let wanted = Wanted {
        scenario,
        set: &set,
        duration: given.duration,
        max_runtime: given.max_runtime,
        observe_s,
        allow_unmarked: false,
    };
    let chaos = Chaos::new(&wanted)?;
    if !subject.allow_chaos {
        let detail = "no fault may be injected into this target; where it may be broken, the configuration says allow_chaos = true";
        return Err(Problem::new(ErrorKind::Refused, detail));
    }
    Ok(chaos)
}

/// The configured log files, and those of the request, which must lie where the configuration allows it: a target may
/// be this machine, and whoever may start an incident need not be allowed to read all of it.
fn log_files(server: &Server, wanted: &[String]) -> Result<Vec<String>, Problem> {
    if wanted.len() > MOST {
        return Err(Problem::invalid(format!("options.log_files has more than {MOST} entries")));
    }
    let dirs = &server.settings.config.server.log_dirs;
    let mut files = server.settings.config.log_files.clone();
    for file in wanted {
        let path = Path::new(file);
        let plain =
            path.is_absolute() && path.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
        let inside = dirs.iter().any(|dir| path.starts_with(dir));
        if !plain || !inside || file.chars().any(char::is_control) {
            return Err(Problem::new(
                ErrorKind::Refused,
                format!("options.log_files: {file:?} is in none of server.log_dirs"),
            ));
        }
        files.push(file.clone());
    }
    Ok(files)
}
