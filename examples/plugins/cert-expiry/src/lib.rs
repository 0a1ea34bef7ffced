//! Certificates that expired, or will soon: of the files that the operator names, else of those that nginx is
//! configured with. The target is asked with `openssl x509`; the answer is what the finding cites.

use std::collections::BTreeSet;

use chaos_plugin::{Detector, Ending, EntityKind, Finding, Observation, Signal, config, number, run, say};

struct CertExpiry;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Certificates that are looked at.
const MOST: usize = 10;

impl Detector for CertExpiry {
    fn detect(seen: &Observation) -> Result<Vec<Finding>, String> {
        if !seen.facts.live {
            return Ok(Vec::new()); // files have nobody to ask
        }
        let warn_days = number("warn_days", 14.0);
        Ok(files().iter().take(MOST).filter_map(|file| look(file, seen.observed.end, warn_days)).collect())
    }
}

chaos_plugin::detector!(CertExpiry);

fn files() -> BTreeSet<String> {
    let named = config("files").unwrap_or_default();
    let named: BTreeSet<String> =
        named.split(',').map(str::trim).filter(|f| f.starts_with('/')).map(str::to_owned).collect();
    if !named.is_empty() {
        return named;
    }
    match run(&["grep", "-rhs", "ssl_certificate[[:space:]]", "/etc/nginx"]) {
        Ok(answer) => configured(&answer.stdout),
        Err(why) => {
            say(&format!("nginx's configuration can't be read: {why:?}"));
            BTreeSet::new()
        }
    }
}

/// `    ssl_certificate /etc/ssl/shop/shop.crt;`
fn configured(text: &str) -> BTreeSet<String> {
    let file = |directive: &str| {
        let word = directive.trim().strip_prefix("ssl_certificate")?.strip_prefix(char::is_whitespace)?;
        let word = word.trim().trim_matches(['"', '\'']);
        word.starts_with('/').then(|| word.to_owned())
    };
    text.split(['\n', ';', '{', '}']).filter_map(file).collect()
}

fn look(file: &str, now: i64, warn_days: f64) -> Option<Finding> {
    let answer = match run(&["openssl", "x509", "-noout", "-enddate", "-in", file]) {
        Ok(answer) => answer,
        Err(why) => {
            say(&format!("{file} can't be looked at: {why:?}"));
            return None;
        }
    };
    if !matches!(answer.ended, Ending::Exited(0)) {
        return None;
    }
    let end = end_date(&answer.stdout)?;
    let days = (end - now) as f64 / DAY_MS as f64;
    if days > warn_days {
        return None;
    }
    let (signal, score, summary) = if days < 0.0 {
        ("tls.certificate.expired", 0.95, format!("the certificate {file} expired {:.0} days ago", -days))
    } else {
        ("tls.certificate.expires", 0.6, format!("the certificate {file} expires in {days:.0} days"))
    };
    let finding = Finding::new(Signal::Other(signal.into()), summary).score(score).about(EntityKind::File, file);
    let finding = if days < 0.0 { finding.since(end) } else { finding };
    Some(finding.cite_answer(&answer))
}

/// `notAfter=Nov 25 23:59:06 2036 GMT`, in milliseconds since 1970.
fn end_date(text: &str) -> Option<i64> {
    let date = text.lines().find_map(|l| l.strip_prefix("notAfter="))?;
    let words: Vec<&str> = date.split_whitespace().collect();
    let [month, day, time, year, "GMT"] = words[..] else { return None };
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|m| *m == month)? as i64 + 1;
    let (day, year) = (day.parse::<i64>().ok()?, year.parse::<i64>().ok().filter(|y| (1900..=9999).contains(y))?);
    let mut clock = time.split(':').map(|n| n.parse::<i64>().ok());
    let (h, m, s) = (clock.next()??, clock.next()??, clock.next()??);
    // Days from a date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let y = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (y.div_euclid(400), y.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(((days * 24 + h) * 60 + m) * 60_000 + s * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_a_time() {
        assert_eq!(end_date("notAfter=Jan  1 00:00:01 1970 GMT\n"), Some(1000));
        assert_eq!(end_date("notAfter=Nov 25 23:59:06 2036 GMT\nx"), Some(2_111_270_346_000));
        for no in ["", "notAfter=soon", "notAfter=Foo 1 00:00:00 2030 GMT", "notAfter=Jan 1 00:00 2030 GMT"] {
            assert_eq!(end_date(no), None, "{no}");
        }
    }

    #[test]
    fn certificates_are_found_in_nginx_s_configuration() {
        let text = "  ssl_certificate /etc/a.crt;\nssl_certificate_key /etc/a.key;\n#ssl_certificate /no;\nssl_certificate \"/etc/b.crt\";\nserver { listen 443 ssl; ssl_certificate /etc/c.crt; }";
        assert_eq!(configured(text), ["/etc/a.crt", "/etc/b.crt", "/etc/c.crt"].map(str::to_owned).into());
    }
}
