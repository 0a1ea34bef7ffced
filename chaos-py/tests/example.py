import chaos_handler as ch


def hot(context: ch.Context, seen: ch.Observation, host: ch.Host) -> list[ch.Finding]:
    """A detector: what is abnormal, and the evidence that shows it."""
    cpu = seen.series("system.cpu.utilization")[0]
    if max(cpu.values) < 0.95:
        return []
    signal = ch.OtherSignal(name="cpu.hot")
    return [ch.Finding(signal=signal, summary="the CPU was full at times", cites=[cpu.cite()])]


# A recorded incident; "local" is this machine, "ops@db1" a host over SSH.
incident = ch.Pipeline("examples/incidents/cpu_spike").detector(hot).run()

if incident.diagnosis is not None and incident.plan is not None and incident.risk is not None:
    print(f"{incident.diagnosis.title}, {incident.diagnosis.confidence:.0%} sure")
    for action in incident.plan.actions:
        print(f"to do, and not done: {' '.join(action.argv)} ({incident.risk.verdict})")

busy = incident.series("system.cpu.utilization")[0].to_pandas()
print(f"CPU: {busy.median():.0%} in the middle, {busy.max():.0%} at most")
