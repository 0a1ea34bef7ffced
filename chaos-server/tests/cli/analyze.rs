//! `analyze` as a user meets it: logs and metrics from files, packed files and a pipe, and what can be wrong with them.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{Place, Ran};

fn with_input(mut command: Command, bytes: &[u8]) -> Ran {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(bytes);
    Ran::from(child.wait_with_output().unwrap())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

const LOG: &str = "\
2026-11-24T08:00:00Z INFO started
2026-11-24T08:00:10Z INFO request 7 served in 12 ms

2026-11-24T08:00:20Z ERROR worker failed
Traceback (most recent call last):
  File \"w.py\", line 3
ValueError: bad
2026-11-24T08:00:30Z INFO request 8 served in 9 ms";

#[test]
fn a_log_is_shown_by_its_templates() {
    let place = Place::new();
    fs::write(place.path("a.log"), LOG).unwrap();
    let ran = place.run(&["analyze", "logs", "a.log"]);
    assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
    assert!(ran.out.starts_with("4 records, 3 templates, 2026-11-24 08:00:00 to 2026-11-24 08:00:30\n"), "{ran:?}");
    assert!(ran.out.contains("request <*> served in <*>") && ran.out.contains("!error"), "{ran:?}");

    let ran = place.run(&["analyze", "logs", "a.log", "--json"]);
    let survey: Value = serde_json::from_str(&ran.out).unwrap();
    let first = &survey["templates"][0];
    assert_eq!((&survey["records"], &first["count"], &first["level"]), (&4.into(), &2.into(), &"info".into()));
    assert_eq!(first["first"], "2026-11-24T08:00:10.000Z");
}

#[test]
fn a_first_look_says_how_much_and_what_is_wrong() {
    let place = Place::new();
    fs::write(place.path("a.log"), LOG).unwrap();
    let ran = place.run(&["analyze", "logs", "--quick", "a.log"]);
    assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
    let told = "7 lines, 2026-11-24 08:00:00 to 2026-11-24 08:00:30\n1 error, 3 info, 3 without a level\n";
    assert!(ran.out.starts_with(told), "{ran:?}");
    assert!(ran.out.contains("worker failed"), "{ran:?}");

    let json = |files: &[&str]| -> Value {
        let ran = place.run(&[&["analyze", "logs", "--quick", "--json"], files].concat());
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:?}"))
    };
    let sight = json(&["a.log"]);
    assert_eq!((&sight["lines"], &sight["levels"]["info"], &sight["without_level"]), (&7.into(), &3.into(), &3.into()));
    let failed = sight["troubles"].as_array().unwrap().iter().find(|t| t["level"] == "error").unwrap();
    assert_eq!((&failed["count"], &failed["first_line"]), (&1.into(), &4.into()));
    fs::write(place.path("well.gz"), gzip(b"2026-11-24T09:00:00Z INFO all is well\n")).unwrap();
    let both = json(&["a.log", "well.gz"]);
    assert_eq!((&both["lines"], &both["troubles"]), (&8.into(), &sight["troubles"]));

    let ran = place.run(&["analyze", "logs", "--quick", "well.gz"]);
    assert!(ran.out.ends_with("No line tells of trouble.\n"), "{ran:?}");
    let ran = place.run(&["analyze", "logs", "--quick", "--per-line", "--json", "a.log"]);
    assert!(ran.code == 2 && ran.err.contains("--quick"), "{ran:?}");
}

#[test]
fn every_line_of_a_log_is_one_object() {
    let place = Place::new();
    fs::write(place.path("a.log"), LOG).unwrap();
    let ran = place.run(&["analyze", "logs", "--per-line", "--json", "a.log"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let all = lines(&ran);
    assert_eq!(all.iter().map(|l| l["line"].as_u64().unwrap()).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    assert_eq!(all[2]["template_id"], Value::Null);
    assert_eq!(all[1]["template_id"], all[7]["template_id"]);
    assert!((4..7).all(|i| all[i]["template_id"] == all[3]["template_id"] && all[i]["alert"] == true), "{ran:?}");
    assert!(all[0]["alert"] == false && all[3]["level"] == "error" && all[0].get("file").is_none(), "{ran:?}");

    let ran = place.run(&["analyze", "logs", "--per-line", "--json", "a.log", "in/app.log"]);
    let all = lines(&ran);
    assert_eq!((all.len(), &all[8]["file"], &all[8]["line"]), (12, &"in/app.log".into(), &1.into()));
    assert_eq!(all[0]["template_id"], all[8]["template_id"]);
}

#[test]
fn a_baseline_tells_what_is_new_and_what_is_gone() {
    let place = Place::new();
    fs::write(place.path("a.log"), LOG).unwrap();
    let ran = place.run(&["analyze", "logs", "in/app.log", "--baseline", "a.log", "--json"]);
    let survey: Value = serde_json::from_str(&ran.out).unwrap();
    let new = |t: &&Value| t["new"] == true;
    let told: Vec<&Value> =
        survey["templates"].as_array().unwrap().iter().filter(new).map(|t| &t["template"]).collect();
    assert_eq!(told, ["cannot write <*>: No space left on device", "request served in <*>"], "{ran:?}");
    assert_eq!(survey["gone"].as_array().unwrap().len(), 2, "{ran:?}");
    let ran = place.run(&["analyze", "logs", "in/app.log", "--baseline", "a.log"]);
    assert!(ran.out.contains("2 new against 4 records") && ran.out.contains("[new] cannot write"), "{ran:?}");
}

#[test]
fn packed_files_and_a_pipe_read_as_the_plain_file() {
    let place = Place::new();
    fs::write(place.path("a.log"), LOG).unwrap();
    fs::write(place.path("a.log.gz"), [gzip(&LOG.as_bytes()[..100]), gzip(&LOG.as_bytes()[100..])].concat()).unwrap();
    fs::write(place.path("a.log.zst"), zstd::encode_all(LOG.as_bytes(), 1).unwrap()).unwrap();
    let of = |file: &str| place.run(&["analyze", "logs", "--json", "--per-line", file]).out;
    let plain = of("a.log");
    assert_eq!(plain.lines().count(), 8);
    assert_eq!((of("a.log.gz"), of("a.log.zst")), (plain.clone(), plain.clone()));
    let piped = |bytes: &[u8]| with_input(place.command(&["analyze", "logs", "--json", "--per-line", "-"]), bytes).out;
    assert_eq!((piped(LOG.as_bytes()), piped(&gzip(LOG.as_bytes()))), (plain.clone(), plain));
}

#[test]
fn what_can_not_be_read_is_one_line() {
    let place = Place::new();
    let noise: Vec<u8> = (0..4000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let packed = gzip(&noise);
    fs::write(place.path("cut.gz"), &packed[..packed.len() / 2]).unwrap();
    let packed = zstd::encode_all(&noise[..], 1).unwrap();
    fs::write(place.path("cut.zst"), &packed[..packed.len() / 2]).unwrap();
    fs::write(place.path("empty.csv"), "").unwrap();
    fs::write(place.path("noise.csv"), &noise).unwrap();
    fs::write(place.path("no.csv"), "timestamp,value\nsoon,1\n").unwrap();
    fs::write(place.path("no.json"), "{\"a\":1}").unwrap();
    fs::write(place.path("two.csv"), "t,a,b\n1,2,3\n").unwrap();
    for (args, code, said) in [
        (&["logs", "none.log"][..], 4, "none.log: there is no such file"),
        (&["logs", "in"], 2, "in is a directory"),
        (&["logs", "cut.gz"], 6, "cut.gz is cut off"),
        (&["logs", "cut.zst"], 6, "cut.zst"),
        (&["logs", "in/app.log", "--baseline", "none.log"], 4, "none.log"),
        (&["metrics", "none.csv"], 4, "none.csv: there is no such file"),
        (&["metrics", "in"], 2, "in is a directory"),
        (&["metrics", "cut.gz"], 6, "cut.gz is cut off"),
        (&["metrics", "empty.csv"], 2, "empty.csv: it is empty"),
        (&["metrics", "noise.csv"], 2, "noise.csv is not text"),
        (&["metrics", "no.csv"], 2, "no row is a time and a number"),
        (&["metrics", "no.json"], 2, "no.json: "),
        (&["metrics", "two.csv", "--per-sample"], 2, "--series is one of a, b"),
        (&["metrics", "two.csv", "--series", "c"], 2, "there is no series c"),
    ] {
        let ran = place.run(&[&["analyze"], args].concat());
        assert_eq!((ran.code, &*ran.out), (code, ""), "{args:?} {ran:?}");
        assert!(ran.err.starts_with("error: ") && ran.err.contains(said), "{args:?} {ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{args:?} {ran:?}");
    }
}

#[test]
fn any_bytes_are_a_log() {
    let place = Place::new();
    let noise: Vec<u8> = (0..40_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    fs::write(place.path("noise"), &noise).unwrap();
    let want = noise.iter().filter(|b| **b == b'\n').count() + usize::from(noise.last() != Some(&b'\n'));
    let ran = place.run(&["analyze", "logs", "--per-line", "--json", "noise"]);
    assert_eq!((ran.code, lines(&ran).len()), (0, want));
    fs::write(place.path("empty"), "").unwrap();
    let ran = place.run(&["analyze", "logs", "empty"]);
    assert_eq!((ran.code, &*ran.out), (0, "0 records, 0 templates\n"));
}

#[test]
fn samples_are_scored_row_by_row() {
    let place = Place::new();
    let row = |i: u32| format!("2026-11-24 08:{:02}:{:02},{}\n", i / 60, i % 60, if i == 300 { 90 } else { i * i % 7 });
    let mut text = String::from("timestamp,value\n") + &(0..600).map(row).collect::<String>();
    text.push_str("2026-11-24 08:00:07,NaN\n2026-11-24 08:00:07,3\nno time,4\n2026-11-24 09:00:00,inf\n");
    fs::write(place.path("cpu.csv"), text).unwrap();
    let ran = place.run(&["analyze", "metrics", "--per-sample", "cpu.csv"]);
    assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
    let rows: Vec<Vec<&str>> = ran.out.lines().map(|l| l.split(',').collect()).collect();
    assert_eq!((rows.len(), &rows[0][..]), (605, &["timestamp", "value", "anomaly_score"][..]));
    assert_eq!(rows[1][..2], ["2026-11-24 08:00:00", "0.0"]);
    let score = |row: &[&str]| row[2].parse::<f64>().unwrap();
    let alerts: Vec<&str> = rows[1..].iter().filter(|r| score(r) >= 0.5).map(|r| r[0]).collect();
    assert!(!alerts.is_empty() && alerts.len() <= 2, "{alerts:?}");
    let strongest = rows[1..].iter().max_by(|a, b| score(a).total_cmp(&score(b))).unwrap();
    assert!(("2026-11-24 08:04:55".."2026-11-24 08:05:03").contains(&strongest[0]), "{strongest:?}");
    assert!(rows[601..].iter().all(|r| score(r) == 0.0), "{:?}", &rows[601..]);
}

#[test]
fn metrics_tell_what_changed_and_when_a_trend_ends() {
    let place = Place::new();
    let csv =
        |of: &dyn Fn(u32) -> f64| (0..200).map(|i| format!("{},{}\n", 1_795_507_200 + i, of(i))).collect::<String>();
    fs::write(place.path("step.csv"), csv(&|i| f64::from(20 * u32::from(i >= 120) + i % 3))).unwrap();
    let ran = place.run(&["analyze", "metrics", "step.csv", "--chart", "charts"]);
    assert!(ran.code == 0 && ran.out.contains("new level at 2026-11-24T08:02:00.000Z: 1 → 21"), "{ran:?}");
    assert!(ran.out.contains('█') && place.path("charts/001-step.svg").exists(), "{ran:?}");

    fs::write(place.path("disk.csv"), csv(&|i| 10.0 + f64::from(i) * 0.25)).unwrap();
    let ran = place.run(&["analyze", "metrics", "disk.csv", "--limit", "100", "--json"]);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    let trend = &json["series"][0]["anomalies"][0];
    assert_eq!((&trend["change"], trend["exhausted_after_s"].as_f64().unwrap().round()), (&"trend_up".into(), 161.0));

    fs::write(place.path("one.csv"), "1795507200,5\n").unwrap();
    let ran = place.run(&["analyze", "metrics", "one.csv"]);
    assert!(ran.code == 0 && ran.out.contains("1 sample") && ran.out.contains("nothing unusual"), "{ran:?}");

    let prom = "# TYPE a gauge\na{x=\"1\"} 5 1795507200000\nb_total 7\n";
    let ran = with_input(place.command(&["analyze", "metrics", "-", "--json"]), prom.as_bytes());
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&json["series"][0]["name"], &json["series"][0]["samples"]), (&"a".into(), &1.into()), "{ran:?}");
}

#[test]
fn series_that_change_together_are_told_with_who_was_first() {
    let place = Place::new();
    let at = |i: u32, from: u32| f64::from(u32::from(i >= from) * 50 + i % 3);
    let row = |i: u32| format!("{},{},{},{}\n", 1_795_507_200 + i, at(i, 100), at(i, 112), i % 3);
    let csv: String = (0..200).map(row).collect();
    fs::write(place.path("all.csv"), format!("time,db,web,idle\n{csv}")).unwrap();
    let ran = place.run(&["analyze", "metrics", "all.csv"]);
    let said = "changed together at 2026-11-24T08:01:40.000Z: db (higher), web (higher) 12 s later\n";
    assert!(ran.code == 0 && ran.out.ends_with(said), "{ran:?}");
    let ran = place.run(&["analyze", "metrics", "all.csv", "--json"]);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    let group = &json["changed_together"][0]["members"];
    assert_eq!((group.as_array().unwrap().len(), &group[1]["lag_s"]), (2, &12.0.into()), "{json}");
}

#[test]
fn a_counter_is_judged_by_its_growth_and_a_reset_is_no_fall() {
    let place = Place::new();
    let count = |i: u32| if i < 150 { 1_000_000 + 100 * i + i % 7 } else { 100 * (i - 150) + i % 7 };
    let csv: String = (0..300).map(|i| format!("{},{}\n", 1_795_507_200 + i, count(i))).collect();
    fs::write(place.path("c.csv"), format!("time,hits_total\n{csv}")).unwrap();
    let ran = place.run(&["analyze", "metrics", "c.csv", "--json"]);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    let one = &json["series"][0];
    assert_eq!(
        (&one["anomalies"], &one["change_points"], &one["unit"]),
        (&json!([]), &json!([]), &"/s".into()),
        "{one}"
    );
}
