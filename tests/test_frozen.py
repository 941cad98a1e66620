"""Our frozen classes are what frozen dataclasses are, to everything that asks."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from policy_engine.source.frozen import field, field_names, frozen, replace


@frozen
class Point:
    """A point."""

    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list)
    seen: int = field(default=0, compare=False, repr=False)

    @property
    def sum(self) -> int:
        return self.x + self.y


@frozen
class Other:
    x: int
    y: int = 2


def test_values() -> None:
    point = Point(1)
    assert (point.x, point.y, point.tags, point.seen, point.sum) == (1, 2, [], 0, 3)
    assert point == Point(1, 2, [], seen=5)
    assert point != Point(2)
    assert Other(1) != Point(1)
    assert hash(Other(1)) == hash(Other(1, 2))
    assert repr(point) == "Point(x=1, y=2, tags=[])"
    assert Point(1).tags is not Point(1).tags


def test_frozen() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match="cannot assign to `x`"):
        point.x = 3  # type: ignore[misc]
    with pytest.raises(AttributeError, match="cannot delete"):
        del point.x
    with pytest.raises(AttributeError):
        point.z = 3  # type: ignore[attr-defined]


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Point(1, z=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        replace(Point(1), z=2)


def test_the_standard_library_takes_them_for_dataclasses() -> None:
    assert dataclasses.is_dataclass(Point)
    assert [f.name for f in dataclasses.fields(Point)] == ["x", "y", "tags", "seen"]
    assert dataclasses.replace(Point(1), y=5) == Point(1, 5) == replace(Point(1), y=5)
    assert dataclasses.asdict(Point(1)) == {"x": 1, "y": 2, "tags": [], "seen": 0}
    assert pickle.loads(pickle.dumps(Point(1, 3))) == Point(1, 3)  # noqa: S301
    assert copy.deepcopy(Point(1, 3)) == Point(1, 3)
    assert field_names(Point) == ("x", "y", "tags", "seen")
    match Point(7):
        case Point(x, y):
            assert (x, y) == (7, 2)
