//! The log events that are measured with, here and by the peer in `xtask/peers/extism/`.

/// The text of the `n`th event, of 120 bytes or more: of fifty, one is a pause of a JVM.
pub(crate) fn text(n: usize) -> String {
    let mut text = match n % 50 {
        7 => format!(
            "GC({n}) Pause Young (Normal) (G1 Evacuation Pause) {}M->204M(1024M) {}.345ms",
            300 + n % 90,
            n % 40
        ),
        _ => format!(
            "order {n} of customer {} stored in shard {} after {} attempts, {} ms",
            n * 7919,
            n % 16,
            n % 3,
            n % 97
        ),
    };
    while text.len() < 120 {
        text.push_str(" and so on");
    }
    text
}

/// When it was, in milliseconds since 1970.
pub(crate) fn at(n: usize) -> i64 {
    1_795_000_000_000 + n as i64 * 10
}
