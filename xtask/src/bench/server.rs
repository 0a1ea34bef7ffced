//! The server: how soon it is there, what it takes of the processor for an answer beside a FastAPI coordinator, and how
//! it does with many incidents and many who stream.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{machine, status_kb};
use crate::run::{Done, command, root, run};

const GETS: usize = 8000;
const POSTS: usize = 8000;
/// Connections that ask at once, so that the server always has something to do, and requests before what is counted.
const CLIENTS: usize = 16;
const WARM: usize = 320;
const AT_ONCE: usize = 200;
const STREAMS: usize = 1000;
const PEERS: [&str; 2] = ["fastapi==0.165.0", "uvicorn==0.54.0"];
const VENV: &str = "target/bench-venv";
const ID: &str = "inc-20260101-001";

type Said<T> = Result<T, String>;

pub(super) fn all() -> Done {
    run(command("cargo").args(["build", "--release", "--locked", "-p", "chaos-server"]))?;
    let place = Place::within(&root().join("target"))?;
    let dir = &place.0;
    println!("{}", machine());
    there(dir)?;
    beside(dir)?;
    many(dir)?;
    streams(dir)?;
    pdf(dir)
}

/// Where the servers write. A new one each time, taken away at the end: for some seconds after many files were deleted
/// ext4 passes over their places, one by one, for every file that is made.
struct Place(PathBuf);

impl Place {
    fn within(folder: &Path) -> Said<Self> {
        let place = Self(folder.join(format!("bench-server-{}", std::process::id())));
        fs::create_dir_all(place.0.join("incidents")).map_err(|e| format!("{}: {e}", place.0.display()))?;
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server, ours or a peer, that ends with its value.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ours(dir: &Path, server: &str) -> Said<Server> {
    let binary = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    started_by(Command::new(binary.join("release/chaos-handler")), dir, server)
}

/// The same on one core, which it has for itself.
fn ours_on_a_core(dir: &Path, server: &str) -> Said<Server> {
    let binary = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", SERVERS]).arg(binary.join("release/chaos-handler"));
    started_by(pinned, dir, server)
}

fn started_by(mut program: Command, dir: &Path, server: &str) -> Said<Server> {
    let demo = root().join("examples/incidents/cpu_spike");
    let text = format!(
        "incidents = 'incidents'\nrehearse = false\n[server]\nseveral_per_target = true\n{server}\n\
         [targets.demo]\nreplay = {demo:?}\n[targets.here]\naddress = 'local'\n"
    );
    fs::write(dir.join("chaos-handler.toml"), text).map_err(|e| e.to_string())?;
    let mut child = program
        .args(["serve", "--listen", "127.0.0.1:0", "--json"])
        .current_dir(dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("chaos-handler: {e}"))?;
    let mut line = String::new();
    let out = child.stdout.take().ok_or("no output")?;
    BufReader::new(out).read_line(&mut line).map_err(|e| e.to_string())?;
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('"').next()).ok_or("it does not listen")?;
    Ok(Server { child, address: address.to_owned() })
}

/// A connection that is kept.
struct Client(BufReader<TcpStream>);

impl Client {
    fn new(address: &str) -> Said<Self> {
        let stream = TcpStream::connect(address).map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).map_err(|e| e.to_string())?;
        Ok(Self(BufReader::new(stream)))
    }

    fn send(&mut self, request: &str) -> Said<()> {
        self.0.get_mut().write_all(request.as_bytes()).map_err(|e| e.to_string())
    }

    fn ask(&mut self, request: &str) -> Said<(u16, String)> {
        self.send(request)?;
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).map_err(|e| e.to_string())? == 0 {
                return Err("the connection was closed".into());
            }
            let lower = line.trim().to_ascii_lowercase();
            if let Some(rest) = lower.strip_prefix("http/1.1 ") {
                status = rest.split(' ').next().and_then(|s| s.parse().ok()).unwrap_or(0);
            } else if let Some(n) = lower.strip_prefix("content-length:") {
                length = n.trim().parse().unwrap_or(0);
            } else if lower.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).map_err(|e| e.to_string())?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn there(dir: &Path) -> Done {
    let mut took = Vec::new();
    for _ in 0..5 {
        let since = Instant::now();
        let server = ours(dir, "")?;
        let (status, _) = Client::new(&server.address)?.ask(&get("/readyz"))?;
        took.push((since.elapsed(), status));
        thread::sleep(Duration::from_millis(300));
        if took.len() == 5 {
            took.sort();
            println!(
                "ready after {} ms (median of 5), {} kB resident when idle, {} kB of that its own and no part of a file",
                took[2].0.as_millis(),
                status_kb(server.child.id(), "VmRSS:"),
                status_kb(server.child.id(), "RssAnon:")
            );
        }
    }
    Ok(())
}

/// Seconds of the processor that a process took.
fn cpu(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    ticks / 100.0
}

/// What a server made of many requests.
struct Served {
    /// Answers for a second of its processor.
    rate: f64,
    /// 99 of 100 were answered within this.
    p99: Duration,
}

/// Asks as many at once as there are [`CLIENTS`], first some that are not counted.
fn served(server: &Server, times: usize, request: &str, wanted: u16) -> Said<Served> {
    asked(server, WARM, request, wanted)?;
    let before = cpu(server.child.id());
    let mut took = asked(server, times, request, wanted)?;
    let used = (cpu(server.child.id()) - before).max(0.01);
    took.sort();
    Ok(Served { rate: took.len() as f64 / used, p99: took[took.len() * 99 / 100] })
}

fn asked(server: &Server, times: usize, request: &str, wanted: u16) -> Said<Vec<Duration>> {
    let ask = || -> Said<Vec<Duration>> {
        let mut client = Client::new(&server.address)?;
        let mut took = Vec::with_capacity(times / CLIENTS);
        for _ in 0..times / CLIENTS {
            let since = Instant::now();
            let (status, body) = client.ask(request)?;
            took.push(since.elapsed());
            if status != wanted {
                return Err(format!("{status}, not {wanted}: {body}"));
            }
        }
        Ok(took)
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        let mut all = Vec::with_capacity(times);
        for client in clients {
            all.extend(client.join().map_err(|_| "a client panicked".to_owned())??);
        }
        Ok(all)
    })
}

/// The processors of the servers that are compared, and of all others meanwhile.
const SERVERS: &str = "0";
const OTHERS: &str = "1-1023";

/// Where this process runs, until the value is dropped. A machine with one processor has no other.
struct Pinned;

impl Pinned {
    fn beside_the_server() -> Self {
        pin(OTHERS);
        Self
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        pin("0-1023");
    }
}

fn pin(cpus: &str) {
    let own = std::process::id().to_string();
    let _ = Command::new("taskset").args(["-a", "-c", "-p", cpus, &own]).stdout(Stdio::null()).status();
}

fn beside(dir: &Path) -> Done {
    let python = format!("{VENV}/bin/python");
    if !root().join(&python).is_file() {
        run(command("python3").args(["-m", "venv", VENV]))?;
    }
    run(command(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PEERS))?;
    let incident = dir.join("incidents").join(ID);
    fs::create_dir_all(&incident).map_err(|e| e.to_string())?;
    fs::copy(root().join("examples/incidents/cpu_spike/incident.json"), incident.join("incident.json"))
        .map_err(|e| e.to_string())?;
    let event = |seq: usize| {
        format!(
            "{{\"seq\":{seq},\"timestamp\":\"2026-01-01T00:00:00.000Z\",\"phase\":\"done\",\"agent\":\"LogAgent\",\"type\":\"evidence\",\
             \"content\":\"journald: 66 lines, 23 patterns, 0 severe\",\"previous_sha256\":\"{seq:064}\"}}"
        )
    };
    let events: Vec<String> = (0..200).map(event).collect();
    let trace = incident.join("trace.json");
    fs::write(&trace, format!("[\n{}\n]\n", events.join(",\n"))).map_err(|e| e.to_string())?;

    let status = get(&format!("/status/{ID}"));
    let _pinned = Pinned::beside_the_server();
    let server = ours_on_a_core(dir, "")?;
    let gets = served(&server, GETS, &status, 200)?;
    drop(server);
    let theirs = fastapi(&python, &dir.join("peer"), &trace)?;
    let peer_gets = served(&theirs, GETS / 4, &status, 200)?;
    drop(theirs);
    println!(
        "answers a second of the server's processor, and 99 of 100 within; then FastAPI and uvicorn on the same requests \
         ({CLIENTS} at once, each server on a core of its own):"
    );
    let told = |what: &str, ours: &Served, theirs: &Served| {
        let ms = |d: Duration| d.as_secs_f64() * 1000.0;
        println!(
            "  {what:<40} {:>7.0} {:>6.1} ms  {:>7.0} {:>6.1} ms  {:.1}×",
            ours.rate,
            ms(ours.p99),
            theirs.rate,
            ms(theirs.p99),
            ours.rate / theirs.rate
        );
    };
    told("GET /status, 200 events", &gets, &peer_gets);
    // What a file costs on a disk depends on what was deleted there before: in memory only the servers are measured.
    let mut places = vec![("on the disk", dir.to_owned(), None)];
    match Place::within(Path::new("/dev/shm")) {
        Ok(place) => places.push(("in memory", place.0.clone(), Some(place))),
        Err(why) => println!("  not measured in memory: {why}"),
    }
    // Incidents wait behind one that goes on, so that only their start is measured: it waits for a machine that never
    // says a word, which costs nothing.
    let silent = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    let silent = format!(
        "max_running = 1\nmax_queued = 9999\n[targets.silent]\naddress = 'root@{}'\n",
        silent.local_addr().map_err(|e| e.to_string())?
    );
    for (name, dir, _place) in &places {
        let server = ours_on_a_core(dir, &silent)?;
        let mut client = Client::new(&server.address)?;
        let first = started(&client.ask(&post("/start_incident", "{\"target\":\"silent\"}"))?.1)?;
        let start = post("/start_incident", "{\"target\":\"demo\",\"options\":{\"observe\":30}}");
        let posts = served(&server, POSTS, &start, 202)?;
        if !client.ask(&get(&format!("/status/{first}")))?.1.contains("\"status\":\"running\"") {
            return Err("the first incident ended, and others began: that is not what is to be measured".into());
        }
        drop(server);
        let theirs = fastapi(&python, &dir.join("peer-posts"), &trace)?;
        let peer_posts = served(&theirs, POSTS, &start, 202)?;
        told(&format!("POST /start_incident, files {name}"), &posts, &peer_posts);
    }
    Ok(())
}

/// FastAPI's server on an empty folder.
fn fastapi(python: &str, dir: &Path, trace: &Path) -> Said<Server> {
    let address = "127.0.0.1:18099";
    fs::create_dir_all(dir).map_err(|e| e.to_string())?;
    let child = command("taskset")
        .args(["-c", SERVERS, python])
        .arg("xtask/peers/with_fastapi.py")
        .args([dir, trace])
        .arg("18099")
        .spawn()
        .map_err(|e| format!("the peer: {e}"))?;
    let peer = Server { child, address: address.to_owned() };
    let until = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address).is_err() && Instant::now() < until {
        thread::sleep(Duration::from_millis(100));
    }
    Ok(peer)
}

fn started(answer: &str) -> Said<String> {
    answer
        .split("\"incident_id\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .map(str::to_owned)
        .ok_or_else(|| answer.to_owned())
}

fn many(dir: &Path) -> Done {
    let server = ours(dir, &format!("max_running = {AT_ONCE}"))?;
    let mut client = Client::new(&server.address)?;
    let since = Instant::now();
    let mut ids = Vec::new();
    for _ in 0..AT_ONCE {
        let (_, answer) = client.ask(&post("/start_incident", "{\"target\":\"demo\"}"))?;
        ids.push(started(&answer)?);
    }
    let (mut took, mut left) = (Vec::new(), ids.clone());
    while let Some(id) = left.last() {
        let asked = Instant::now();
        let (_, answer) = client.ask(&get(&format!("/status/{id}")))?;
        took.push(asked.elapsed());
        if !answer.contains("\"status\":\"running\",") {
            left.pop();
        }
        thread::sleep(Duration::from_millis(2));
    }
    let all = since.elapsed();
    took.sort();
    let p99 = took[took.len() * 99 / 100];
    let mut whole = 0;
    for id in &ids {
        let (_, answer) = client.ask(&get(&format!("/status/{id}")))?;
        whole += usize::from(
            answer.contains("\"status\":\"completed\"")
                && (0..42).all(|seq| answer.contains(&format!("{{\"seq\":{seq},"))),
        );
    }
    let peak = status_kb(server.child.id(), "VmHWM:") / 1024;
    println!(
        "{AT_ONCE} replays at once in {:.1} s: {whole} with every event, at most {peak} MB resident, /status p99 {:.1} ms of {}",
        all.as_secs_f64(),
        p99.as_secs_f64() * 1000.0,
        took.len()
    );
    Ok(())
}

/// A report as PDF: the first, for which fonts are read, and those after it.
fn pdf(dir: &Path) -> Done {
    let server = ours(dir, "")?;
    let mut client = Client::new(&server.address)?;
    let (_, answer) = client.ask(&post("/start_incident", "{\"target\":\"demo\"}"))?;
    let id = started(&answer)?;
    while client.ask(&get(&format!("/status/{id}")))?.1.contains("\"status\":\"running\"") {
        thread::sleep(Duration::from_millis(20));
    }
    let mut took = Vec::new();
    for _ in 0..12 {
        let since = Instant::now();
        let (status, body) = client.ask(&get(&format!("/report/{id}?format=pdf")))?;
        took.push(since.elapsed());
        if status != 200 || !body.starts_with("%PDF") {
            return Err(format!("no PDF: {status}"));
        }
    }
    let first = took.remove(0);
    took.sort();
    println!(
        "a report as PDF: {} ms the first time, then {} ms (median of {})",
        first.as_millis(),
        took[took.len() / 2].as_millis(),
        took.len()
    );
    Ok(())
}

fn streams(dir: &Path) -> Done {
    let server = ours(dir, "")?;
    let mut client = Client::new(&server.address)?;
    let (_, answer) = client.ask(&post("/start_incident", "{\"target\":\"here\",\"options\":{\"observe\":8}}"))?;
    let id = started(&answer)?;
    let request =
        format!("GET /incidents/{id}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
    let listen = |address: String, request: String| -> Said<Vec<u64>> {
        let mut client = Client::new(&address)?;
        client.send(&request)?;
        let (mut seqs, mut line) = (Vec::new(), String::new());
        while client.0.read_line(&mut line).map_err(|e| e.to_string())? > 0 && !line.starts_with("event: end") {
            seqs.extend(line.trim().strip_prefix("id: ").and_then(|n| n.parse::<u64>().ok()));
            line.clear();
        }
        Ok(seqs)
    };
    let spawn = |_| {
        let (address, request) = (server.address.clone(), request.clone());
        thread::Builder::new().stack_size(128 << 10).spawn(move || listen(address, request)).map_err(|e| e.to_string())
    };
    let clients = (0..STREAMS).map(spawn).collect::<Said<Vec<_>>>()?;
    let mut peak = 0;
    let heard: Vec<Said<Vec<u64>>> = clients
        .into_iter()
        .map(|c| {
            let heard = c.join().map_err(|_| "a client panicked".to_owned())?;
            peak = status_kb(server.child.id(), "VmHWM:");
            heard
        })
        .collect();
    let most = heard.iter().filter_map(|h| h.as_ref().ok()).map(Vec::len).max().unwrap_or(0) as u64;
    let whole = heard.iter().filter(|h| h.as_ref().is_ok_and(|seqs| seqs.iter().copied().eq(0..most))).count();
    println!(
        "{STREAMS} event streams on one incident: {whole} got all {most} events in order, at most {} MB resident",
        peak / 1024
    );
    Ok(())
}
