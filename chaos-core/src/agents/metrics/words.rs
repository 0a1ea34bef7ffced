//! Puts an anomaly into words for a person: what, how much with units, since when. Names from the host are data: control
//! characters are replaced and long ones are cut.

use crate::{
    analysis::metrics::Anomaly,
    model::{Change, Entity, Series},
};

/// One line.
pub(super) fn summary(series: &Series, entity: &Entity, anomaly: &Anomaly) -> String {
    let subject = subject(series, entity);
    let after = quantity(anomaly.after, &series.unit);
    let before = anomaly.before.map(|b| quantity(b, &series.unit));
    let was = |word: &str| before.as_ref().map_or(String::new(), |b| format!(" ({b} {word})"));
    if series.name == "systemd.service.running" {
        let since = anomaly.onset.map_or(String::new(), |t| format!(" since {}", t.time_of_day()));
        return format!("{} does not run any more{since}", plain(&entity.name));
    }
    if series.name == "system.boot_time" {
        let step = anomaly.after - anomaly.before.unwrap_or(anomaly.after);
        let way = if step < 0.0 { "back" } else { "forward" };
        let since = anomaly.onset.map_or(String::new(), |t| format!(" at {}", t.time_of_day()));
        return format!("the clock was set {way} by {}{since}", duration(step.abs() as u64));
    }
    let turned = match series.name.as_str() {
        "systemd.service.frozen" => Some(format!("{} is frozen", plain(&entity.name))),
        "system.filesystem.read_only" => Some(format!("{} turned read-only", plain(&entity.name))),
        _ => None,
    };
    if let Some(turned) = turned {
        return format!("{turned}{}", anomaly.onset.map_or(String::new(), |t| format!(" since {}", t.time_of_day())));
    }
    let since = anomaly.onset.map_or(String::new(), |t| format!(" since {}", t.time_of_day()));
    match anomaly.change {
        Change::TrendUp | Change::TrendDown => {
            let verb = if anomaly.change == Change::TrendUp { "grows" } else { "shrinks" };
            let slope = anomaly.slope.unwrap_or(0.0).abs();
            let pace = match series.unit.strip_suffix("/s") {
                Some(_) => format!("by {} each second", quantity(slope, &series.unit)),
                None => pace(slope, &series.unit),
            };
            let left = match anomaly.exhausted_after {
                Some(left) if (1..30 * 86_400).contains(&left.as_secs()) => {
                    format!(", full in {}", duration(left.as_secs()))
                }
                _ => String::new(),
            };
            format!("{subject} {verb} {pace}, now {after}{}{since}{left}", was("before"))
        }
        Change::Saturated if series.name.starts_with("system.filesystem.") => {
            format!("{subject} is {after} full{}{since}", was("before"))
        }
        Change::Spike | Change::Dip => format!("{subject} {after} for a moment{}{since}", was("usually")),
        Change::VarianceUp | Change::VarianceDown => {
            format!("{subject} swings by {after} from high to low{}{since}", was("before"))
        }
        Change::Flatline => format!("{subject} stands still at {after}{since}, after it always moved"),
        Change::Missing => format!("{subject} is no longer reported{since}, last {after}"),
        _ => format!("{subject} {after}{}{since}", was("before")),
    }
}

fn subject(series: &Series, entity: &Entity) -> String {
    let of = |key: &str| plain(series.attribute(key));
    let process = || {
        let pid = &entity.attributes.get("pid").map_or("", String::as_str);
        match entity.attributes.get("count").and_then(|n| n.parse::<u32>().ok()) {
            Some(n) if n > 1 => {
                format!("{n} × {} (group {}, biggest pid {pid})", plain(&entity.name), of("process.group_id"))
            }
            _ => format!("{} (pid {pid})", plain(&entity.name)),
        }
    };
    let filesystem = || of("system.filesystem.mountpoint");
    match series.name.as_str() {
        "system.cpu.utilization" => match series.attribute("cpu.mode") {
            "" => "CPU busy".to_owned(),
            mode => format!("CPU {}", plain(mode)),
        },
        "system.cpu.load_average.1m" => "load".to_owned(),
        "system.memory.utilization" => "memory in use".to_owned(),
        "system.memory.oom_kills" => "processes killed for lack of memory".to_owned(),
        "system.paging.utilization" => "swap in use".to_owned(),
        "system.paging.operations" => format!("swapping {}", of("system.paging.direction")),
        "system.paging.faults" => "major page faults".to_owned(),
        "system.disk.io" => format!("{} {}", of("system.device"), of("disk.io.direction")),
        "system.disk.operations" => format!("{} {} operations", of("system.device"), of("disk.io.direction")),
        "system.disk.utilization" => format!("{} busy", of("system.device")),
        "system.filesystem.utilization" => filesystem(),
        "system.filesystem.inodes.utilization" => format!("{} inodes", filesystem()),
        "system.network.io" => format!("{} {}", of("network.interface.name"), of("network.io.direction")),
        name @ ("system.network.packets" | "system.network.errors" | "system.network.dropped") => {
            let what = name.rsplit('.').next().unwrap_or(name);
            format!("{} {} {what}", of("network.interface.name"), of("network.io.direction"))
        }
        "system.network.tcp.retransmits" => "TCP retransmits".to_owned(),
        "system.network.connection.count" => format!("connections {}", of("network.connection.state")),
        "system.network.tcp.rtt" => "TCP round trips".to_owned(),
        "system.process.count" => "processes".to_owned(),
        "system.process.state.count" => format!("{} processes", of("state")),
        "system.network.tcp.listen_overflows" => "connections that a full queue turned away".to_owned(),
        "systemd.service.cpu.throttled" => format!("{} held back by its CPU quota", of("systemd.unit.name")),
        "systemd.service.memory.oom_kills" => format!("{} kills for lack of memory", of("systemd.unit.name")),
        "systemd.service.memory.limited" => format!("{} at its limit of memory", of("systemd.unit.name")),
        "systemd.service.tasks.refused" => format!("{} tasks refused", of("systemd.unit.name")),
        "system.process.running" => "runnable processes".to_owned(),
        "system.process.blocked" => "processes blocked on I/O".to_owned(),
        "system.process.created" => "new processes".to_owned(),
        "system.linux.pressure" => match series.attribute("kind") {
            "full" => format!("everything stalled on {}", of("resource")),
            _ => format!("something stalled on {}", of("resource")),
        },
        "system.file_descriptor.utilization" => "file handles in use".to_owned(),
        "system.network.conntrack.utilization" => "tracked connections in use".to_owned(),
        "process.cpu.utilization" => format!("CPU of {}", process()),
        "process.memory.usage" => format!("memory of {}", process()),
        "process.open_file_descriptor.count" => format!("open files of {}", process()),
        name => {
            let pairs: Vec<_> = series.attributes.iter().map(|(k, v)| format!("{}={}", plain(k), plain(v))).collect();
            if pairs.is_empty() { plain(name) } else { format!("{}{{{}}}", plain(name), pairs.join(",")) }
        }
    }
}

fn plain(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(60).map(clean).collect();
    if short.len() < text.len() && text.chars().count() > 60 {
        short.push('…');
    }
    short
}

/// A growth per second, in a unit of time in which it is a number that one can picture.
fn pace(slope: f64, unit: &str) -> String {
    if unit == "1" && slope < 0.001 {
        return format!("{}/h", quantity(slope * 3600.0, unit));
    }
    format!("{}/s", quantity(slope, unit))
}

fn quantity(value: f64, unit: &str) -> String {
    let scaled = |suffix: &str| {
        let steps = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
        match steps.into_iter().find(|(step, _)| value.abs() >= *step) {
            Some((step, prefix)) => format!("{} {prefix}{suffix}", digits(value / step)),
            None => format!("{} {suffix}", digits(value)).trim_end().to_owned(),
        }
    };
    match unit {
        "1" => format!("{} %", digits(value * 100.0)),
        "By" => scaled("B"),
        "By/s" => scaled("B/s"),
        "s" => format!("{} s", digits(value)),
        "" => digits(value),
        other if other.starts_with('{') && other.ends_with("/s") => format!("{}/s", digits(value)),
        other if other.starts_with('{') => digits(value),
        other => format!("{} {}", digits(value), plain(other)),
    }
}

/// Two significant digits after a small number's point, none from ten on.
fn digits(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        v if v >= 1e15 => format!("{value:.2e}"),
        v if v >= 9.95 => format!("{value:.0}"),
        v if v >= 0.1 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
