"""Frozen, slotted classes of data that cost next to nothing until they are used.

What `dataclasses` writes for a class it writes when the class is defined: half a millisecond for each of the
sixty that an evaluation imports, most of the time that a whole run of the command line may take. Here
``__init__`` is written when the first instance is made; the rest is shared by all classes. For a type checker
these are frozen dataclasses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

__all__ = ["field", "field_names", "frozen", "make", "replace"]

T = TypeVar("T")
_MISSING: Any = object()


class _Field:
    """What `field` says of a field."""

    __slots__ = ("compare", "default", "factory", "repr")

    def __init__(self, default: Any, factory: Any, compare: bool, repr: bool) -> None:  # noqa: A002
        self.default = default
        self.factory = factory
        self.compare = compare
        self.repr = repr


def field(
    *,
    default: Any = _MISSING,
    default_factory: Any = _MISSING,
    compare: bool = True,
    repr: bool = True,  # noqa: A002 - the names that `dataclasses.field` uses
) -> Any:
    """A field with more to say than a default: see `dataclasses.field`."""
    return _Field(default, default_factory, compare, repr)


class _DataclassFields:
    """``__dataclass_fields__``, made when somebody asks: `dataclasses.replace`, ``fields`` and ``asdict`` work."""

    def __get__(self, instance: object, owner: Any) -> Any:
        import dataclasses

        def spec(name: str) -> Any:
            given = owner._specs.get(name, dataclasses.MISSING)
            if not isinstance(given, _Field):
                # A default may be of a kind that `dataclasses` takes for mutable.
                return given if given is dataclasses.MISSING else dataclasses.field(default_factory=lambda: given)
            if given.factory is not _MISSING:
                return dataclasses.field(default_factory=given.factory, compare=given.compare, repr=given.repr)
            default = dataclasses.MISSING if given.default is _MISSING else given.default
            return dataclasses.field(default=default, compare=given.compare, repr=given.repr)

        names = [(name, owner.__annotations__[name], spec(name)) for name in owner._names]
        fields = [(n, kind) if s is dataclasses.MISSING else (n, kind, s) for n, kind, s in names]
        made: Any = dataclasses.make_dataclass(owner.__name__, fields, frozen=True)
        return made.__dataclass_fields__


class _Frozen:
    """What all of them share. ``_names`` are the fields, ``_compared`` those that equality looks at."""

    __slots__ = ()
    _names: tuple[str, ...] = ()
    _compared: Callable[[Any], Any]
    _shown: tuple[str, ...] = ()
    _setters: tuple[Callable[[Any, Any], None], ...] = ()
    __dataclass_fields__ = _DataclassFields()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        cls = type(self)
        cls.__init__ = _written_init(cls)  # type: ignore[method-assign]
        cls.__init__(self, *args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"cannot assign to `{name}`: a {type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete `{name}`: a {type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        compared = type(self)._compared
        return bool(compared(self) == compared(other))

    def __hash__(self) -> int:
        return hash((type(self), type(self)._compared(self)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in type(self)._shown)
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> Any:
        return type(self), tuple(getattr(self, name) for name in type(self)._names)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """The class with its annotated names as slots, set once by ``__init__`` in their order.

    Defaults stand behind ``=``, as values or as what `field` says.
    """
    names = tuple(cls.__annotations__)
    body = {key: value for key, value in cls.__dict__.items() if key not in ("__dict__", "__weakref__")}
    specs = {name: body.pop(name) for name in names if name in body}
    compared = [n for n in names if not isinstance(spec := specs.get(n), _Field) or spec.compare]
    shown = tuple(n for n in names if not isinstance(spec := specs.get(n), _Field) or spec.repr)
    getter: Callable[[Any], Any] = attrgetter(*compared) if compared else _nothing
    body |= {
        "__slots__": names,
        "__match_args__": names,
        "_names": names,
        "_compared": staticmethod(getter),
        "_shown": shown,
        "_specs": specs,
    }
    bases = (*(base for base in cls.__bases__ if base is not object), _Frozen)
    made: Any = type(cls.__name__, bases, body)
    made._setters = tuple(made.__dict__[name].__set__ for name in names)
    return made  # type: ignore[no-any-return]


def _nothing(_value: Any) -> None:
    return None


def _written_init(cls: Any) -> Any:
    """``__init__`` as one would write it: slots are set directly, factories called where nothing is given."""
    space: dict[str, Any] = {"_missing": _MISSING}
    setters = dict(zip(cls._names, cls._setters, strict=True))
    params, lines = [], []
    for name in cls._names:
        space[f"_set_{name}"] = setters[name]
        spec = cls._specs.get(name, _MISSING)
        default = spec.default if isinstance(spec, _Field) else spec
        if isinstance(spec, _Field) and spec.factory is not _MISSING:
            space[f"_new_{name}"] = spec.factory
            params.append(f"{name}=_missing")
            lines.append(f" _set_{name}(self, _new_{name}() if {name} is _missing else {name})")
            continue
        if default is not _MISSING:
            space[f"_of_{name}"] = default
        params.append(name if default is _MISSING else f"{name}=_of_{name}")
        lines.append(f" _set_{name}(self, {name})")
    # The text is made of the names in our own class bodies, and of nothing that anybody sends.
    text = f"def __init__(self, {', '.join(params)}):\n" + ("\n".join(lines) or " pass")
    exec(text, space)  # noqa: S102
    return space["__init__"]


def make(kind: type[T], values: Sequence[Any]) -> T:
    """An instance from the values of all its fields in order, as `field_names` gives them. Raises TypeError
    where there are more or fewer."""
    cls: Any = kind
    setters = cls._setters
    if len(values) != len(setters):
        raise TypeError(f"a {cls.__name__} has {len(setters)} fields")
    made: T = cls.__new__(cls)
    for set_field, value in zip(setters, values, strict=True):
        set_field(made, value)
    return made


def field_names(kind: Any) -> tuple[str, ...]:
    """The fields of such a class or instance, in order; none for anything else."""
    names: tuple[str, ...] = getattr(kind, "_names", ())
    return names


def replace(value: T, /, **changes: Any) -> T:
    """A copy with some fields changed. Raises TypeError for a name that is no field."""
    kind: Any = type(value)
    rest = {name: getattr(value, name) for name in kind._names if name not in changes}
    made: T = kind(**rest, **changes)
    return made
