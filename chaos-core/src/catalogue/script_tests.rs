//! The catalogue's scripts, run with stand-ins for the programs that they ask.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use super::SCRIPTS;

/// What a script prints where each of these programs prints that.
fn ran(script: &str, programs: &[(&str, &str)]) -> String {
    let place = tempfile::tempdir().unwrap();
    for (name, says) in programs {
        let program = place.path().join(name);
        fs::write(&program, format!("#!/bin/sh\ncat <<'END'\n{says}END\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", place.path().display(), std::env::var("PATH").unwrap());
    let text = SCRIPTS.iter().find(|(name, _)| *name == script).unwrap().1;
    let ran = Command::new("sh").args(["-c", text]).env("PATH", path).output().unwrap();
    assert!(ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn connections_are_summed_up_by_what_is_wrong_with_them() {
    let listed = concat!(
        "SYN-SENT 0 1 10.0.0.4:37276 10.0.0.9:5432 users:((\"app\",pid=812,fd=3)) timer:(on,1sec,2)\n\t cubic rto:1\n",
        "SYN-SENT 0 1 10.0.0.4:37277 10.0.0.9:5432 users:((\"app\",pid=812,fd=4))\n",
        "LISTEN 129 128 *:8080 *:* users:((\"python3\",pid=9,fd=3))\n\t cubic\n",
        "ESTAB 0 100 [::1]:40 [2001:db8::7]:443 users:((\"my app\",pid=7,fd=3)) timer:(on,1.3sec,4)\n",
        "\t ts sack cubic rto:3264 backoff:4 rtt:0.02/0.01 retrans:1/25 lost:2\n",
        "FIN-WAIT-1 0 50193 10.0.0.4:40100 10.0.0.8:7070 timer:(on,2.1sec,4)\n",
        "\t cubic rto:3200 backoff:4 mss:1448 pmtu:1500 bytes_sent:9000 bytes_acked:201 unacked:10\n",
        "ESTAB 0 50000 10.0.0.4:40101 10.0.0.7:7071 timer:(persist,2sec,4)\n\t cubic backoff:4 mss:1448 bytes_acked:201\n",
        "ESTAB 0 0 10.0.0.4:22 10.0.0.1:40002\n\t cubic rtt:0.4/0.1 retrans:0/0\n",
        "CLOSE-WAIT 79 0 10.0.0.1:8080 10.0.0.9:40212\n",
    );
    let said = ran("connections", &[("ss", listed)]);
    let want = [
        "hung 1 10.0.0.7 7071 - -",
        "hung 1 10.0.0.8 7070 - -",
        "hung 1 [2001:db8::7] 443 - -",
        "large 1 10.0.0.8 7070 - -",
        "overfull 129 * 8080 python3 9",
        "resent 25 [2001:db8::7] 443 my_app 7",
        "stuck 4 10.0.0.7 7071 - -",
        "stuck 4 [2001:db8::7] 443 my_app 7",
        "unanswered 2 10.0.0.9 5432 app 812",
        "unread 1 10.0.0.1 8080 - -",
        "waiting 129 * 8080 python3 9",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), want);
}

/// This process stands for one that listens, its parent for another: they have a control group that can be read.
#[test]
fn who_listens_where_a_failing_service_would_comes_first_and_then_the_youngest() {
    let (own, parent) = (std::process::id(), std::os::unix::process::parent_id());
    let place = tempfile::tempdir().unwrap();
    let program = place.path().join("shop.py");
    fs::write(&program, "server = Server((\"127.0.0.1\", 8081))\n").unwrap();
    let listening = format!(
        concat!(
            "LISTEN 0 5 0.0.0.0:22 0.0.0.0:* users:((\"sshd\",pid={parent},fd=3))\n",
            "LISTEN 0 5 0.0.0.0:9000 0.0.0.0:* users:((\"my node\",pid={own},fd=3))\n",
            "LISTEN 0 5 [::]:8081 [::]:* users:((\"perl\",pid={parent},fd=4),(\"perl\",pid=7,fd=4))\n",
            "LISTEN 0 5 [::]:9999 [::]:* users:((\"gone\",pid=4194999,fd=4))\n",
            "LISTEN 0 5 [::]:111 [::]:*\n",
        ),
        parent = parent,
        own = own
    );
    let ages = format!("{parent} 86400\n{own} 31\n4194999 5\n");
    // The stand-in gives the same for each question, of which each takes what it asked for.
    let units = |restarts: u32| {
        format!(
            "Id=well.service\nActiveState=active\nNRestarts=0\n\nId=shop.service\nActiveState=activating\nNRestarts={restarts}\nExecStart={{ path=/usr/bin/python3 ; argv[]=/usr/bin/python3 -u {} ; ignore_errors=no }}\n",
            program.display()
        )
    };
    let with = |units: &str| {
        let programs = [("systemctl", units), ("ss", listening.as_str()), ("ps", ages.as_str()), ("journalctl", "")];
        ran("port_rivals", &programs)
    };
    assert_eq!(with(&units(3)), format!("8081 {parent} 1 86400 perl\n9000 {own} 0 31 my node\n"));
    assert_eq!(with(&units(0)), "", "nothing fails, so nobody is after a port");
}

#[test]
fn rules_that_block_a_port_are_told_with_what_puts_them_back() {
    let listed = concat!(
        "table inet filter { # handle 3\n",
        "\tset banned { # handle 9\n\t\ttype ipv4_addr\n\t}\n\n",
        "\tchain input { # handle 1\n",
        "\t\ttype filter hook input priority filter; policy accept;\n",
        "\t\ttcp dport 8070 counter drop # handle 2\n",
        "\t\ttcp dport 22 ip saddr @banned reject # handle 5\n",
        "\t\tudp dport 53 reject # handle 7\n",
        "\t\ttcp dport { 80, 443 } drop # handle 8\n\t}\n",
        "\tchain output { # handle 10\n\t\ttcp dport 25 reject with tcp reset # handle 11\n\t}\n}\n",
    );
    let want = [
        "inet filter input 2 8070 | tcp dport 8070 counter drop | insert rule inet filter input tcp dport 8070 counter drop",
        "inet filter input 7 53 | udp dport 53 reject | add rule inet filter input handle 5 udp dport 53 reject",
        "inet filter output 11 25 | tcp dport 25 reject with tcp reset | insert rule inet filter output tcp dport 25 reject with tcp reset",
    ];
    assert_eq!(ran("nft_blocks", &[("nft", listed)]).lines().collect::<Vec<_>>(), want);
}

#[test]
fn neighbours_that_do_not_answer_are_told_gateways_first_with_where_they_lead_to() {
    let listed = concat!(
        "default via 10.0.2.2 dev ens4 proto dhcp src 10.0.2.15 metric 1024 \n",
        "10.77.0.0/24 via 10.99.0.254 dev eth1 \n",
        "10.78.0.0/24 via 10.99.0.254 dev eth1 \n",
        "10.5.0.0/16 proto static \n",
        "\tnexthop via 10.99.0.9 dev eth1 weight 1 \n",
        "\tnexthop via 10.99.0.8 dev eth1 weight 1 \n",
        "10.99.0.7 dev eth1 FAILED \n",
        "10.99.0.254 dev eth1 FAILED \n",
        "fe80::9 dev eth1 router INCOMPLETE \n",
        "10.99.0.9 dev eth1 INCOMPLETE \n",
    );
    let want = [
        "gateway 10.99.0.254 eth1 10.77.0.0/24",
        "gateway 10.99.0.9 eth1 10.5.0.0/16",
        "host 10.99.0.7 eth1 -",
        "host fe80::9 eth1 -",
    ];
    assert_eq!(ran("neighbours", &[("ip", listed)]).lines().collect::<Vec<_>>(), want);
}

#[test]
fn services_that_ran_and_are_to_run_are_told_when_they_do_not() {
    let up: f64 = fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap();
    let unit = |id: &str, kind: &str, file: &str, by: &str, state: &str, left: f64, how: &str| {
        let left = ((up - left) * 1e6).max(0.0);
        format!(
            "Type={kind}\nResult={how}\nId={id}.service\nTriggeredBy={by}\nActiveState={state}\nUnitFileState={file}\n\
             InactiveEnterTimestampMonotonic={left:.0}\n\n"
        )
    };
    // As long as this machine may have been up at least.
    let listed = [
        unit("web", "forking", "enabled", "", "inactive", 3.0, "success"),
        unit("app", "simple", "enabled", "", "failed", 2.0, "exit-code"),
        unit("back", "simple", "enabled", "", "active", 3.0, "success"),
        unit("job", "oneshot", "enabled", "", "inactive", 3.0, "success"),
        unit("now-and-then", "simple", "static", "x.timer", "inactive", 3.0, "success"),
        unit("off", "simple", "disabled", "", "inactive", 3.0, "success"),
        unit("on-demand", "simple", "enabled", "x.socket", "inactive", 3.0, "success"),
        unit("never", "simple", "enabled", "", "inactive", up, "success"),
    ];
    let said = ran("stopped_services", &[("systemctl", &listed.concat())]);
    let told: Vec<Vec<&str>> = said.lines().map(|line| line.split(' ').collect()).collect();
    let want = [["app.service", "failed", "exit-code"], ["web.service", "inactive", "success"]];
    assert_eq!(told.iter().map(|t| [t[0], t[2], t[3]]).collect::<Vec<_>>(), want);
    assert!((1..60).contains(&told[1][1].parse::<i32>().unwrap()), "{said}");
}
