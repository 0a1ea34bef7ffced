//! The collecting half: follows the sampler, polls the endpoint, reads files. Depends on nothing but what the streams
//! say and when they were stamped, so that a replay collects the same.

use std::{ops::Range, time::Duration};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{MetricsAgent, SAMPLER, files};
use crate::{
    agent::{Agent, AgentContext},
    analysis::{metrics::prometheus::Scrapes, proc::ProcSampler},
    error::{Error, ErrorKind, Result},
    host::ReadOnlyHost,
    model::{Ask, Body, End, EventType, Evidence, Gap, Series, Timestamp},
    transport::{Reply, Stream},
};

/// How often the endpoint is asked.
const POLL: Duration = Duration::from_secs(5);
/// How long it may take to answer.
const POLL_WITHIN: Duration = Duration::from_secs(10);
/// The most polls: a day of them. A replay does not wait between polls, so something must end them.
const MAX_POLLS: usize = 20_000;
/// How often the sampler is started at most: a target that is away this often is not there.
const MAX_STREAMS: usize = 20;
/// A sampler that prints once a second and said nothing for this long is no longer there, even if the connection has
/// not noticed yet.
const SILENT: Duration = Duration::from_secs(8);
/// Bytes of one body or file that are read.
const MAX_BODY: usize = 64 << 20;
/// Bytes of standard error that are kept to say why.
const MAX_STDERR: usize = 4096;

/// All that one source gave.
struct Source {
    name: String,
    series: Vec<Series>,
    /// What failed, and when, where a time is known.
    failures: Vec<(Option<Range<Timestamp>>, Error)>,
    /// First and last stamp of the source.
    span: Option<Range<Timestamp>>,
    summary: String,
}

#[async_trait]
impl Agent<ReadOnlyHost, Vec<Evidence>> for MetricsAgent {
    async fn run(&self, cx: &AgentContext, host: &ReadOnlyHost) -> Result<Vec<Evidence>> {
        let sources = if host.facts().live { self.live(cx, host).await } else { read_files(cx, host).await };
        report(cx, sources)
    }
}

impl MetricsAgent {
    async fn live(&self, cx: &AgentContext, host: &ReadOnlyHost) -> Vec<Source> {
        cx.emit(EventType::Evidence, "sampling /proc once a second");
        let over = Notify::new();
        let Some((port, path)) = &self.endpoint else { return vec![sample(host, &over).await] };
        let name = format!("http://127.0.0.1:{port}{path}");
        if host.capabilities().live && !host.capabilities().http_get {
            let why = Error::new(ErrorKind::Unsupported, "this transport cannot ask an HTTP endpoint");
            let failures = vec![(None, why.with("endpoint", &name))];
            let none = Source { name, series: Vec::new(), failures, span: None, summary: String::new() };
            return vec![sample(host, &over).await, none];
        }
        cx.emit(EventType::Evidence, format!("polling {name} every {} s", POLL.as_secs()));
        let ask = Ask::HttpGet { port: *port, path: path.clone() };
        let (sampled, polled) = tokio::join!(sample(host, &over), poll(host, name, ask, &over));
        vec![sampled, polled]
    }
}

/// Follows the sampler to the end of the window, anew where the target was away for a while.
async fn sample(host: &ReadOnlyHost, over: &Notify) -> Source {
    let mut sampler = ProcSampler::new();
    let mut source = Source {
        name: "/proc".to_owned(),
        series: Vec::new(),
        failures: Vec::new(),
        span: None,
        summary: String::new(),
    };
    let mut stderr = Vec::new();
    // Since when the target has been away, until when that is known at least, and why.
    let mut away: Option<(Range<Timestamp>, Error)> = None;
    for _ in 0..MAX_STREAMS {
        let mut reply = match host.follow(Ask::run(["sh", "-c", SAMPLER])).await {
            Ok(reply) => reply,
            // It was away until the end.
            Err(_) if away.is_some() => {
                over.notify_one();
                break;
            }
            Err(why) => {
                source.failures.push((None, why));
                return source;
            }
        };
        while let Some(chunk) = reply.next().await {
            match chunk.stream {
                Stream::Stdout => {
                    if let Some((span, why)) = away.take() {
                        source.failures.push((Some(span.start..chunk.at), why));
                        sampler.resume();
                    }
                    source.span = Some(source.span.map_or(chunk.at, |s| s.start)..chunk.at);
                    sampler.push(chunk.at, &chunk.bytes);
                }
                Stream::Stderr => keep(&mut stderr, &chunk.bytes, MAX_STDERR),
            }
        }
        let (end, at) = reply.end().expect("next returned None, which sets the end");
        let from = source.span.as_ref().map_or(at, |s| s.end);
        match end {
            End::Stopped => {
                over.notify_one();
                if at.since(from) > SILENT && source.span.is_some() && away.is_none() {
                    let why = Error::new(ErrorKind::Deadline, "not a word from it since then");
                    source.failures.push((Some(from..at), why));
                }
                break;
            }
            End::Failed(why) if why.kind() == ErrorKind::Unreachable => {
                away.get_or_insert_with(|| (from..at, why.clone()));
            }
            end => {
                source.failures.push((Some(from..at), why_ended(end, &stderr)));
                break;
            }
        }
    }
    source.failures.extend(away.map(|(span, why)| (Some(span), why)));
    let (frames, processes) = (sampler.frames(), sampler.processes());
    if frames == 0 && source.failures.is_empty() {
        let said = String::from_utf8_lossy(&stderr);
        let said = said.lines().find(|l| !l.trim().is_empty()).unwrap_or("/proc can't be read there");
        let why = format!("not one sample in the whole time: {}", said.escape_debug());
        source.failures.push((source.span.clone(), Error::new(ErrorKind::Unsupported, why)));
    }
    source.series = sampler.finish();
    source.summary = format!("{} series, {frames} samples, {processes} processes", source.series.len());
    source
}

/// Asks the endpoint until the window ends; a replay asks as often as was recorded, without waiting.
async fn poll(host: &ReadOnlyHost, name: String, ask: Ask, over: &Notify) -> Source {
    let live = host.capabilities().live;
    let mut scrapes = Scrapes::new();
    let mut source = Source { name, series: Vec::new(), failures: Vec::new(), span: None, summary: String::new() };
    // The first failure of those in a row, and the last good answer before it.
    let mut failing: Option<(Option<Timestamp>, Error)> = None;
    for _ in 0..MAX_POLLS {
        match scrape(host, &ask).await {
            Ok(None) => break,
            Ok(Some((text, at))) => match files::scrape(&text) {
                Ok(samples) => {
                    if let Some((from, why)) = failing.take() {
                        source.failures.push((Some(from.unwrap_or(at)..at), why));
                    }
                    scrapes.push(at, samples);
                    source.span = Some(source.span.map_or(at, |s| s.start)..at);
                }
                Err(why) => _ = failing.get_or_insert((source.span.as_ref().map(|s| s.end), why)),
            },
            Err(why) if why.kind() == ErrorKind::NotRecorded && !live => break,
            Err(why) if why.kind() == ErrorKind::Stopped => break,
            // These stay as they are, however often one asks.
            Err(why) if matches!(why.kind(), ErrorKind::Unsupported | ErrorKind::Refused) => {
                failing.get_or_insert((source.span.as_ref().map(|s| s.end), why));
                break;
            }
            Err(why) => _ = failing.get_or_insert((source.span.as_ref().map(|s| s.end), why)),
        }
        if live {
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = over.notified() => break,
            }
        }
    }
    if let Some((from, why)) = failing {
        source.failures.push((from.map(|t| t..t), why));
    }
    source.summary = format!("{} scrapes", scrapes.count());
    source.series = scrapes.finish();
    source.summary = format!("{} series, {}", source.series.len(), source.summary);
    source
}

/// One body and when it ended; `None` when the window ended meanwhile.
async fn scrape(host: &ReadOnlyHost, ask: &Ask) -> Result<Option<(String, Timestamp)>> {
    let reply = host.follow_within(ask.clone(), POLL_WITHIN).await?;
    let (body, end, at, _) = whole(reply).await?;
    match end {
        End::Stopped => Ok(None),
        End::Exited(0) => Ok(Some((String::from_utf8_lossy(&body).into_owned(), at))),
        End::Exited(status) => Err(Error::new(ErrorKind::CommandFailed, format!("the endpoint answered {status}"))),
        end => Err(why_ended(&end, &[])),
    }
}

/// Reads files with metrics, on a target that is nothing but files.
async fn read_files(cx: &AgentContext, host: &ReadOnlyHost) -> Vec<Source> {
    let paths = host.facts().metric_files.clone();
    cx.emit(EventType::Evidence, format!("reading {} files with metrics", paths.len()));
    let mut sources = Vec::new();
    for path in paths {
        let mut source =
            Source { name: path.clone(), series: Vec::new(), failures: Vec::new(), span: None, summary: String::new() };
        match read_file(host, &path).await {
            Ok(series) => source.series = series,
            Err(why) => source.failures.push((None, why)),
        }
        source.summary = format!("{} series", source.series.len());
        sources.push(source);
    }
    sources
}

async fn read_file(host: &ReadOnlyHost, path: &str) -> Result<Vec<Series>> {
    let reply = host.follow(Ask::run(["cat", path])).await?;
    let (body, end, at, stderr) = whole(reply).await?;
    // What was stopped may be whole all the same; if not, it won't parse.
    if !end.is_success() {
        return Err(why_ended(&end, &stderr));
    }
    files::file(path, &String::from_utf8_lossy(&body), at)
}

async fn whole(mut reply: Reply) -> Result<(Vec<u8>, End, Timestamp, Vec<u8>)> {
    let (mut body, mut stderr) = (Vec::new(), Vec::new());
    while let Some(chunk) = reply.next().await {
        match chunk.stream {
            Stream::Stdout if body.len() + chunk.bytes.len() > MAX_BODY => {
                return Err(
                    Error::new(ErrorKind::OutputLimit, "more output than the limit allows").with("max_bytes", MAX_BODY)
                );
            }
            Stream::Stdout => body.extend_from_slice(&chunk.bytes),
            Stream::Stderr => keep(&mut stderr, &chunk.bytes, MAX_STDERR),
        }
    }
    let (end, at) = reply.end().expect("next returned None, which sets the end");
    Ok((body, end.clone(), at, stderr))
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8], most: usize) {
    kept.extend_from_slice(&bytes[..bytes.len().min(most.saturating_sub(kept.len()))]);
}

fn why_ended(end: &End, stderr: &[u8]) -> Error {
    let text = String::from_utf8_lossy(stderr);
    let said = text.lines().find(|l| !l.trim().is_empty()).unwrap_or("it printed nothing");
    let how = match end {
        End::Failed(why) => return why.clone(),
        End::Exited(code) => format!("exit code {code}"),
        End::Signalled(signal) => format!("signal {signal}"),
        End::Stopped => "a stop".to_owned(),
    };
    Error::new(ErrorKind::CommandFailed, format!("the command ended early with {how}: {said}"))
}

/// Says what came of each source and makes it evidence. A source's gaps stand at its first series; a source without
/// any has an empty one, `up`, to hold them.
fn report(cx: &AgentContext, sources: Vec<Source>) -> Result<Vec<Evidence>> {
    let whole = sources.iter().filter_map(|s| s.span.clone()).reduce(|a, b| a.start.min(b.start)..a.end.max(b.end));
    let whole = whole.unwrap_or_default();
    let mut evidence = Vec::new();
    let (mut any, mut first_failure) = (false, None);
    for mut source in sources {
        any |= !source.series.is_empty();
        let mut gaps = Vec::new();
        for (span, why) in source.failures {
            cx.emit(EventType::Error, format!("{}: {why}", source.name));
            first_failure.get_or_insert_with(|| why.clone());
            // Without an end of its own it lasted as long as anything was seen.
            let span = span.unwrap_or(whole.clone());
            let end = if span.is_empty() { whole.end.max(span.start) } else { span.end };
            gaps.push(Gap { span: span.start..end, why });
        }
        if !source.summary.is_empty() {
            cx.emit(EventType::Evidence, format!("{}: {}", source.name, source.summary));
        }
        if source.series.is_empty() && !gaps.is_empty() {
            source.series.push(Series { name: "up".to_owned(), unit: "1".to_owned(), ..Series::default() });
        }
        for series in source.series {
            let gaps = std::mem::take(&mut gaps);
            evidence.push(Evidence { source: source.name.clone(), body: Body::Metric(series), gaps });
        }
    }
    match first_failure {
        Some(why) if !any => Err(why),
        _ => Ok(evidence),
    }
}
