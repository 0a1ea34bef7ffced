"""Setting up a run, starting it, following it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Union

from . import _native
from .agents import (
    ArtifactSink,
    Collector,
    Detector,
    Fixer,
    Investigator,
    Reporter,
    Tester,
    _adapted,
    _sink,
)
from .errors import DeadlineError
from .incident import Incident
from .model import Report, RunOptions, TraceEvent
from .targets import Replay, Target, _of

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Pipeline", "Run", "Scenario", "replay", "run", "run_async", "scenarios"]

Path = Union[str, "os.PathLike[str]"]
Progress = Union[Literal["auto"], bool]


class Scenario:
    """A fault to inject on purpose, between baseline and observation; `scenarios()` says which there are.

    The fault's end is armed on the target before it begins: it is reverted when the run ends or is stopped, and by the
    target itself `max_runtime_s` after its start, whatever happens to this process. Arguments are those of the scenario:
    `Scenario("cpu_spike", duration_s=60, load=2)`. A target other than this machine has to be marked as fair game
    (`chaos-handler scripts install --allow-chaos`), unless `allow_unmarked` says that it may be broken all the same.
    """

    def __init__(
        self,
        name: str,
        *,
        duration_s: int | None = None,
        max_runtime_s: int | None = None,
        allow_unmarked: bool = False,
        **arguments: str | int,
    ) -> None:
        self.name = name
        self.duration_s = duration_s
        self.max_runtime_s = max_runtime_s
        self.allow_unmarked = allow_unmarked
        self.arguments = {key: str(value) for key, value in arguments.items()}

    def __repr__(self) -> str:
        # An argument may be a secret.
        named = "".join(f", {key}=…" for key in self.arguments)
        return f"Scenario({self.name!r}{named})"


def scenarios() -> dict[str, dict[str, Any]]:
    """The scenarios that there are: what each does, and its arguments with what each is for and its default."""
    return {
        name: {
            "summary": summary,
            "arguments": {arg: {"help": text, "default": default} for arg, text, default in arguments},
        }
        for name, summary, arguments in _native.scenarios()
    }


class Run:
    """A run that goes on in the background. Losing this object does not end it: a fault that was injected is reverted.

    Iterate over it for its events as they happen (`for` or `async for`), wait for its end (`wait()` or `await`), or end it
    (`stop()`). Several may look at one run, from any thread.
    """

    def __init__(self, native: _native.Run) -> None:
        self._inner = native
        self._incident: Incident | None = None

    @property
    def id(self) -> str:
        """The incident's id."""
        return self._inner.id

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._inner.is_over

    def stop(self) -> None:
        """Ends it as stopped: what was injected is reverted, and what is known so far is told."""
        self._inner.stop()

    def events(self, after: int = 0) -> Iterator[TraceEvent]:
        """Its events as they happen, from the one after so many; ends with the run."""
        while (event := self._inner.event(after)) is not None:
            after += 1
            yield TraceEvent.from_dict(event)

    def __iter__(self) -> Iterator[TraceEvent]:
        return self.events()

    async def events_async(self, after: int = 0) -> AsyncIterator[TraceEvent]:
        """The same without blocking the event loop."""
        while True:
            at = after

            def begin(done: Callable[[Any, Any], None], at: int = at) -> None:
                self._inner.event_then(at, done)

            event = await _awaited(begin)
            if event is None:
                return
            after += 1
            yield TraceEvent.from_dict(event)

    def __aiter__(self) -> AsyncIterator[TraceEvent]:
        return self.events_async()

    def wait(self, timeout: float | None = None) -> Incident:
        """Waits for the end and gives the incident.

        Raises `DeadlineError` when it is not over after `timeout` seconds; it goes on then. Ctrl-C raises
        KeyboardInterrupt, and it goes on then, too: `stop()` ends it.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while until is not None and not self.is_over:
            if time.monotonic() >= until:
                raise DeadlineError(f"the run is not over after {timeout} s (incident: {self.id})")
            time.sleep(min(0.02, max(0.0, until - time.monotonic())))
        return self._known(self._inner.outcome())

    async def wait_async(self) -> Incident:
        """The same without blocking the event loop. A cancelled wait leaves the run as it is."""
        return self._known(await _awaited(self._inner.outcome_then))

    def __await__(self) -> Generator[Any, None, Incident]:
        return self.wait_async().__await__()

    def _known(self, outcome: Any) -> Incident:
        if self._incident is None:
            known, report, storage_error = outcome
            trace = list(self.events())
            self._incident = Incident._of(known, Report.from_dict(report), trace, storage_error)
        return self._incident

    def __repr__(self) -> str:
        state = "over" if self.is_over else "going on"
        return f"<Run {self.id}: {state}, {self._inner.events} events>"


class Pipeline:
    """One incident, set up and not yet started. It starts once.

    `target`: a `Target`, `"local"`, a path to log and metric files or to a recorded incident, or an SSH destination.
    `incidents`: where artifacts go, a directory or an `ArtifactSink`; without one they are kept in memory. `baseline_s` and
    `observe_s`: how long the target is watched as it usually is, and while something may be wrong; before an incident that
    is there already, nothing is as usual: 0, which is the default without a scenario. `log_files` and `metrics_endpoint`
    (port and path on the target's loopback): what to read beyond what is found. `rehearse`: whether plans are tried out in
    a sandbox on the target. `plugins`: WebAssembly components or directories of them, with what the file `plugin_grants`
    grants them. `catalogues`: fault catalogues beside the built-in one. `builtin`: whether the built-in agents take part.
    """

    def __init__(
        self,
        target: Target | Path = "local",
        *,
        scenario: Scenario | str | None = None,
        incidents: ArtifactSink | Path | None = None,
        baseline_s: int | None = None,
        observe_s: int = 30,
        log_files: Sequence[str] = (),
        metrics_endpoint: tuple[int, str] | None = None,
        rehearse: bool = True,
        plugins: Sequence[Path] = (),
        plugin_grants: Path | None = None,
        catalogues: Sequence[Path] = (),
        builtin: bool = True,
    ) -> None:
        self.target = _of(target)
        if baseline_s is None:
            baseline_s = 0 if scenario is None else 20
        self.options = RunOptions(
            baseline_s=baseline_s,
            observe_s=observe_s,
            log_files=list(log_files),
            metrics_endpoint=metrics_endpoint,
        )
        self._setup = _native.Setup(self.target._inner)
        self._setup.options(self.options.to_dict())
        if isinstance(incidents, ArtifactSink):
            self._setup.sink(_sink(incidents))
        elif incidents is not None:
            self._setup.dir(os.fspath(incidents))
        if not builtin:
            self._setup.without_builtin()
        if not rehearse:
            self._setup.without_rehearsal()
        self._setup.plugins(
            [os.fspath(path) for path in plugins], None if plugin_grants is None else os.fspath(plugin_grants)
        )
        self._setup.catalogues([os.fspath(path) for path in catalogues])
        if scenario is not None:
            fault = Scenario(scenario) if isinstance(scenario, str) else scenario
            self._setup.scenario(
                fault.name, fault.arguments, fault.duration_s, fault.max_runtime_s, fault.allow_unmarked
            )

    def _agent(self, role: str, agent: Any, name: str | None) -> Self:
        named = name or str(getattr(agent, "__name__", type(agent).__name__))
        self._setup.agent(role, named, _adapted(role, agent))
        return self

    def collector(self, agent: Collector | Callable[..., Any], name: str | None = None) -> Self:
        """Adds a collector: a `Collector`, or a function `(context, host)`."""
        return self._agent("collector", agent, name)

    def detector(self, agent: Detector | Callable[..., Any], name: str | None = None) -> Self:
        """Adds a detector: a `Detector`, or a function `(context, seen, host)`."""
        return self._agent("detector", agent, name)

    def investigator(self, agent: Investigator | Callable[..., Any], name: str | None = None) -> Self:
        """Sets the investigator: an `Investigator`, or a function `(context, seen, findings, history, host)`."""
        return self._agent("investigator", agent, name)

    def fixer(self, agent: Fixer | Callable[..., Any], name: str | None = None) -> Self:
        """Adds a fixer: a `Fixer`, or a function `(context, seen, findings, answers, diagnosis)`."""
        return self._agent("fixer", agent, name)

    def tester(self, agent: Tester | Callable[..., Any], name: str | None = None) -> Self:
        """Sets the tester: a `Tester`, or a function `(context, plan, host)`."""
        return self._agent("tester", agent, name)

    def reporter(self, agent: Reporter | Callable[..., Any], name: str | None = None) -> Self:
        """Sets the reporter: a `Reporter`, or a function `(context, incident)`."""
        return self._agent("reporter", agent, name)

    def start(self) -> Run:
        """Reaches the target and starts the run in the background. Raises why it can't."""
        return Run(self._setup.start())

    async def start_async(self) -> Run:
        """The same without blocking the event loop."""
        return Run(await _awaited(self._setup.start_then))

    def run(self, *, timeout: float | None = None, progress: Progress = "auto") -> Incident:
        """Runs to the end and gives the incident.

        After `timeout` seconds, and on Ctrl-C, the run is stopped: what was injected is reverted, and then
        `DeadlineError` or KeyboardInterrupt is raised. `progress`: what happens is shown in a terminal or a notebook;
        `"auto"` shows it where a person is looking.
        """
        from ._progress import display

        run = self.start()
        until = None if timeout is None else time.monotonic() + timeout
        try:
            with display(progress, run.id) as show:
                _follow(run, show, until)
            return run.wait()
        except BaseException:
            run.stop()
            # A second Ctrl-C leaves the revert to the target's own.
            run.wait()
            raise

    async def run_async(self, *, on_event: Callable[[TraceEvent], None] | None = None) -> Incident:
        """Runs to the end without blocking the event loop; as many at once as you like, with `asyncio.gather`.

        When the task is cancelled (`asyncio.timeout`, `asyncio.wait_for`), the run is stopped, and what was injected is
        reverted before the cancellation goes on.
        """
        run = await self.start_async()
        try:
            if on_event is not None:
                async for event in run:
                    on_event(event)
            return await run.wait_async()
        except BaseException:
            run.stop()
            await asyncio.shield(run.wait_async())
            raise


def _follow(run: Run, show: Callable[[TraceEvent], None], until: float | None) -> None:
    if until is None:
        for event in run:
            show(event)
        return
    seen = 0
    while True:
        over = run.is_over
        while seen < run._inner.events:
            event = run._inner.event(seen)
            seen += 1
            if event is not None:
                show(TraceEvent.from_dict(event))
        if over:
            return
        if time.monotonic() >= until:
            raise DeadlineError(f"the run took longer than it was given, and was stopped (incident: {run.id})")
        time.sleep(0.02)


def run(
    target: Target | Path = "local",
    *,
    timeout: float | None = None,
    progress: Progress = "auto",
    **options: Any,
) -> Incident:
    """Answers an incident: `Pipeline(target, **options).run(timeout=timeout, progress=progress)`."""
    return Pipeline(target, **options).run(timeout=timeout, progress=progress)


async def run_async(target: Target | Path = "local", **options: Any) -> Incident:
    """Answers an incident without blocking the event loop: `await Pipeline(target, **options).run_async()`."""
    return await Pipeline(target, **options).run_async()


def replay(incident: Path, **options: Any) -> Incident:
    """Thinks a recorded incident over again, as fast as it goes, and gives what comes of it."""
    return Pipeline(Replay(incident), **options).run(progress=False)


async def _awaited(begin: Callable[[Callable[[Any, Any], None]], None]) -> Any:
    """Awaits what `begin` starts: it gets a function that is to be called with a value or an exception, on any thread."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if not future.done():
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

    def done(value: Any, error: BaseException | None) -> None:
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:
            # The loop was closed: nobody waits any more.
            pass

    begin(done)
    return await future


