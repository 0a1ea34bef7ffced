//! The sampler and its reader on hosts of other kernels and tools: `tests/data/hosts` has what their `/proc` and their
//! commands say. The formats are those of the kernel's documentation (proc.rst, iostats.rst, psi.rst) and of the tools
//! where they were at hand (BusyBox 1.35 and 1.37, coreutils, iproute2); the numbers are made up.
//!
//! A file of a host holds several: `== proc/…` is what is there at the first frame, `== 2/proc/…` replaces it before the
//! second, `== cgroup/…` stands for `/sys/fs/cgroup/…`, `== out/COMMAND` is what a command prints that is not there else.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::super::SAMPLER;
use crate::{
    analysis::proc::ProcSampler,
    model::{Series, Timestamp},
};

/// Every awk that a distribution has by that name, with its options.
const AWKS: [&[&str]; 5] = [&["awk"], &["mawk"], &["gawk", "--posix"], &["original-awk"], &["busybox", "awk"]];
/// Shells whose `sh -c` the sampler gets.
const SHELLS: [&[&str]; 7] = [&["sh"], &["dash"], &["bash"], &["mksh"], &["zsh"], &["ksh93"], &["busybox", "sh"]];

/// A command that prints what the host's file says, and is one with other options where it says nothing.
const TOOL: &str = "#!/bin/sh\nexec cat \"out/${0##*/} $*\"\n";
/// Open files by the size of the folder, which old kernels don't tell.
const STAT: &str = "#!/bin/sh\n[ -e out/stat ] || { echo 0; exit; }\n[ \"$3\" != ./pro/self/fd ] || { echo 3; exit; }\n\
                    while read -r place size; do echo \"$size:$place/fd\"; done <out/stat\n";
const LS: &str =
    "#!/bin/sh\nif [ \"$1\" = -f ] && [ -e 'out/no ls -f' ]; then exit 1; fi\nPATH=${PATH#*:} exec ls \"$@\"\n";
/// Ends with the host, too, so that nothing is left of a sampler that was killed.
const SLEEP: &str = "#!/bin/sh\nuntil [ -e go ] || [ ! -e bin ]; do PATH=${PATH#*:} sleep 0.05; done\n";

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|p| p.is_file())
}

fn is_there(program: &str) -> bool {
    let there = find(program).is_some();
    if !there {
        println!("SKIPPED: there is no {program} here");
    }
    there
}

/// The command with its program's whole path.
fn real(command: &[&str]) -> String {
    let program = find(command[0]).unwrap().display().to_string();
    [&[program.as_str()], &command[1..]].concat().join(" ")
}

/// Lays a host's files out below `place`; those of `round`.
fn lay(place: &Path, host: &str, round: usize) {
    for section in host.split("== ").skip(1) {
        let (name, text) = section.split_once('\n').unwrap();
        let (of, name) = name.strip_prefix("2/").map_or((1, name), |n| (2, n));
        let name = name.replacen("proc/", "pro/", 1);
        if of != round {
            continue;
        }
        let path = place.join(&name);
        fs::create_dir_all(if name.ends_with('/') { &path } else { path.parent().unwrap() }).unwrap();
        if !name.ends_with('/') {
            fs::write(path, text).unwrap();
        }
    }
}

fn program(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Two frames of a host, as this awk prints them.
fn frames(host: &str, shell: &[&str], awk: &[&str]) -> String {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    lay(place, host, 1);
    fs::create_dir_all(place.join("pro/self")).unwrap();
    fs::write(place.join("pro/self/stat"), "900 (awk) R 899 900 900\n").unwrap();
    let bin = place.join("bin");
    fs::create_dir_all(&bin).unwrap();
    for (name, text) in [("df", TOOL), ("ss", TOOL), ("stat", STAT), ("ls", LS), ("sleep", SLEEP)] {
        program(&bin.join(name), text);
    }
    // The others come before in its PATH, too: it is what runs them.
    program(&bin.join("awk"), &format!("#!/bin/sh\nexec {} \"$@\"\n", real(awk)));
    // As long as the real places: the script cuts pids out of paths.
    let script = SAMPLER
        .replace("/proc/", "./pro/")
        .replace(r"\/proc\/", r"\.\/pro\/")
        .replace("/sys/fs/cgroup/", "./cgroup/")
        .replace(r"\/sys\/fs\/cgroup\/", r"\.\/cgroup\/");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut child = Command::new(shell[0])
        .args(&shell[1..])
        .args(["-c", &script])
        .current_dir(place)
        .env("PATH", path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut text, mut count) = (String::new(), 0);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        text += &line;
        text.push('\n');
        if line == "E" {
            count += 1;
            lay(place, host, 2);
            fs::write(place.join("go"), "").unwrap();
        }
        if count == 2 {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(count, 2, "{shell:?} {awk:?} printed\n{text}");
    text
}

fn alike(text: &str, known: &str, by: &[&str]) {
    // The order of processes is that of awk's tables.
    let sorted = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (text, known) = (sorted(text), sorted(known));
    assert!(text == known, "{by:?} prints something else: {:?}", text.symmetric_difference(&known));
}

/// The values of a series, by its name and the values of its attributes, in text: `system.disk.io read sda`.
fn told(host: &str) -> impl Fn(&str) -> Vec<f64> {
    let text = frames(host, SHELLS[0], AWKS[0]);
    for awk in AWKS.into_iter().filter(|awk| is_there(awk[0])) {
        alike(&frames(host, SHELLS[0], awk), &text, awk);
    }
    let mut sampler = ProcSampler::new();
    sampler.push(Timestamp(1000), text.as_bytes());
    let series = sampler.finish();
    let name = |s: &Series| {
        let known = |key: &str| !key.starts_with("process.") || key == "process.command";
        let values = s.attributes.iter().filter(|(k, _)| known(k)).map(|(_, v)| v.as_str());
        std::iter::once(s.name.as_str()).chain(values).collect::<Vec<_>>().join(" ")
    };
    move |wanted| {
        let found = series.iter().find(|s| name(s) == wanted);
        found.map_or(Vec::new(), |s| s.values.iter().map(|v| (v * 1e6).round() / 1e6).collect())
    }
}

fn check(host: &str, expected: &[(&str, &[f64])]) {
    let told = told(host);
    for (name, values) in expected {
        let got = told(name);
        let same =
            got.len() == values.len() && got.iter().zip(*values).all(|(a, b)| a == b || a.is_nan() && b.is_nan());
        assert!(same, "{name}: {got:?} instead of {values:?}");
    }
}

#[test]
fn linux_2_6_32_without_available_memory_and_with_its_root_twice() {
    check(
        include_str!("../../../../tests/data/hosts/linux_2_6_32"),
        &[
            ("system.cpu.utilization", &[0.5]),
            ("system.cpu.logical.count", &[2.0, 2.0]),
            ("system.memory.utilization", &[0.6, 0.6]),
            ("system.paging.utilization", &[0.5, 0.5]),
            ("system.disk.io read sda", &[2000.0 * 512.0]),
            ("system.disk.utilization sda", &[0.5]),
            ("system.disk.io read sda1", &[]),
            ("system.network.io eth0 receive", &[3000.0]),
            ("system.network.dropped eth0 receive", &[2.0]),
            ("system.network.tcp.retransmits", &[2.0]),
            ("system.network.connection.count established", &[4.0, 5.0]),
            ("system.network.connection.count time_wait", &[2.0, 2.0]),
            ("system.paging.operations out", &[5.0]),
            ("system.process.blocked", &[0.0, 1.0]),
            ("system.filesystem.utilization /dev/sda1 /", &[0.25]),
            ("system.filesystem.utilization rootfs /", &[]),
            ("system.filesystem.inodes.utilization /dev/sda1 /", &[0.1]),
            ("process.cpu.utilization java (x) y", &[0.25]),
            ("process.memory.usage java (x) y", &[3000.0 * 4096.0, 4000.0 * 4096.0]),
            ("system.linux.pressure some cpu", &[]),
        ],
    );
}

#[test]
fn linux_3_10_with_control_groups_of_old() {
    check(
        include_str!("../../../../tests/data/hosts/linux_3_10"),
        &[
            ("system.memory.utilization", &[0.7, 0.7]),
            ("system.disk.operations read sda", &[10.0]),
            ("system.disk.io write dm-0", &[1000.0 * 256.0]),
            ("system.network.io eth0 receive", &[1500.0]),
            ("system.network.conntrack.utilization", &[0.25, 0.25]),
            ("system.file_descriptor.utilization", &[0.01024, 0.01024]),
            ("system.filesystem.utilization /dev/mapper/centos-root /", &[0.75]),
            ("system.filesystem.utilization /dev/sdb1 /mnt/my disk", &[0.4]),
            ("system.network.tcp.rtt", &[0.0045]),
            ("systemd.service.running sshd.service", &[1.0]),
        ],
    );
}

#[test]
fn linux_4_18_with_pressure_that_is_switched_off() {
    check(
        include_str!("../../../../tests/data/hosts/linux_4_18"),
        &[
            ("system.disk.utilization nvme0n1", &[0.3]),
            ("system.disk.utilization nvme0n1p1", &[]),
            ("system.linux.pressure some cpu", &[]),
            ("system.memory.oom_kills", &[2.0]),
            ("system.paging.utilization", &[0.75, 0.75]),
            ("system.filesystem.utilization /dev/mapper/rhel_a--b-root_with_a_long_name /", &[0.75]),
            ("system.filesystem.utilization tmpfs /tmp", &[0.5]),
            ("system.filesystem.utilization tmpfs /run", &[]),
            ("system.network.tcp.rtt", &[0.0045]),
            ("process.memory.usage postgres: w", &[900_000.0 * 4096.0; 2]),
        ],
    );
}

#[test]
fn linux_5_15_with_flushes_pressure_and_images() {
    check(
        include_str!("../../../../tests/data/hosts/linux_5_15"),
        &[
            ("system.cpu.utilization", &[0.25]),
            ("system.memory.utilization", &[0.25, 0.25]),
            ("system.disk.operations read xvda1", &[1.0]),
            ("system.disk.io read zram0", &[]),
            ("system.disk.io read loop0", &[]),
            ("system.linux.pressure some cpu", &[0.25]),
            ("system.linux.pressure full io", &[0.0]),
            ("system.filesystem.utilization /dev/xvda1 /", &[0.95]),
            ("system.filesystem.utilization /dev/xvda1 /var/lib/x", &[]),
            ("system.filesystem.utilization /dev/loop0 /snap/core18/1", &[]),
            ("system.filesystem.inodes.utilization /dev/xvda1 /", &[0.1]),
            ("system.network.tcp.rtt", &[0.0025]),
            ("systemd.service.running nginx.service", &[1.0]),
            ("systemd.service.running snap.lxd.daemon.service", &[1.0]),
        ],
    );
}

#[test]
fn linux_6_12_that_counts_open_files() {
    check(
        include_str!("../../../../tests/data/hosts/linux_6_12"),
        &[
            ("system.cpu.utilization", &[0.0]),
            ("system.disk.operations read mmcblk0", &[0.0]),
            ("system.disk.operations read mmcblk0p1", &[]),
            ("system.filesystem.usage overlay /", &[1_024_000.0]),
            ("process.open_file_descriptor.count db", &[500.0]),
            ("process.open_file_descriptor.count systemd", &[30.0]),
        ],
    );
}

#[test]
fn busybox_and_no_systemd() {
    check(
        include_str!("../../../../tests/data/hosts/busybox"),
        &[
            ("system.cpu.utilization", &[0.5]),
            ("system.memory.utilization", &[0.2, 0.2]),
            ("system.filesystem.utilization /dev/vda3 /", &[0.75]),
            ("system.filesystem.inodes.utilization /dev/vda3 /", &[0.25]),
            ("system.filesystem.utilization nas.example:/srv /mnt/nas", &[]),
            ("system.filesystem.utilization //files/share /mnt/share", &[]),
            ("process.open_file_descriptor.count init", &[30.0]),
            ("system.network.tcp.rtt", &[]),
        ],
    );
}

#[test]
fn every_shell_runs_the_sampler_alike() {
    let host = include_str!("../../../../tests/data/hosts/linux_5_15");
    let text = frames(host, SHELLS[0], AWKS[0]);
    for shell in SHELLS.into_iter().filter(|shell| is_there(shell[0])) {
        alike(&frames(host, shell, AWKS[0]), &text, shell);
    }
}
