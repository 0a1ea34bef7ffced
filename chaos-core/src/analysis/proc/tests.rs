//! Frames of several kernels, written as the sampler prints them.

use proptest::prelude::*;

use super::*;

/// Linux 6.1 on Debian 12: PSI, MemAvailable, a whole disk with partitions, an NVMe disk.
const DEBIAN: &str = "\
H 1 100
F 100.00 5.00
s cpu 100 0 50 1000 20 1 2 3 0 0
s processes 500
s procs_running 2
s procs_blocked 0
s cpus 2
m MemTotal 2000000
m MemFree 400000
m MemAvailable 1000000
m Buffers 50000
m Cached 400000
m SwapTotal 1000
m SwapFree 250
d sda 10 100 20 200 500
d sda1 10 100 20 200 500
d nvme0n1 1 1 1 1 1
d nvme0n1p1 1 1 1 1 1
n eth0 1000 10 0 0 2000 20 0 0
t CurrEstab 4
t RetransSegs 7
l 0.50
v oom_kill 1
p cpu some 1000000
f 1000 100000
s total 3
P 1 0 1 5 - 10000000 systemd
P 7 1 7 9000 - 5000000 a) (b c
o 1 5 30 systemd
b /dev/sda1 1000 400 500 45% /
b tmpfs 1000 10 990 1% /run
b tmpfs 1000 10 990 1% /tmp
b /dev/loop3 100 100 0 100% /snap/core/1
b /dev/sdb1 1000 400 600 40% /mnt/my disk
i /dev/sda1 100 10 90 10% /
E
F 101.01 6.00
s cpu 150 0 60 1030 30 1 2 3 0 0
s processes 510
s procs_running 3
s cpus 2
m MemTotal 2000000
m MemFree 400000
m MemAvailable 500000
d sda 30 1134 20 200 400
n eth0 500 20 0 0 2000 20 0 0
t RetransSegs 7
l 0.60
v oom_kill 2
p cpu some 1505000
f 1000 100000
s total 3
P 7 1 7 9000 101 9000000 a) (b c
x 1 5
E
";

/// Linux 3.10 on CentOS 7: no PSI, no MemAvailable, no oom_kill.
const CENTOS: &str = "\
H 1 100
F 50.00 5.00
s cpu 10 0 5 100 2 1 2 3
m MemTotal 1000
m MemFree 100
m Buffers 50
m Cached 350
m Shmem 100
E
F 51.00 5.00
s cpu 20 0 5 190 2 1 2 3
m MemTotal 1000
m MemFree 100
E
";

fn read(text: &str) -> Vec<Series> {
    let mut sampler = ProcSampler::new();
    sampler.push(Timestamp(1_000_000), text.as_bytes());
    sampler.finish()
}

fn values<'a>(series: &'a [Series], name: &str, attributes: &[&str]) -> &'a [f64] {
    let is = |s: &&Series| s.name == name && s.attributes.values().map(String::as_str).eq(attributes.iter().copied());
    &series.iter().find(is).unwrap_or_else(|| panic!("{name} {attributes:?}")).values
}

#[test]
fn counters_become_rates_and_resets_are_missing_samples() {
    let all = read(DEBIAN);
    assert_eq!(values(&all, "system.cpu.utilization", &[]), [0.6]);
    assert_eq!(values(&all, "system.cpu.utilization", &["iowait"]), [0.1]);
    assert_eq!(values(&all, "system.memory.utilization", &[]), [0.5, 0.75]);
    assert_eq!(values(&all, "system.paging.utilization", &[])[0], 0.75);
    let read_rate = values(&all, "system.disk.io", &["read", "sda"])[0];
    assert!((read_rate - 1034.0 * 512.0 / 1.01).abs() < 1e-6);
    assert!(!all.iter().any(|s| s.name == "system.disk.utilization" && s.attribute("system.device") == "sda"));
    assert!(!all.iter().any(|s| s.name == "system.network.io" && s.attribute("network.io.direction") == "receive"));
    assert!((values(&all, "system.linux.pressure", &["some", "cpu"])[0] - 0.5).abs() < 1e-9);
    assert_eq!(all.iter().find(|s| s.name == "system.memory.oom_kills").unwrap().at, [1_001_010]);
}

#[test]
fn partitions_images_and_memory_filesystems_are_left_out() {
    let all = read(DEBIAN);
    assert!(!all.iter().any(|s| s.attribute("system.device") == "sda1" && s.name.starts_with("system.disk")));
    let points: std::collections::BTreeSet<_> =
        all.iter().map(|s| s.attribute("system.filesystem.mountpoint")).filter(|p| !p.is_empty()).collect();
    assert_eq!(points.into_iter().collect::<Vec<_>>(), ["/", "/mnt/my disk", "/tmp"]);
    assert_eq!(values(&all, "system.filesystem.usage", &["/dev/sda1", "/"]), [400.0 * 1024.0]);
}

#[test]
fn a_command_may_hold_spaces_and_parentheses_and_a_dead_process_ends() {
    let all = read(DEBIAN);
    let cpu = all.iter().find(|s| s.name == "process.cpu.utilization").unwrap();
    assert_eq!(cpu.attribute("process.command"), "a) (b c");
    assert!((cpu.values[0] - 0.5).abs() < 1e-9);
    let memory: Vec<_> = all.iter().filter(|s| s.name == "process.memory.usage").map(|s| s.values.len()).collect();
    assert_eq!(memory, [1, 2]);
}

#[test]
fn an_old_kernel_without_psi_and_available_memory_is_read() {
    let all = read(CENTOS);
    assert_eq!(values(&all, "system.memory.utilization", &[]), [0.6, 0.9]);
    assert!((values(&all, "system.cpu.utilization", &[])[0] - 0.1).abs() < 1e-9);
}

#[test]
fn time_follows_uptime_and_not_the_arrival_of_bytes() {
    let mut sampler = ProcSampler::new();
    for (i, piece) in DEBIAN.as_bytes().chunks(37).enumerate() {
        sampler.push(Timestamp(1_000_000 - 5000 * i as i64), piece);
    }
    assert_eq!(sampler.frames(), 2);
    let load = sampler.finish().into_iter().find(|s| s.name == "system.cpu.load_average.1m").unwrap();
    assert_eq!(load.at[1] - load.at[0], 1010);
}

#[test]
fn a_torn_last_frame_and_garbage_lines_are_dropped() {
    let torn = format!("{DEBIAN}F 102.0 1\ns cpu 1 2\nP 9");
    assert_eq!(serde_json::to_string(&read(&torn)).unwrap(), serde_json::to_string(&read(DEBIAN)).unwrap());
    let garbled = DEBIAN.replace("E\n", "?\nq 1\nP x y\nd sda\nb %% /\n\u{0}\nE\n");
    assert_eq!(serde_json::to_string(&read(&garbled)).unwrap(), serde_json::to_string(&read(DEBIAN)).unwrap());
}

proptest! {
    #[test]
    fn any_bytes_are_read_and_no_rate_is_negative_or_infinite(
        lines in prop::collection::vec(0usize..60, 0..120), noise in prop::collection::vec(any::<u8>(), 0..60), cut in 1usize..90,
    ) {
        let all: Vec<&str> = DEBIAN.lines().collect();
        let mut bytes = noise;
        for i in lines {
            bytes.extend_from_slice(all[i % all.len()].as_bytes());
            bytes.push(b'\n');
        }
        let mut sampler = ProcSampler::new();
        bytes.chunks(cut).for_each(|piece| sampler.push(Timestamp(0), piece));
        for series in sampler.finish() {
            prop_assert_eq!(series.at.len(), series.values.len());
            prop_assert!(series.values.iter().all(|v| v.is_nan() || (v.is_finite() && *v >= 0.0)));
        }
    }
}

#[test]
fn services_and_round_trips_come_with_some_frames() {
    let mut sampler = ProcSampler::new();
    let mut frame = |second: i64, rows: &str| {
        sampler.push(Timestamp::from_millis(second * 1000), format!("F {second}.0\n{rows}E\n").as_bytes());
    };
    frame(1, "u nginx.service\nu app.service\nu x\nr 0.4\nr 100.2\nr 2\nr bad\n");
    frame(2, "");
    frame(3, "u app.service\nr 210.0\nr 190.0\ng app.service memory_max 400\ng app.service no_such 1\n");
    let series = sampler.finish();
    let of = |name: &str, unit: &str| {
        let is = |s: &&Series| s.name == name && s.attribute("systemd.unit.name") == unit;
        series.iter().find(is).map(|s| (s.at.clone(), s.values.clone()))
    };
    assert_eq!(of("systemd.service.running", "nginx.service"), Some((vec![1000, 3000], vec![1.0, 0.0])));
    assert_eq!(of("systemd.service.running", "app.service"), Some((vec![1000, 3000], vec![1.0, 1.0])));
    assert_eq!(of("system.network.tcp.rtt", ""), Some((vec![1000, 3000], vec![0.002, 0.2])));
    assert_eq!(of("systemd.service.memory.limited", "app.service"), Some((vec![3000], vec![200.0])));
    assert_eq!(series.len(), 4, "{series:?}");
}
