"""Mines the templates of a file with Drain3. Prints seconds, lines and templates."""

import logging
import sys
import time

from drain3 import TemplateMiner
from drain3.template_miner_config import TemplateMinerConfig

logging.disable(logging.CRITICAL)
miner = TemplateMiner(config=TemplateMinerConfig())
started = time.perf_counter()
lines = 0
with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
    for line in log:
        miner.add_log_message(line.rstrip("\n"))
        lines += 1
print(time.perf_counter() - started, lines, len(miner.drain.clusters))
