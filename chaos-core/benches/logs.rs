//! What mining a log and a first look at it cost, beside reading and splitting the same file: `cargo bench --bench logs -- FILE`.

#![allow(clippy::print_stdout)] // that is what it is for

use std::{fs::File, hint::black_box, io::Read, time::Instant};

use chaos_core::{
    analysis::logs::{Glance, Lines, LogMiner},
    model::Timestamp,
};

const ROUNDS: usize = 5;
/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

fn main() {
    // `cargo test --benches` runs this too.
    let Some(file) = std::env::args().nth(1).filter(|a| !a.starts_with("--")) else { return };
    let (mut split, mut glanced, mut mined) = (Vec::new(), Vec::new(), Vec::new());
    let (mut lines, mut templates, mut bytes) = (0, 0, 0);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        lines = 0;
        let mut splitter = Lines::default();
        bytes = pieces(&file, |piece| {
            splitter.push(piece, |line| {
                black_box(line);
                lines += 1;
            });
        });
        split.push(started.elapsed().as_secs_f64());
        let started = Instant::now();
        let mut glance = Glance::new(Timestamp::default());
        pieces(&file, |piece| glance.push(piece));
        black_box(glance.finish());
        glanced.push(started.elapsed().as_secs_f64());
        let started = Instant::now();
        let mut miner = LogMiner::new(Timestamp::default()).counting();
        pieces(&file, |piece| miner.push(Timestamp::default(), piece));
        templates = miner.survey().templates.len();
        mined.push(started.elapsed().as_secs_f64());
    }
    let (split, glanced, mined) = (median(&mut split), median(&mut glanced), median(&mut mined));
    println!(
        "chaos-core: {:.2} M lines/s ({:.2} GB/s), {templates} templates; reading and splitting alone {:.2} M lines/s, {:.1} times as fast",
        lines as f64 / mined / 1e6,
        bytes as f64 / mined / 1e9,
        lines as f64 / split / 1e6,
        mined / split
    );
    println!("a first look: {:.2} M lines/s ({:.2} GB/s)", lines as f64 / glanced / 1e6, bytes as f64 / glanced / 1e9);
}

fn pieces(file: &str, mut each: impl FnMut(&[u8])) -> u64 {
    let mut input = File::open(file).expect("the file is there");
    let mut piece = vec![0; PIECE];
    let mut all = 0;
    loop {
        match input.read(&mut piece).expect("it can be read") {
            0 => return all,
            n => {
                all += n as u64;
                each(&piece[..n]);
            }
        }
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
