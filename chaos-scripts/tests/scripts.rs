//! Runs the real scripts, small: each test in directories of its own, so that all can run at once.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, but not in what they share")]

mod place;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use chaos_scripts::{ENDPOINT_FILES, FILES, SCENARIOS};
use place::{Bystander, Place, between, kill};

/// Each scenario, and the option that makes it small.
const SMALL: [(&str, &str); 3] =
    [("cpu_spike", "--load=1"), ("memory_leak", "--target-mb=64"), ("disk_fill", "--size-mb=20")];

/// Whether this machine lacks what a scenario's test needs.
fn skips(scenario: &str) -> bool {
    let lacks_python = !Command::new("python3").args(["-c", ""]).status().is_ok_and(|status| status.success());
    let skip = scenario == "memory_leak" && lacks_python;
    if skip {
        eprintln!("skipped: {scenario} needs python3, which is missing here");
        assert!(std::env::var_os("CI").is_none(), "nothing is skipped in CI");
    }
    skip
}

fn small() -> impl Iterator<Item = (Place, &'static str)> {
    SMALL.into_iter().filter(|(name, _)| !skips(name)).map(|(name, size)| (Place::with_own_scripts(name), size))
}

#[test]
fn runs_until_it_is_stopped() {
    for (place, size) in small() {
        place.assert_idle();
        let said = place.start(&[size]);
        assert!(said.contains("the revert fires in 300 s (watchdog)") && said.lines().count() == 1, "{said}");
        let status = place.status();
        assert!(status.contains("\"state\":\"running\"") && status.contains("\"armed_by\":\"watchdog\""), "{status}");
        assert!(!place.pids().is_empty());
        assert!(place.expect(0, &["status"]).contains("running since 20"));
        place.expect(0, &["stop"]);
        place.assert_idle();
        place.expect(0, &["stop"]);
        place.assert_idle();
    }
}

#[test]
fn does_what_it_says() {
    let disk = Place::new("disk_fill");
    disk.start(&["20", "--duration", "30"]);
    let memory = (!skips("memory_leak")).then(|| Place::new("memory_leak"));
    if let Some(memory) = &memory {
        memory.start(&["--target-mb=64", "--duration=8"]);
    }
    sleep(Duration::from_secs(12));
    let written = fs::read_dir(&disk.fill).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>();
    assert_eq!(written, 20 << 20);
    assert_eq!(fs::metadata(&disk.fill).unwrap().permissions().mode() & 0o777, 0o700);
    // Its own duration is over, and what is left is the armed revert.
    if let Some(memory) = memory {
        assert_eq!(memory.state(), "armed");
    }
}

#[test]
fn memory_really_grows() {
    if skips("memory_leak") {
        return;
    }
    let place = Place::new("memory_leak");
    place.start(&["64", "12"]);
    sleep(Duration::from_secs(8));
    let status = fs::read_to_string(format!("/proc/{}/status", place.recorded("leader"))).unwrap();
    let resident: u32 = between(&status, "VmRSS:", "kB").trim().parse().unwrap();
    assert!(resident > 64 << 10, "{resident} kB");
}

#[test]
fn a_second_start_leaves_the_first_alone() {
    let place = Place::new("cpu_spike");
    place.start(&["30", "1"]);
    let before = place.pids();
    let said = place.expect(3, &["start", "10", "1"]);
    assert!(said.contains("already running since 20"), "{said}");
    assert_eq!(place.pids(), before);
}

#[test]
fn of_two_starts_at_once_one_wins() {
    let place = Place::new("cpu_spike");
    let start = || place.command().args(["start", "30", "1"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut starts = [start().unwrap(), start().unwrap()];
    let mut codes = starts.each_mut().map(|start| start.wait().unwrap().code().unwrap());
    codes.sort();
    assert_eq!(codes, [0, 3]);
    assert_eq!(place.state(), "running");
}

#[test]
fn bad_arguments_are_named() {
    let cases: &[(&'static str, &[&str], &str)] = &[
        ("cpu_spike", &["start", "abc"], "duration"),
        ("cpu_spike", &["start", "10", "0"], "load"),
        ("cpu_spike", &["start", "-5"], "duration"),
        ("cpu_spike", &["start", "1.5"], "duration"),
        ("cpu_spike", &["start", "99999999999999999999"], "duration"),
        ("cpu_spike", &["start", "--load", "many"], "load"),
        ("cpu_spike", &["start", "--load"], "load"),
        ("cpu_spike", &["start", "10", "1", "7"], "7"),
        ("cpu_spike", &["start", "--size-mb", "7"], "--size-mb"),
        ("cpu_spike", &["start", "60", "--max-runtime", "30"], "duration"),
        ("cpu_spike", &["start", "60", "--max-runtime", "$(id)"], "max_runtime"),
        ("cpu_spike", &["arm", "--load", "1"], "--load"),
        ("cpu_spike", &["stop", "now"], "now"),
        ("cpu_spike", &["begin"], "begin"),
        ("memory_leak", &["start", "4000000"], "target_mb"),
        ("memory_leak", &["start", "64", "x"], "duration"),
        ("disk_fill", &["start", "16000000"], "size_mb"),
        ("disk_fill", &["start", "--size-mb", "1e3"], "size_mb"),
    ];
    for (scenario, args, name) in cases {
        let place = Place::new(scenario);
        let said = place.expect(2, args);
        assert!(said.contains(name) && said.lines().count() == 1, "{args:?}: {said}");
        place.assert_idle();
    }
}

#[test]
fn a_dry_run_starts_nothing() {
    for (place, size) in small() {
        let said = place.start(&[size, "--dry-run"]);
        assert!(said.contains("would start with"), "{said}");
        place.assert_idle();
        assert_eq!(fs::read_dir(place.dir.join("state")).unwrap().count(), 0);
    }
}

#[test]
fn stop_is_clean_after_the_fault_was_killed() {
    for (place, size) in small() {
        place.start(&[size]);
        kill("KILL", &place.recorded("leader").to_string());
        place.expect(0, &["stop"]);
        place.assert_idle();
    }
}

#[test]
fn stop_finds_all_even_without_the_pid_file() {
    for (place, size) in small() {
        place.start(&[size]);
        fs::remove_file(place.pid_file()).unwrap();
        assert_eq!(place.state(), "running");
        place.expect(0, &["stop"]);
        place.assert_idle();
    }
}

#[test]
fn the_revert_fires_when_fault_and_controller_were_killed() {
    for (place, size) in small() {
        let mut start = place.command();
        start.args(["start", size, "--max-runtime", "5"]);
        let line = format!("{start:?}; sleep 60");
        let mut controller = Bystander::new(Command::new("bash").args(["-c", &line]).process_group(0));
        place.await_state("running", 4);
        sleep(Duration::from_millis(700));
        kill("KILL", &format!("-{}", controller.0.id()));
        kill("KILL", &format!("-{}", place.recorded("leader")));
        assert!(!controller.0.wait().unwrap().success());
        if place.scenario == "disk_fill" {
            assert_eq!(place.state(), "leftover");
        }
        place.await_state("idle", 8);
        place.assert_idle();
    }
}

#[test]
fn the_revert_fires_without_its_caller_the_scripts_and_the_pid_file() {
    for (mut place, size) in small() {
        place.start(&[size, "--max-runtime", "4"]);
        let watchdog = place.recorded("watchdog");
        // It ignores what ends a session.
        for signal in ["HUP", "INT", "TERM"] {
            kill(signal, &watchdog.to_string());
        }
        // Or it would end by itself in time.
        kill("STOP", &format!("-{}", place.recorded("leader")));
        fs::remove_dir_all(&place.scripts).unwrap();
        fs::remove_file(place.pid_file()).unwrap();
        place.scripts = env!("CARGO_MANIFEST_DIR").into();
        assert_eq!(place.state(), "running");
        place.await_state("idle", 10);
        place.assert_idle();
    }
}

#[test]
fn the_watchdog_holds_nothing_of_its_caller() {
    let place = Place::new("cpu_spike");
    let line = format!("exec 7</dev/null 9<>/dev/null; {:?} start 30 1 >/dev/null", place.command());
    assert!(Command::new("bash").args(["-c", &line]).status().unwrap().success());
    for role in ["watchdog", "leader"] {
        let pid = place.recorded(role);
        for fd in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
            let fd = fd.unwrap();
            let number: u32 = fd.file_name().to_str().unwrap().parse().unwrap();
            let target = fs::read_link(fd.path()).unwrap();
            assert!(number <= 2 || target.ends_with("cpu_spike.sh"), "{role} holds {number}: {target:?}");
        }
        assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), Path::new("/"));
    }
}

#[test]
fn arm_arms_and_start_keeps_it() {
    let place = Place::new("cpu_spike");
    place.expect(0, &["arm", "--max-runtime", "40"]);
    assert_eq!(place.state(), "armed");
    let watchdog = place.recorded("watchdog");
    place.start(&["30", "1"]);
    assert_eq!(place.recorded("watchdog"), watchdog);
    place.expect(3, &["arm"]);
    place.expect(0, &["stop"]);
    place.assert_idle();

    place.expect(0, &["arm", "--max-runtime", "1"]);
    place.await_state("idle", 5);
    place.assert_idle();
}

#[test]
fn start_arms_sooner_when_asked_to() {
    let place = Place::new("cpu_spike");
    place.expect(0, &["arm", "--max-runtime", "200"]);
    let said = place.start(&["30", "1", "--max-runtime", "40"]);
    assert!(said.contains("the revert fires in 40 s"), "{said}");
}

#[test]
fn start_clears_what_an_earlier_run_left() {
    let place = Place::new("disk_fill");
    place.start(&["20", "30"]);
    kill("KILL", &place.recorded("leader").to_string());
    kill("KILL", &place.recorded("watchdog").to_string());
    place.await_state("leftover", 2);
    assert!(place.status().contains("\"armed_by\":null"));
    place.start(&["20", "30"]);
    assert_eq!(place.state(), "running");
}

#[test]
fn a_pid_given_to_another_process_is_left_alone() {
    let place = Place::new("cpu_spike");
    let mut bystander = Bystander::sleeping();
    let pid = bystander.0.id();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let stale = format!("boot {boot}watchdog {pid} 1\nleader {pid} 1\ndeadline 1\nprocess {pid} 2\n");
    for command in [&["stop"][..], &["start", "30", "1"], &["stop"]] {
        if command == ["stop"] || !place.pid_file().exists() {
            fs::write(place.pid_file(), &stale).unwrap();
        }
        assert_eq!(place.state(), "idle");
        place.expect(0, command);
        if command[0] == "start" {
            assert_eq!(place.state(), "running");
            place.expect(0, &["stop"]);
        }
        assert!(bystander.lives());
    }
    place.assert_idle();
}

#[test]
fn a_pid_file_of_garbage_does_no_harm() {
    let place = Place::new("cpu_spike");
    let mut bystander = Bystander::sleeping();
    let pid = bystander.0.id();
    fs::write(place.pid_file(), format!("{pid}\nleader -1 x\nprocess $(touch /x) 1\n\0\u{ff}\nargs \"\\\t\n")).unwrap();
    assert_eq!(place.state(), "idle");
    place.expect(0, &["stop"]);
    place.assert_idle();
    assert!(bystander.lives());
}

#[test]
fn a_symlink_in_place_of_the_fill_directory_is_refused() {
    let place = Place::new("disk_fill");
    let target = place.dir.join("precious");
    fs::create_dir(&target).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(target.join("chunk-00"), "kept").unwrap();
    symlink(&target, &place.fill).unwrap();
    let said = place.expect(1, &["start", "20", "30"]);
    assert!(said.contains("symlink"), "{said}");
    place.expect(0, &["stop"]);
    assert_eq!(place.state(), "idle");
    assert_eq!(fs::read_to_string(target.join("chunk-00")).unwrap(), "kept");
}

#[test]
fn a_fill_directory_that_is_not_ours_is_refused() {
    let place = Place::new("disk_fill");
    fs::create_dir(&place.fill).unwrap();
    fs::write(place.fill.join("notes.txt"), "kept").unwrap();
    for mode in [0o755, 0o700] {
        fs::set_permissions(&place.fill, fs::Permissions::from_mode(mode)).unwrap();
        let said = place.expect(1, &["start", "20", "30"]);
        assert!(said.contains("not ours"), "{said}");
        place.expect(0, &["stop"]);
        assert_eq!(place.state(), "idle");
    }
    assert_eq!(fs::read_to_string(place.fill.join("notes.txt")).unwrap(), "kept");
}

#[test]
fn stop_keeps_what_others_put_beside_our_files() {
    let place = Place::new("disk_fill");
    place.start(&["20", "30"]);
    fs::write(place.fill.join("notes.txt"), "kept").unwrap();
    place.expect(0, &["stop"]);
    assert_eq!(place.state(), "idle");
    assert_eq!(fs::read_dir(&place.fill).unwrap().count(), 1);
}

#[test]
fn status_is_json_whatever_the_path() {
    let mut place = Place::new("disk_fill");
    let name = OsStr::from_bytes(b"a \"b\" \\c \xc3\xa9 $(id) *");
    place.fill = place.dir.join(name);
    place.start(&["20", "30"]);
    let status = place.status();
    assert!(status.contains(r#"/a \"b\" \\c é $(id) *","bytes":"#), "{status}");
    place.expect(0, &["stop"]);
    place.assert_idle();

    place.fill = place.dir.join(OsStr::from_bytes(b"not utf-8 \xff"));
    place.start(&["20", "30"]);
    let status = String::from_utf8(place.run(&["status", "--json"]).stdout).unwrap();
    assert!(status.contains("/not utf-8 \u{fffd}\",\"bytes\":"), "{status}");
    place.expect(0, &["stop"]);
    place.assert_idle();

    place.fill = place.dir.join("two\nlines");
    place.expect(2, &["start", "20", "30"]);
}

#[test]
fn a_state_directory_open_to_others_is_refused() {
    let place = Place::new("cpu_spike");
    fs::set_permissions(place.dir.join("state"), fs::Permissions::from_mode(0o777)).unwrap();
    let said = place.expect(1, &["start", "30", "1"]);
    assert!(said.contains("chmod 700"), "{said}");
    fs::set_permissions(place.dir.join("state"), fs::Permissions::from_mode(0o700)).unwrap();
    place.assert_idle();
}

#[test]
fn cleanup_goes_on_after_one_that_fails() {
    let place = Place::with_own_scripts("memory_leak");
    place.start(&["64", "30"]);
    fs::write(place.scripts.join("cpu_spike.sh"), "SCENARIO=cpu_spike\necho it broke\nexit 1\n").unwrap();
    let output = Command::new("bash")
        .arg(place.scripts.join("cleanup_all.sh"))
        .env("CHAOS_STATE_DIR", place.dir.join("state"))
        .env("CHAOS_FILL_DIR", &place.fill)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("cpu_spike: NOT reverted: it broke") && said.contains("memory_leak: reverted"), "{said}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "left: cpu_spike\n");
    place.assert_idle();
}

#[test]
fn state_is_the_same_before_and_after() {
    for (place, size) in small() {
        let before = place.expect(0, &["state", size]);
        place.start(&[size]);
        assert_ne!(place.expect(0, &["state", size]), before);
        place.expect(0, &["stop"]);
        assert_eq!(place.expect(0, &["state", size]), before);
    }
    let place = Place::new("cpu_spike");
    assert!(place.expect(2, &["state", "--load", "many"]).contains("load"));
}

#[test]
fn an_armed_revert_that_knows_another_directory_is_armed_anew() {
    let mut place = Place::new("disk_fill");
    let fill = place.fill.clone();
    place.fill = place.dir.join("other");
    let said = place.expect(0, &["arm", "--max-runtime", "40"]);
    assert!(said.contains("a reboot is not covered"), "{said}");
    place.fill = fill;
    place.start(&["20", "--duration=30"]);
    // The watchdog finds the files without the PID file and without being told where they are.
    kill("KILL", &place.recorded("leader").to_string());
    fs::remove_file(place.pid_file()).unwrap();
    let elsewhere = Command::new("bash")
        .arg(place.scripts.join("disk_fill.sh"))
        .arg("stop")
        .env("CHAOS_STATE_DIR", place.dir.join("state"))
        .output()
        .unwrap();
    assert!(elsewhere.status.success());
    place.assert_idle();
}

#[test]
fn cleanup_stops_every_scenario() {
    let place = Place::with_own_scripts("cpu_spike");
    place.start(&["30", "1"]);
    let cleanup = |scripts: &Path| {
        Command::new("bash")
            .arg(scripts.join("cleanup_all.sh"))
            .env("CHAOS_STATE_DIR", place.dir.join("state"))
            .env("CHAOS_FILL_DIR", &place.fill)
            .output()
            .unwrap()
    };
    let output = cleanup(&place.scripts);
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let mut names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    names.sort();
    assert_eq!(said.lines().collect::<Vec<_>>(), names.iter().map(|n| format!("{n}: reverted")).collect::<Vec<_>>());
    place.assert_idle();

    for name in names {
        fs::remove_file(place.scripts.join(format!("{name}.sh"))).unwrap();
    }
    assert_eq!(cleanup(&place.scripts).status.code(), Some(1), "nothing was proven");
}

#[test]
fn the_crate_tells_what_the_scripts_say() {
    for scenario in SCENARIOS {
        let help = Place::new(scenario.name).expect(0, &["--help"]);
        let args: String = scenario.args.iter().map(|arg| format!(" [{}]", arg.name)).collect();
        assert!(help.contains(&format!("start{args} [--max-runtime S]")), "{help}");
        assert!(help.starts_with(scenario.summary), "{help}");
        assert!(help.contains(&format!("(default {})", scenario.default_max_runtime)), "{help}");
    }
    let mut embedded: Vec<&str> = FILES.iter().chain(ENDPOINT_FILES).map(|file| file.name).collect();
    let mut there: Vec<String> = fs::read_dir(env!("CARGO_MANIFEST_DIR"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| [".sh", ".py", ".service"].iter().any(|end| name.ends_with(end)))
        .collect();
    embedded.sort();
    there.sort();
    assert_eq!(embedded, there);
}
