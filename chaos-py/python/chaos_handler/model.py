"""What is known of an incident, as typed records. They mirror the engine's `incident.json` field by field."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from ._record import Record

__all__ = [
    "Action",
    "ActionRisk",
    "Answer",
    "Ask",
    "Basis",
    "Chart",
    "Check",
    "Citation",
    "Command",
    "Culprit",
    "Diagnosis",
    "End",
    "Entity",
    "Expect",
    "Facts",
    "Failure",
    "FileChange",
    "Finding",
    "FixPlan",
    "Gap",
    "Histogram",
    "HttpGet",
    "Hypothesis",
    "Injection",
    "InvestigationStep",
    "LogLine",
    "LogPattern",
    "LogSignal",
    "MetricSignal",
    "OtherSignal",
    "Past",
    "RecentChange",
    "Record",
    "Recovery",
    "Recurrence",
    "Rehearsed",
    "RehearsedStep",
    "Report",
    "RiskAssessment",
    "Rows",
    "RuleHit",
    "RunOptions",
    "Simulation",
    "Span",
    "TargetInfo",
    "TraceEvent",
]

Verdict = Literal["healthy", "unknown", "fault"]
Level = Literal["trace", "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
Change = Literal[
    "level_up",
    "level_down",
    "spike",
    "dip",
    "trend_up",
    "trend_down",
    "saturated",
    "missing",
    "variance_up",
    "variance_down",
    "flatline",
]
LogChange = Literal["new", "burst", "silence", "severe", "repeated", "off_beat", "focused"]
EntityKind = Literal[
    "host", "process", "unit", "filesystem", "directory", "file", "device", "interface", "port", "log"
]
Status = Literal["running", "completed", "failed", "stopped", "interrupted"]
OnFailure = Literal["abort", "continue", "rollback"]
Reversibility = Literal["full", "partial", "none"]
RiskLevel = Literal["none", "low", "medium", "high"]
RiskVerdict = Literal["safe", "needs_approval", "dangerous"]
RiskCategory = Literal["downtime", "data_loss", "dependency_ripple", "privilege", "network", "irreversible"]
EventType = Literal[
    "phase",
    "note",
    "evidence",
    "finding",
    "hypothesis",
    "probe",
    "diagnosis",
    "fix",
    "risk",
    "chaos",
    "report",
    "error",
]
Phase = Literal[
    "prepare",
    "baseline",
    "inject",
    "observe",
    "detect",
    "investigate",
    "plan",
    "rehearse",
    "revert",
    "report",
    "done",
    "apply",
]


class Span(Record):
    """A stretch of time, its end excluded."""

    start: datetime
    end: datetime


class Rows(Record):
    """Rows of a piece of evidence, the end excluded; never empty."""

    start: int
    end: int


class Failure(Record):
    """Something that went wrong, as it was recorded."""

    kind: str
    """As in `ChaosError.kind`."""
    message: str
    context: list[tuple[str, str]] = []
    """Where it happened, as named values."""
    causes: list[str] = []

    def __str__(self) -> str:
        where = ", ".join(f"{key}: {value}" for key, value in self.context)
        return ": ".join([f"{self.message} ({where})" if where else self.message, *self.causes])


class Gap(Record):
    """A stretch of time in which a source said nothing because it could not."""

    span: Span
    why: Failure


class LogLine(Record):
    """One log record that was kept, redacted, without its header where that was understood."""

    at: datetime
    level: Level | None = None
    unit: str | None = None
    """systemd unit, program or component that wrote it."""
    pid: int | None = None
    text: str
    pattern: int
    """Index into the stream's patterns."""


class Histogram(Record):
    """Counts per interval of equal width."""

    start: datetime
    width_ms: int
    counts: list[int]


class LogPattern(Record):
    """Records of one shape: what stays the same is text, what varies is `<*>`."""

    id: str
    template: str
    level: Level | None = None
    count: int
    first: datetime
    last: datetime
    histogram: Histogram
    rows: list[int]
    """Rows of the kept lines that show it."""
    sample: list[int] = []


class Facts(Record):
    """What the target is and has."""

    live: bool = False
    hostname: str = ""
    os: str = ""
    kernel: str = ""
    systemd: bool = False
    journald: bool = False
    root: bool = False
    sudo: bool = False
    cpus: int = 0
    memory_bytes: int = 0
    uptime_s: float = 0.0
    clock_ahead_s: float = 0.0
    tools: list[str] = []
    log_files: list[str] = []
    metric_files: list[str] = []
    limits: list[str] = []
    """What is missing and limits what is seen, one sentence each."""


class TargetInfo(Record):
    """Which target an incident is about."""

    name: str
    kind: str
    """`local`, `ssh`, `files`, or what your own transport calls itself."""


class RunOptions(Record):
    """How a run was to be done."""

    baseline_s: int = 20
    observe_s: int = 30
    log_files: list[str] = []
    metrics_endpoint: tuple[int, str] | None = None
    """Port and path on the target's loopback."""


class Citation(Record):
    """Rows of one piece of evidence."""

    evidence: int
    """Its number among what was seen: `MetricSeries.number`, `LogStream.number`."""
    rows: Rows


class MetricSignal(Record):
    """A metric behaves unlike before, or is at a known limit."""

    _tag: ClassVar[str] = "metric"
    kind: Literal["metric"] = "metric"
    name: str
    """As OpenTelemetry's system metrics are called: `system.cpu.utilization`."""
    attributes: dict[str, str] = {}
    change: Change
    before: float | None = None
    """Typical value before, in the metric's unit."""
    after: float


class LogSignal(Record):
    """Log records of one shape are new, more, fewer, off their beat, or severe."""

    _tag: ClassVar[str] = "log"
    kind: Literal["log"] = "log"
    pattern: str
    template: str
    example: str
    level: Level | None = None
    change: LogChange
    count: int


class OtherSignal(Record):
    """Anything else, by a detector of yours."""

    _tag: ClassVar[str] = "other"
    kind: Literal["other"] = "other"
    name: str
    """A dotted name that catalogue entries can match: `jvm.gc.pause`."""


class Entity(Record):
    """What a finding or a cause is about."""

    kind: EntityKind = "host"
    name: str = ""
    """Its name among its kind; empty for the host."""
    attributes: dict[str, str] = {}
    """What else identifies it: `pid`, `owner`, `device`."""


class Finding(Record):
    """One thing that is not as usual."""

    agent: str = ""
    """Who found it; the pipeline fills this in."""
    signal: MetricSignal | LogSignal | OtherSignal
    entity: Entity = Entity()
    summary: str
    """One line for a person."""
    score: float = 0.5
    """How far from usual, 0 to 1; from 0.5 on it counts in the diagnosis."""
    onset: datetime | None = None
    cites: list[Citation] = []
    """The evidence. A finding without any, and without an answer, is refused."""
    answers: list[int] = []
    """Numbers of answers that the target gave to this detector."""


class Basis(Record):
    """What a claim rests on: a finding or an answer, by its number."""

    finding: int | None = None
    answer: int | None = None


class Hypothesis(Record):
    """One possible explanation."""

    verdict: Verdict
    fault: str | None = None
    """The fault's id in the catalogue."""
    title: str
    posterior: float
    basis: list[Basis] = []
    against: list[str] = []


class Culprit(Record):
    """Which process, file, unit, … is at fault."""

    entity: Entity
    summary: str
    basis: list[Basis] = []


class RecentChange(Record):
    """Something that was changed on the target shortly before the trouble began."""

    at: datetime
    kind: str
    """`file`, `package`, `unit`, `login` or `boot`."""
    what: str
    about_culprit: bool
    basis: int


class InvestigationStep(Record):
    """One step of the reasoning."""

    what: str
    note: str
    posterior: list[tuple[str, float]] = []


class Past(Record):
    """An earlier incident of the same target."""

    id: str
    began: datetime
    verdict: Verdict
    fault: str | None = None
    confidence: float
    culprit: str | None = None
    injected: bool = False
    confirmed: dict[str, Any] | None = None


class Recurrence(Record):
    """What the earlier incidents of the target say about this one."""

    incidents: int
    confirmed: dict[str, int]
    prior: tuple[float, float] | None = None
    same: list[Past] = []


class Diagnosis(Record):
    """The conclusion."""

    verdict: Verdict
    fault: str | None = None
    """The fault's id in the catalogue, such as `disk_space`."""
    title: str
    confidence: float
    """A probability, 0 to 1."""
    culprit: Culprit | None = None
    hypotheses: list[Hypothesis] = []
    """Every explanation that was considered, the most likely first."""
    steps: list[InvestigationStep] = []
    changes: list[RecentChange] = []
    history: Recurrence | None = None
    limits: list[str] = []


class Expect(Record):
    """What a check's command must answer: `success`, `failure`, or that it prints exactly a text."""

    kind: Literal["success", "failure", "prints"] = "success"
    text: str = ""

    def to_dict(self) -> Any:
        return {"prints": self.text} if self.kind == "prints" else self.kind

    @classmethod
    def from_dict(cls, data: Any) -> Expect:
        if isinstance(data, dict) and "prints" in data:
            return cls(kind="prints", text=data["prints"])
        return super().from_dict({"kind": data})


class Check(Record):
    """A command whose outcome says whether something holds."""

    title: str
    argv: list[str]
    expect: Expect = Expect()
    within_s: int = 0


class Action(Record):
    """One step of a plan."""

    id: str
    title: str
    target: str = ""
    argv: list[str]
    """The command; empty when only `shell` can say it."""
    shell: str | None = None
    rationale: str = ""
    cites: list[int] = []
    """Numbers of the hypotheses that it rests on."""
    confidence: float = 0.5
    preconditions: list[Check] = []
    idempotent: bool = False
    timeout_s: int = 60
    on_failure: OnFailure = "abort"
    reversibility: Reversibility = "none"
    backup: list[list[str]] = []
    rollback: list[list[str]] = []
    verify: list[Check] = []
    depends_on: list[str] = []
    downtime: str = ""


class FixPlan(Record):
    """The smallest set of actions that removes the cause: a proposal; nothing in it has been executed."""

    summary: str
    actions: list[Action] = []
    alternatives: list[str] = []
    next_questions: list[str] = []
    plan_sha256: str = ""
    """The pipeline fills this in; an approval is bound to it."""


class RuleHit(Record):
    """A rule that fired."""

    rule: str
    words: list[str]
    why: str


class Simulation(Record):
    """A dry run on the target."""

    argv: list[str]
    passed: bool
    shows: str
    answer: int


class ActionRisk(Record):
    """The risk of one action."""

    action: str
    level: RiskLevel
    verdict: RiskVerdict
    categories: list[RiskCategory] = []
    rules: list[RuleHit] = []
    unresolved: list[str] = []
    simulated: list[Simulation] = []
    not_simulated: list[str] = []
    connections: int | None = None


class RehearsedStep(Record):
    """One command of a rehearsal."""

    action: str
    argv: list[str]
    passed: bool
    ended: str
    output: str = ""


class FileChange(Record):
    """A file that a rehearsed command changed."""

    kind: Literal["deleted", "modified", "added", "metadata"]
    path: str
    detail: str
    diff: str | None = None


class Rehearsed(Record):
    """What a plan did in a sandbox on the target; nothing of it has happened on the target itself."""

    unable: str | None = None
    steps: list[RehearsedStep] = []
    changes: list[FileChange] = []
    changes_beyond: int = 0
    would_run: list[list[str]] = []
    limits: list[str] = []


class RiskAssessment(Record):
    """The risk of a whole plan."""

    plan_sha256: str
    level: RiskLevel
    verdict: RiskVerdict
    categories: list[RiskCategory] = []
    actions: list[ActionRisk] = []
    blast_radius: list[str] = []
    rehearsed: Rehearsed | None = None


class Command(Record):
    """A program with its arguments."""

    argv: list[str]
    stdin: str = ""
    elevate: bool = False


class HttpGet(Record):
    """A GET from the target's loopback."""

    port: int
    path: str


class Ask(Record):
    """What was asked of a target: a command or a GET."""

    run: Command | None = None
    http_get: HttpGet | None = None


class End(Record):
    """How a reply ended: one of the fields says so."""

    exited: int | None = None
    """The exit code; for a GET the HTTP status, 0 for 200."""
    signalled: int | None = None
    stopped: bool | None = None
    failed: Failure | None = None

    @property
    def is_success(self) -> bool:
        """Whether a command did what it was asked, or was stopped as intended."""
        return self.exited == 0 or bool(self.stopped)

    def to_dict(self) -> Any:
        return "stopped" if self.stopped else super().to_dict()

    @classmethod
    def from_dict(cls, data: Any) -> End:
        return cls(stopped=True) if data == "stopped" else super().from_dict(data)


class Answer(Record):
    """A question that was put to the target, and what came back."""

    agent: str
    ask: Ask
    at: datetime
    end: End
    stdout: str
    stderr: str = ""

    @property
    def text(self) -> str:
        """Standard output, or the response's body."""
        return self.stdout


class Recovery(Record):
    """Whether the target is as it was before the fault. What is not known is never called recovered."""

    state: Literal["proven", "not_recovered", "unknown"]
    why: str | None = None


class Injection(Record):
    """A fault that was injected by us. No agent but the reporter ever sees this."""

    scenario: str
    args: str
    causes: str
    """The fault that a right diagnosis names."""
    started: datetime | None = None
    fires_at: datetime | None = None
    reverted: datetime | None = None
    recovery: Recovery


class Chart(Record):
    """A chart of the report."""

    name: str
    title: str
    svg: str


class Report(Record):
    """The post-mortem and its companions."""

    markdown: str
    """`report.md`."""
    slack: str = ""
    """`slack_summary.txt`."""
    charts: list[Chart] = []

    def __str__(self) -> str:
        return self.markdown

    def _repr_html_(self) -> str:
        from ._html import report

        return report(self)


class TraceEvent(Record):
    """One structured event of a run."""

    seq: int
    timestamp: datetime
    phase: Phase
    agent: str
    type: EventType
    content: str
    """One line for a person."""
    data: Any = None
    """The same for a program, where there is more to say."""
    previous_sha256: str = ""

    def __str__(self) -> str:
        return f"{self.timestamp:%H:%M:%S} {self.phase:<11} {self.agent}: {self.content}"
