"""Measures the Python package, and Drain3 beside it. Arguments: a log, its first part for Drain3, a recorded incident."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy

log, short, recorded = (Path(argument) for argument in sys.argv[1:])


def median(times: int, do: object) -> float:
    took = []
    for _ in range(times):
        started = time.perf_counter()
        do()
        took.append(time.perf_counter() - started)
    return statistics.median(took)


def resident() -> int:
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])


def imports(what: str) -> float:
    return median(9, lambda: subprocess.run([sys.executable, "-c", what], check=True))


alone, with_package = imports("pass"), imports("import chaos_handler")
print(f"import chaos_handler: {1000 * (with_package - alone):.0f} ms beyond Python's own start")

import chaos_handler as ch  # noqa: E402

lines = log.read_text(errors="replace").splitlines()
templates = len(ch.mine_templates(lines).templates)
of_lines = len(lines) / median(5, lambda: ch.mine_templates(lines)) / 1e6
of_path = len(lines) / median(5, lambda: ch.mine_templates(log)) / 1e6
per_line = len(lines) / median(3, lambda: ch.mine_templates(lines, per_line=True)) / 1e6
print(f"mine_templates of {len(lines)} lines: list {of_lines:.2f} M lines/s, path {of_path:.2f}, "
      f"list with per_line {per_line:.2f}; {templates} templates")
said = subprocess.run([sys.executable, Path(__file__).with_name("with_drain3.py"), short], capture_output=True, text=True,
                      check=True)
seconds, count, _ = (float(word) for word in said.stdout.split())
drain3 = count / seconds / 1e6
print(f"Drain3 in Python on {count:.0f} of them: {drain3:.3f} M lines/s; ours has {of_lines / drain3:.0f} times that")

at = numpy.arange(1_000_000) * 1000
series = ch.MetricSeries("x", at, numpy.sin(at / 1e6))
series.to_pandas()
print(f"a series of 1,000,000 samples to pandas: {1000 * median(9, series.to_pandas):.2f} ms")

for _ in range(100):
    ch.replay(recorded)
before, started = resident(), time.perf_counter()
for _ in range(1000):
    ch.replay(recorded)
took = time.perf_counter() - started
print(f"1,000 replays: {took:.0f} ms each; {resident() / 1024:.0f} MiB resident, {(resident() - before) / 1024:+.1f} MiB")
