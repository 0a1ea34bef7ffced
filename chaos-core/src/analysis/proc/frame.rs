//! One frame's lines as typed values, borrowed from the lines. Knows the fields of each line and nothing across frames.

/// What one frame says; what it doesn't say is empty.
#[derive(Debug, Default)]
pub(super) struct Frame<'a> {
    /// Ticks by mode: user, nice, system, idle, iowait, irq, softirq, steal, guest, guest nice.
    pub(super) cpu: Vec<f64>,
    /// From `s` lines other than `cpu`.
    pub(super) stat: Vec<(&'a str, f64)>,
    /// KiB.
    pub(super) memory: Vec<(&'a str, f64)>,
    /// Reads, sectors read, writes, sectors written, milliseconds busy.
    pub(super) disks: Vec<(&'a str, [f64; 5])>,
    /// Bytes, packets, errors, dropped received and sent.
    pub(super) interfaces: Vec<(&'a str, [f64; 8])>,
    pub(super) tcp: Vec<(&'a str, f64)>,
    pub(super) load: Option<f64>,
    pub(super) vmstat: Vec<(&'a str, f64)>,
    /// Resource, kind, microseconds.
    pub(super) pressure: Vec<(&'a str, &'a str, f64)>,
    /// Used and limit.
    pub(super) files: Option<(f64, f64)>,
    pub(super) conntrack: Option<(f64, f64)>,
    pub(super) processes: Vec<Process<'a>>,
    pub(super) open_files: Vec<(Key, f64)>,
    pub(super) gone: Vec<Key>,
    /// Bytes.
    pub(super) filesystems: Vec<Mount<'a>>,
    /// Inodes.
    pub(super) inodes: Vec<Mount<'a>>,
    /// Units that run, such as `nginx.service`.
    pub(super) services: Vec<&'a str>,
    /// Service, what it counts, and how many.
    pub(super) held_back: Vec<(&'a str, &'a str, f64)>,
    /// Mount points that can't be written, as `/proc/mounts` writes them.
    pub(super) read_only: Vec<&'a str>,
    /// Milliseconds.
    pub(super) round_trips: Vec<f64>,
}

/// A process for as long as it lives: a pid alone comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) pid: u32,
    /// Ticks from boot to its start.
    pub(super) start: u64,
}

/// A line of `P`.
#[derive(Debug)]
pub(super) struct Process<'a> {
    pub(super) key: Key,
    pub(super) parent: u32,
    pub(super) group: i64,
    /// Ticks used since the last frame; `None` in the first.
    pub(super) ticks: Option<f64>,
    /// Resident bytes.
    pub(super) resident: f64,
    pub(super) command: &'a str,
}

/// A line of `df`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mount<'a> {
    pub(super) device: &'a str,
    pub(super) total: f64,
    pub(super) used: f64,
    pub(super) free: f64,
    pub(super) point: &'a str,
}

/// Reads the lines between `F` and `E`.
pub(super) fn parse(lines: &[String]) -> Frame<'_> {
    let mut frame = Frame::default();
    for line in lines {
        // A line that is not as it should be is skipped by itself.
        let _ = read(&mut frame, line);
    }
    frame
}

fn read<'a>(frame: &mut Frame<'a>, line: &'a str) -> Option<()> {
    let (tag, rest) = line.split_once(' ')?;
    let mut words = rest.split(' ');
    match tag {
        "s" => match words.next()? {
            "cpu" => frame.cpu = words.map_while(number).collect(),
            key => frame.stat.push((key, number(words.next()?)?)),
        },
        "m" => frame.memory.push((words.next()?, number(words.next()?)?)),
        "d" => frame.disks.push((words.next()?, numbers(&mut words)?)),
        "n" => frame.interfaces.push((words.next()?, numbers(&mut words)?)),
        "t" => frame.tcp.push((words.next()?, number(words.next()?)?)),
        "l" => frame.load = Some(number(words.next()?)?),
        "v" => frame.vmstat.push((words.next()?, number(words.next()?)?)),
        "p" => frame.pressure.push((words.next()?, words.next()?, number(words.next()?)?)),
        "f" => frame.files = Some((number(words.next()?)?, number(words.next()?)?)),
        "c" => frame.conntrack = Some((number(words.next()?)?, number(words.next()?)?)),
        "P" => frame.processes.push(process(rest)?),
        "o" => frame.open_files.push((key(&mut words)?, number(words.next()?)?)),
        "x" => frame.gone.push(key(&mut words)?),
        "b" => frame.filesystems.push(mount(rest, 1024.0)?),
        "i" => frame.inodes.push(mount(rest, 1.0)?),
        "u" => frame.services.push(Some(rest).filter(|name| name.ends_with(".service"))?),
        "g" => frame.held_back.push((words.next()?, words.next()?, number(words.next()?)?)),
        "w" => frame.read_only.push(rest),
        "r" => frame.round_trips.push(number(rest)?),
        _ => {}
    }
    Some(())
}

/// A finite number that is not negative.
fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0)
}

fn numbers<'a, const N: usize>(words: &mut impl Iterator<Item = &'a str>) -> Option<[f64; N]> {
    let mut all = [0.0; N];
    for slot in &mut all {
        *slot = number(words.next()?)?;
    }
    Some(all)
}

fn key<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Key> {
    Some(Key { pid: words.next()?.parse().ok()?, start: words.next()?.parse().ok()? })
}

/// The command comes last because it may hold anything but a line's end.
fn process(rest: &str) -> Option<Process<'_>> {
    let mut words = rest.splitn(7, ' ');
    let pid = words.next()?.parse().ok()?;
    let parent = words.next()?.parse().ok()?;
    let group = words.next()?.parse().ok()?;
    let start = words.next()?.parse().ok()?;
    let ticks = match words.next()? {
        "-" => None,
        used => Some(number(used)?),
    };
    let resident = number(words.next()?)?;
    let command = words.next().filter(|c| !c.is_empty())?;
    Some(Process { key: Key { pid, start }, parent, group, ticks, resident, command })
}

/// Device and mount point may hold spaces; between them stand three numbers and a percentage.
fn mount(rest: &str, scale: f64) -> Option<Mount<'_>> {
    let percent = rest.find("% /")?;
    let point = rest[percent + 2..].trim_end();
    let mut words = rest[..percent].rsplitn(5, ' ');
    words.next()?;
    let mut bytes = || words.next().and_then(number).map(|n| n * scale);
    let (free, used, total) = (bytes()?, bytes()?, bytes()?);
    Some(Mount { device: words.next()?, total, used, free, point })
}
