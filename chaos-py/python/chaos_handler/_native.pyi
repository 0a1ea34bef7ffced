"""
What the package calls. Nothing here is for users: it may change with any version.
"""

from _typeshed import SupportsGetItem
from os import PathLike
from typing import Any, SupportsFloat, SupportsIndex, final

__all__ = ["Column", "ColumnIterator", "Context", "Followed", "Host", "Incident", "LogStream", "MetricSeries", "Miner", "Observation", "Run", "Setup", "Target", "TransportRequest", "assess", "chart", "check_sink", "check_transport", "evaluate", "log_stream", "markdown_to_html", "metric_series", "metric_series_packed", "open_incident", "scenarios", "stop_all"]

@final
class Column:
    """
    The numbers of a series, without a copy: a sequence, and an array for numpy.
    """
    @property
    def __array_interface__(self, /) -> Any:
        """
        As numpy's protocol wants it: <https://numpy.org/doc/stable/reference/arrays.interface.html>. Read-only.
        """
    def __getitem__(self, index: SupportsIndex, /) -> float: ...
    def __iter__(self, /) -> ColumnIterator: ...
    def __len__(self, /) -> int: ...
    def __repr__(self, /) -> str: ...

@final
class ColumnIterator:
    """
    The numbers one by one.
    """
    def __iter__(self, /) -> ColumnIterator: ...
    def __next__(self, /) -> float: ...

@final
class Context:
    """
    Who runs, for which incident, until when, and where to say so.
    """
    @property
    def agent(self, /) -> str: ...
    def emit(self, /, kind: str, content: str, data: Any | None = None) -> None:
        """
        Says something in the trace.
        """
    @property
    def incident(self, /) -> str: ...
    @property
    def left_s(self, /) -> float:
        """
        Seconds until the result is no longer wanted.
        """

@final
class Followed:
    """
    A command's output as it comes.
    """
    def __iter__(self, /) -> Followed: ...
    def __next__(self, /) -> tuple[int, str, bytes]:
        """
        The time in milliseconds since the epoch, `stdout` or `stderr`, and the bytes.
        """
    def end(self, /) -> tuple[Any, int] | None:
        """
        How it ended and when, in milliseconds since the epoch; `None` before the iteration was over.
        """
    def stop(self, /) -> None:
        """
        Asks the command to end; what it printed until then still comes.
        """

@final
class Host:
    """
    A target as agents see it.
    """
    def allows(self, /, argv: SupportsGetItem[int, str]) -> None:
        """
        Whether such a command would be let through; raises why not.
        """
    def ask(self, /, argv: SupportsGetItem[int, str], within_s: SupportsFloat | SupportsIndex) -> tuple[int, Any]:
        """
        The answer's number and the answer.
        """
    def facts(self, /) -> Any: ...
    def follow(self, /, argv: SupportsGetItem[int, str], within_s: SupportsFloat | SupportsIndex | None = None) -> Followed:
        """
        A stream until the observation ends, or for so many seconds at most.
        """
    def get(self, /, port: SupportsIndex, path: str, within_s: SupportsFloat | SupportsIndex) -> tuple[int, Any]:
        """
        `GET http://127.0.0.1:port/path` as seen from the target.
        """

@final
class Incident:
    """
    An incident with all that is known about it.
    """
    def evidence(self, /) -> list[Any]: ...
    @property
    def id(self, /) -> str: ...
    def json(self, /) -> bytes:
        """
        `incident.json`.
        """
    def section(self, /, name: str) -> Any:
        """
        A part of the incident, by the name of its field.
        """
    def spans(self, /) -> tuple[tuple[int, int] | None, tuple[int, int]] | None:
        """
        Whether anything was seen, and then: baseline and observed span, in milliseconds since the epoch.
        """
    def summary(self, /) -> str:
        """
        The conclusion in a few lines, for a terminal.
        """

@final
class LogStream:
    """
    A log stream: all of it counted by pattern, part of it kept.
    """
    def __len__(self, /) -> int: ...
    def arrow_schema(self, /) -> Any: ...
    def arrow_stream(self, /) -> Any: ...
    def columns(self, /) -> Any:
        """
        The kept rows by column: milliseconds since the epoch (as bytes of 64-bit numbers), level, unit, process, text and
        template.
        """
    def gaps(self, /) -> Any: ...
    def lines(self, /, start: SupportsIndex, end: SupportsIndex) -> Any:
        """
        The rows from `start` on, `end` excluded, as dicts.
        """
    @property
    def number(self, /) -> int | None: ...
    def patterns(self, /) -> Any: ...
    @property
    def source(self, /) -> str: ...
    @property
    def total_bytes(self, /) -> int: ...
    @property
    def total_lines(self, /) -> int: ...

@final
class MetricSeries:
    """
    A metric over time, as it was sampled.
    """
    def __len__(self, /) -> int: ...
    def anomalies(self, /, observed: tuple[SupportsIndex, SupportsIndex], baseline: tuple[SupportsIndex, SupportsIndex] | None = None) -> Any:
        """
        What is abnormal in it within `observed` (milliseconds since the epoch), compared with `baseline`.
        """
    def arrow_schema(self, /) -> Any: ...
    def arrow_stream(self, /) -> Any: ...
    @property
    def at(self, /) -> Column: ...
    @property
    def attributes(self, /) -> Any: ...
    def gaps(self, /) -> Any: ...
    @property
    def name(self, /) -> str: ...
    @property
    def number(self, /) -> int | None: ...
    @property
    def source(self, /) -> str: ...
    @property
    def unit(self, /) -> str: ...
    @property
    def values(self, /) -> Column: ...

@final
class Miner:
    """
    Mines lines into templates, a piece at a time.
    """
    def __new__(cls, /, reference: SupportsIndex, per_line: bool) -> Miner:
        """
        `reference` (milliseconds since the epoch) gives times without a year theirs; with `per_line` the template of each
        line is kept.
        """
    def baseline_ends(self, /) -> None:
        """
        What came so far is what is usual; what comes is compared with it.
        """
    def finish(self, /) -> tuple[Any, bytes | None]:
        """
        The survey, and for each line the position of its template (packed 32-bit numbers, -1 of a line without).
        """
    def push(self, /, bytes: bytes) -> None:
        """
        Takes a piece of a log file, cut anywhere.
        """
    def push_lines(self, /, lines: Any) -> None:
        """
        Takes lines, each text or bytes; a line end within one makes two of it.
        """

@final
class Observation:
    """
    All that was seen.
    """
    @property
    def baseline(self, /) -> tuple[int, int] | None:
        """
        Milliseconds since the epoch.
        """
    def evidence(self, /) -> list[Any]: ...
    def facts(self, /) -> Any: ...
    @property
    def observed(self, /) -> tuple[int, int]:
        """
        Milliseconds since the epoch.
        """

@final
class Run:
    """
    A run that goes on whether anybody looks at it or not.
    """
    def event(self, /, after: SupportsIndex) -> Any:
        """
        The event after so many; `None` when there is no more. Ctrl-C raises, and the run goes on.
        """
    def event_then(self, /, after: SupportsIndex, done: Any) -> None:
        """
        The same without waiting here: `done(event, error)` is called.
        """
    @property
    def events(self, /) -> int:
        """
        How many events there have been.
        """
    @property
    def id(self, /) -> str: ...
    @property
    def is_over(self, /) -> bool:
        """
        Whether it has ended.
        """
    def outcome(self, /) -> Any:
        """
        The incident, the report and what could not be stored, once it is over. Ctrl-C raises, and the run goes on.
        """
    def outcome_then(self, /, done: Any) -> None:
        """
        The same without waiting here: `done(outcome, error)` is called.
        """
    def stop(self, /) -> None:
        """
        Ends it as stopped: what was injected is reverted, and what is known so far is told.
        """

@final
class Setup:
    """
    Everything that a run needs; taken when it starts.
    """
    def __new__(cls, /, target: Target) -> Setup: ...
    def agent(self, /, role: str, name: str, call: Any) -> None:
        """
        Adds an agent to a role: `call(context, input)`.
        """
    def catalogues(self, /, paths: SupportsGetItem[int, str | PathLike[str]]) -> None:
        """
        Catalogue files or directories beside the built-in ones.
        """
    def dir(self, /, path: str | PathLike[str]) -> None:
        """
        Artifacts go to this directory.
        """
    def options(self, /, options: Any) -> None:
        """
        Of a replay these are the recorded ones, whatever is said here.
        """
    def plugins(self, /, paths: SupportsGetItem[int, str | PathLike[str]], grants: str | PathLike[str] | None = None) -> None:
        """
        WebAssembly plugins, and the file of what they are granted.
        """
    def scenario(self, /, name: str, set: dict[str, str], duration_s: SupportsIndex | None, max_runtime_s: SupportsIndex | None, allow_unmarked: bool) -> None:
        """
        A fault to inject between baseline and observation.
        """
    def sink(self, /, call: Any) -> None:
        """
        Artifacts go to this sink: `call(method, arguments)`.
        """
    def start(self, /) -> Run:
        """
        Reaches the target and starts. A set-up starts once.
        """
    def start_then(self, /, done: Any) -> None:
        """
        The same without waiting here: `done(run, error)` is called.
        """
    def without_builtin(self, /) -> None:
        """
        No agents but those that were added.
        """
    def without_rehearsal(self, /) -> None:
        """
        Plans are judged, and not rehearsed on the target.
        """

@final
class Target:
    """
    A target, described and not reached yet.
    """
    @staticmethod
    def files(paths: SupportsGetItem[int, str | PathLike[str]]) -> Target:
        """
        Log and metric files, or directories of them.
        """
    @staticmethod
    def local() -> Target:
        """
        This machine.
        """
    @staticmethod
    def python(name: str, kind: str, live: bool, elevate: bool, run: Any) -> Target:
        """
        What a Python object reaches; `run` is called with a request.
        """
    @staticmethod
    def replay(incident: str | PathLike[str]) -> Target:
        """
        A recorded incident, by its directory.
        """
    @staticmethod
    def ssh(destination: str, config: str | PathLike[str] | None, identity: str | PathLike[str] | None, host_keys: SupportsGetItem[int, str], accept_new_host_key: bool, known_hosts: SupportsGetItem[int, str | PathLike[str]], password: str | None, passphrase: str | None) -> Target:
        """
        A host over SSH, as `ssh` would reach it.
        """

@final
class TransportRequest:
    """
    What is asked of a Python transport, and whether anybody still wants to know.
    """
    @property
    def agent(self, /) -> str: ...
    @property
    def argv(self, /) -> list[str]: ...
    @property
    def elevate(self, /) -> bool: ...
    @property
    def stdin(self, /) -> str: ...
    @property
    def stopped(self, /) -> bool:
        """
        Whether the command should end now.
        """
    @property
    def within_s(self, /) -> float | None: ...

def assess(script: str) -> Any:
    """
    Judges a script by its text alone.
    """

def chart(series: MetricSeries, observed: tuple[SupportsIndex, SupportsIndex] | None = None, baseline: tuple[SupportsIndex, SupportsIndex] | None = None) -> str:
    """
    A series as an SVG document; spans in milliseconds since the epoch.
    """

def check_sink(call: Any) -> None:
    """
    Runs the behaviours of a sink on this one; raises with those that do not hold.
    """

def check_transport(target: Target) -> None:
    """
    Runs the behaviours of a transport on what this target is; raises with those that do not hold.
    """

def evaluate(dirs: SupportsGetItem[int, str | PathLike[str]], catalogues: SupportsGetItem[int, str | PathLike[str]]) -> Any:
    """
    Thinks labelled incidents over again and judges the diagnoses.
    """

def log_stream(source: str, lines: SupportsGetItem[int, tuple[SupportsIndex, SupportsGetItem[int, SupportsIndex]]]) -> LogStream:
    """
    A log stream from lines with the time at which each was read, in milliseconds since the epoch; secrets are taken out
    and the lines are mined as those of the built-in collectors are.
    """

def markdown_to_html(markdown: str, images: SupportsGetItem[int, tuple[str, str]]) -> str:
    """
    A report as HTML. HTML in it becomes text, links lead nowhere; images are looked up in `images` (name, data URL).
    """

def metric_series(source: str, name: str, unit: str, attributes: dict[str, str], at: SupportsGetItem[int, SupportsIndex], values: SupportsGetItem[int, SupportsFloat | SupportsIndex]) -> MetricSeries:
    """
    A series from numbers: `at` in milliseconds since the epoch, NaN where a value is missing.
    """

def metric_series_packed(source: str, name: str, unit: str, attributes: dict[str, str], at: bytes, values: bytes) -> MetricSeries:
    """
    A series from packed 64-bit numbers, as an array's `tobytes` gives them.
    """

def open_incident(path: str | PathLike[str]) -> Incident:
    """
    Reads `incident.json`.
    """

def scenarios() -> list[tuple[str, str, list[tuple[str, str, str | None]]]]:
    """
    What there is to inject: name, what it does, and its arguments with what each is for.
    """

def stop_all(within_s: SupportsFloat | SupportsIndex) -> int:
    """
    Stops all runs, and waits until what they injected is reverted: for at most so many seconds. Gives the number of
    those that still go on. The package calls this when the interpreter ends.
    """
