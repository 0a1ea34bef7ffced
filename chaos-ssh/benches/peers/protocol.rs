//! What each client under measurement does, and how it says what it took: `PEER version`, or `PEER MEASURE COUNT` with
//! the server in `SSH_BENCH_*`. The scripts in Python beside this one answer the same. Prints a line per sample, in
//! milliseconds; knows nothing of who compares them.
//!
//! - `connect N`: N times one after the other, a connection, the login and one command; closing it is not counted.
//! - `exec N`: N commands one after the other, on a connection that is open.
//! - `stdout N`: N bytes of output, on a connection that is open.
//! - `many N`: N connections, each of which runs a command; all stay open until standard input ends, so that the
//!   memory can be looked at.

use std::{
    env,
    error::Error,
    future::Future,
    io::Read,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinSet, time::Instant};

/// A program, where a shell's builtin would be none: every client has the same process started.
pub(crate) const COMMAND: &str = "/bin/true";
/// How many logins are under way at once, with every client: a server's queue is short.
const LOGINS: usize = 50;
/// Between two connections, so that the server has cleared the last one away.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) type Done<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The server that is connected to.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub port: u16,
    pub user: String,
    pub key: PathBuf,
    pub known_hosts: PathBuf,
}

/// A client.
pub(crate) trait Peer {
    type Connection: Send + Sync + 'static;

    fn version() -> String;
    /// A connection that is logged in.
    fn connect(server: &Server) -> impl Future<Output = Done<Self::Connection>> + Send;
    /// Runs [`COMMAND`] until it has ended with exit code 0.
    fn run(connection: &Self::Connection) -> impl Future<Output = Done<()>> + Send;
    /// Runs a command and counts its output, keeping none.
    fn count(connection: &Self::Connection, command: String) -> impl Future<Output = Done<u64>> + Send;
}

/// Answers the command line. With two workers, as `chaos-handler` has.
pub(crate) fn main<P: Peer + 'static>() -> Done<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["version"] => println!("{}", P::version()),
        [measure, count] => {
            // On a worker, where everything else runs that asks: the main thread would be woken for each piece.
            let (measure, count) = (measure.to_owned(), count.parse()?);
            runtime.block_on(runtime.spawn(async move { measured::<P>(&measure, count).await }))??;
        }
        _ => return Err("usage: version | MEASURE COUNT".into()),
    }
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

async fn measured<P: Peer + 'static>(measure: &str, count: usize) -> Done<()> {
    let server = Server {
        port: env::var("SSH_BENCH_PORT")?.parse()?,
        user: env::var("SSH_BENCH_USER")?,
        key: env::var("SSH_BENCH_KEY")?.into(),
        known_hosts: env::var("SSH_BENCH_KNOWN_HOSTS")?.into(),
    };
    match measure {
        "connect" => {
            for _ in 0..count {
                let started = Instant::now();
                let connection = P::connect(&server).await?;
                P::run(&connection).await?;
                say(started);
                drop(connection);
                tokio::time::sleep(PAUSE).await;
            }
        }
        "exec" => {
            let connection = P::connect(&server).await?;
            for _ in 0..count {
                let started = Instant::now();
                P::run(&connection).await?;
                say(started);
            }
        }
        "stdout" => {
            let connection = P::connect(&server).await?;
            let started = Instant::now();
            let got = P::count(&connection, format!("head -c {count} /dev/zero")).await?;
            say(started);
            if got != count as u64 {
                return Err(format!("{got} bytes came in place of {count}").into());
            }
        }
        "many" => {
            let started = Instant::now();
            let held = many::<P>(&server, count).await?;
            say(started);
            let until = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
            until.await??;
            drop(held);
        }
        _ => return Err(format!("no such measure: {measure}").into()),
    }
    Ok(())
}

async fn many<P: Peer + 'static>(server: &Server, count: usize) -> Done<Vec<P::Connection>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..LOGINS.min(count) {
        let (server, next) = (server.clone(), next.clone());
        workers.spawn(async move {
            let mut held = Vec::new();
            while next.fetch_add(1, Ordering::Relaxed) < count {
                let connection = P::connect(&server).await?;
                P::run(&connection).await?;
                held.push(connection);
            }
            Done::Ok(held)
        });
    }
    let mut held = Vec::with_capacity(count);
    while let Some(worker) = workers.join_next().await {
        held.extend(worker??);
    }
    Ok(held)
}

fn say(started: Instant) {
    println!("{:.3}", started.elapsed().as_secs_f64() * 1e3);
}
