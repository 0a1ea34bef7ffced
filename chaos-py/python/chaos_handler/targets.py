"""What an incident is about: this machine, a host over SSH, files, a recorded incident, or what you write yourself."""

from __future__ import annotations

import asyncio
import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Union

from . import _native
from .errors import NotFoundError
from .model import End, Failure

__all__ = ["Files", "Local", "Replay", "Ssh", "Target", "Transport", "TransportRequest"]

Path = Union[str, "os.PathLike[str]"]
TransportRequest = _native.TransportRequest


class Target:
    """Something that a pipeline can run on. Nothing is reached before the run starts."""

    _inner: _native.Target
    _shown: str

    def __repr__(self) -> str:
        return self._shown


class Local(Target):
    """This machine."""

    def __init__(self) -> None:
        self._inner = _native.Target.local()
        self._shown = "Local()"


class Files(Target):
    """Log and metric files, or directories of them: an incident is answered from what they say."""

    def __init__(self, *paths: Path) -> None:
        self._inner = _native.Target.files([os.fspath(path) for path in paths])
        self._shown = f"Files({', '.join(repr(os.fspath(path)) for path in paths)})"


class Replay(Target):
    """A recorded incident, by its directory: it is thought over again, without a host."""

    def __init__(self, incident: Path) -> None:
        self._inner = _native.Target.replay(os.fspath(incident))
        self._shown = f"Replay({os.fspath(incident)!r})"


class Ssh(Target):
    """A host over SSH, reached as `ssh` would: the same configuration, keys, agent and jump hosts.

    `destination` is `user@host`, `ssh://user@host:port` or a name of the configuration. The host's key must be known;
    `accept_new_host_key` takes that of a host that is not, `host_keys` names the only ones to take (`SHA256:…`).
    `password` and `passphrase` are kept in memory, and shown nowhere.
    """

    def __init__(
        self,
        destination: str,
        *,
        identity: Path | None = None,
        config: Path | None = None,
        known_hosts: Sequence[Path] = (),
        host_keys: Sequence[str] = (),
        accept_new_host_key: bool = False,
        password: str | None = None,
        passphrase: str | None = None,
    ) -> None:
        self._inner = _native.Target.ssh(
            destination,
            None if config is None else os.fspath(config),
            None if identity is None else os.fspath(identity),
            list(host_keys),
            accept_new_host_key,
            [os.fspath(path) for path in known_hosts],
            password,
            passphrase,
        )
        self._shown = f"Ssh({destination!r})"


Output = Union[bytes, "tuple[str, bytes]"]


class Transport(Target, ABC):
    """A way to a target that you write: subclass it and implement `run`.

    >>> class Docker(Transport):
    ...     def __init__(self, container):
    ...         super().__init__(name=container, kind="docker")
    ...     def run(self, request):
    ...         command = ["docker", "exec", self.name, *request.argv]
    ...         ...  # yield its output as it comes; return its exit code
    """

    def __init__(self, name: str, kind: str, *, live: bool = True, elevate: bool = False) -> None:
        """`live`: there is a running system behind it. `elevate`: it can run a command as root when that is asked for."""
        self.name = name
        self.kind = kind
        self._inner = _native.Target.python(name, kind, live, elevate, self._pieces)
        self._shown = f"{type(self).__name__}({name!r})"

    @abstractmethod
    def run(self, request: _native.TransportRequest) -> Any:
        """Runs `request.argv` with `request.stdin` as its input and gives its output.

        A generator, or an async one: it yields `bytes` (standard output) or `("stderr", bytes)` as they come, cut
        anywhere. A generator returns the exit code (negative: the signal that ended it; nothing: 0); an async one, which
        can return nothing, yields it last. It should end soon after `request.stopped` has become true, and end what it
        started; `within_s` is how long it may take. To say that there is no such program or host, raise
        `NotFoundError`, `UnreachableError` or whatever fits.
        """

    def _pieces(self, request: _native.TransportRequest) -> Iterator[tuple[str, Any]]:
        return _pieces(self.run(request))


def _pieces(output: Any) -> Iterator[tuple[str, Any]]:
    """Output as the engine takes it: pieces, and then how it ended. What is raised before the first piece is raised here."""
    if inspect.iscoroutine(output):
        output = asyncio.run(output)
    source = _blocking(output) if hasattr(output, "__aiter__") else iter(output)
    try:
        first = next(source)
    except StopIteration as stop:
        return iter([("end", _end(stop.value).to_dict())])
    return _rest(first, source)


def _rest(piece: Any, source: Iterator[Any]) -> Iterator[tuple[str, Any]]:
    try:
        while True:
            if isinstance(piece, (int, End)) and not isinstance(piece, bool):
                yield "end", _end(piece).to_dict()
                return
            yield piece if isinstance(piece, tuple) else ("stdout", bytes(piece))
            try:
                piece = next(source)
            except StopIteration as stop:
                yield "end", _end(stop.value).to_dict()
                return
    finally:
        close: Callable[[], object] | None = getattr(source, "close", None)
        if close is not None:
            close()


def _end(value: Any) -> End:
    if isinstance(value, End):
        return value
    if value is None:
        return End(exited=0)
    if isinstance(value, int):
        return End(exited=value) if value >= 0 else End(signalled=-value)
    return End(failed=Failure(kind="agent_failed", message=f"a transport returns an exit code, not {value!r}"))


def _blocking(output: AsyncIterator[Any]) -> Iterator[Any]:
    """An async iterator as a plain one, on a loop of its own."""
    loop = asyncio.new_event_loop()
    items = output.__aiter__()

    async def step() -> Any:
        return await items.__anext__()

    try:
        while True:
            try:
                item = loop.run_until_complete(step())
            except StopAsyncIteration:
                return
            yield item
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            loop.run_until_complete(close())
        loop.close()


def _of(target: Target | Path) -> Target:
    """What may be given for a target: one, `local`, a path to files or to a recorded incident, an SSH destination."""
    if isinstance(target, Target):
        return target
    if not isinstance(target, (str, os.PathLike)):
        raise TypeError(f"not a target: {target!r}")
    name = os.fspath(target)
    if name == "local":
        return Local()
    if os.path.isdir(os.path.join(name, "recording")):
        return Replay(name)
    if os.path.exists(name) or isinstance(target, os.PathLike):
        return Files(name)
    if "/" in name and not name.startswith("ssh://"):
        raise NotFoundError(f"no such file or directory, and no SSH destination (user@host or ssh://user@host:port): {name}")
    return Ssh(name)
