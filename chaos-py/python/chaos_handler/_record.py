"""Typed records over plain data: how JSON, as the engine has it, becomes attributes, and back."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from .errors import InvalidInputError

if TYPE_CHECKING:
    from typing import dataclass_transform

    from typing_extensions import Self
else:

    def dataclass_transform(**_: object) -> Callable[[Any], Any]:
        return lambda cls: cls


_T = TypeVar("_T")
_Load = Callable[[Any], Any]
_MISSING: Any = object()


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Record:
    """An immutable value with named fields. Made with keyword arguments; `replace` gives a changed copy.

    `to_dict` and `from_dict` go to and from the JSON of artifacts; fields that are `None` are left out there. What a
    newer version wrote beside the known fields is not looked at.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}
    _loaders: ClassVar[dict[str, _Load] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = [name for name in cls.__dict__.get("__annotations__", {}) if not name.startswith("_")]
        cls._fields = (*cls._fields, *(name for name in own if name not in cls._fields))
        cls._defaults = {**cls._defaults, **{name: cls.__dict__[name] for name in own if name in cls.__dict__}}
        cls._loaders = None

    def __init__(self, **values: Any) -> None:
        for name in self._fields:
            value = values.pop(name, _MISSING)
            if value is _MISSING:
                if name not in self._defaults:
                    raise TypeError(f"{type(self).__name__} needs {name}")
                value = self._defaults[name]
                # A default that can be changed is not shared.
                if isinstance(value, (list, dict, set)):
                    value = value.copy()
            object.__setattr__(self, name, value)
        if values:
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(values))}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} can't be changed; replace({name}=…) gives a changed copy")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} can't be changed")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._fields)

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))

    def __repr__(self) -> str:
        shown = []
        for name in self._fields:
            value = getattr(self, name)
            if name in self._defaults and value == self._defaults[name]:
                continue
            shown.append(f"{name}={_short(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_remade, (type(self), {name: getattr(self, name) for name in self._fields}))

    def replace(self, **changes: Any) -> Self:
        """A copy with these fields in place of its own."""
        return type(self)(**{**{name: getattr(self, name) for name in self._fields}, **changes})

    def to_dict(self) -> Any:
        """As plain data: what `json.dump` takes, in the form of the engine's artifacts."""
        return {name: dump(value) for name in self._fields if (value := getattr(self, name)) is not None}

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """From plain data, as artifacts have it.

        Raises `InvalidInputError` when it does not fit, with the name of the field that does not.
        """
        if not isinstance(data, Mapping):
            raise InvalidInputError(f"not a {cls.__name__}: {_short(data)}")
        loaders = cls._loaders
        if loaders is None:
            hints = typing.get_type_hints(cls)
            loaders = cls._loaders = {name: loader(hints[name]) for name in cls._fields}
        values = {}
        for name, load in loaders.items():
            if name not in data or (data[name] is None and name in cls._defaults):
                continue
            try:
                values[name] = load(data[name])
            except InvalidInputError as e:
                raise InvalidInputError(f"{cls.__name__}.{name}: {e}") from None
        try:
            return cls(**values)
        except TypeError as e:
            raise InvalidInputError(str(e)) from None


def _remade(cls: type[Record], values: dict[str, Any]) -> Record:
    return cls(**values)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:197]}…"


def dump(value: Any) -> Any:
    """A value as plain data."""
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, Mapping):
        return {str(key): dump(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [dump(item) for item in value]
    return value


def timestamp(at: datetime) -> str:
    """A time as artifacts have it: RFC 3339 in UTC with milliseconds. One without a zone is taken as UTC."""
    at = at.replace(tzinfo=timezone.utc) if at.tzinfo is None else at.astimezone(timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def parsed(text: object) -> datetime:
    """The time that `timestamp` wrote."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        raise InvalidInputError(f"not an RFC 3339 time: {_short(text)}") from None


def millis(at: datetime) -> int:
    """Milliseconds since the epoch. A time without a zone is taken as UTC."""
    at = at.replace(tzinfo=timezone.utc) if at.tzinfo is None else at
    return round((at - _EPOCH).total_seconds() * 1000)


def of_millis(at: int) -> datetime:
    """The time so many milliseconds after the epoch, in UTC."""
    return datetime.fromtimestamp(at / 1000, timezone.utc)


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def loader(hint: Any) -> _Load:
    """How plain data becomes a value of a type."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return lambda data: data
    if origin in (Union, types.UnionType):
        return _union([arg for arg in args if arg is not type(None)])
    if origin is Literal:
        # A newer version may know more words than this one.
        return _plain(str)
    if origin in (list, typing.Sequence):
        each = loader(args[0])
        return lambda data: [each(item) for item in _of(list, data)]
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            one = loader(args[0])
            return lambda data: tuple(one(item) for item in _of(list, data))
        parts = [loader(arg) for arg in args]
        return lambda data: _tuple(parts, data)
    if origin is dict:
        value = loader(args[1])
        return lambda data: {key: value(item) for key, item in _of(dict, data).items()}
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint.from_dict
    if hint is datetime:
        return parsed
    if hint is float:
        return lambda data: float(_of((int, float), data))
    return _plain(hint)


def _plain(kind: type) -> _Load:
    return lambda data: _of(kind, data)


def _of(kind: Any, data: Any) -> Any:
    if kind is list and isinstance(data, tuple):
        return data
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is int):
        names = kind.__name__ if isinstance(kind, type) else " or ".join(k.__name__ for k in kind)
        raise InvalidInputError(f"wants {names}, not {_short(data)}")
    return data


def _tuple(parts: list[_Load], data: Any) -> tuple[Any, ...]:
    if len(_of(list, data)) != len(parts):
        raise InvalidInputError(f"wants {len(parts)} values, not {_short(data)}")
    return tuple(load(item) for load, item in zip(parts, data))


def _union(members: list[Any]) -> _Load:
    if len(members) == 1:
        return loader(members[0])
    tagged: dict[str, Any] = {member._tag: member for member in members if hasattr(member, "_tag")}
    if not tagged:
        return lambda data: data

    def load(data: Any) -> Any:
        member = tagged.get(str(data.get("kind"))) if isinstance(data, Mapping) else None
        return data if member is None else member.from_dict(data)

    return load
