"""Histories from YAML, JSON, JSON Lines and mappings; one that cannot be read does not stop the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from policy_engine.cel.values import Timestamp, parse_timestamp
from policy_engine.loading.files import UnreadableError, decode, read_text
from policy_engine.model.history import Event, History
from policy_engine.source import Diagnostic, InvalidHistoryError, Place, SourceMap

if TYPE_CHECKING:
    from policy_engine.loading.document import Document

__all__ = ["Format", "history_from_mapping", "read_histories", "read_history_bytes"]

Format = Literal["yaml", "json", "jsonl"]
_SUFFIXES: Mapping[str, Format] = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_DEEPEST = 32
_REMARKS = frozenset({"title", "description", "note"})
_EVENT_KEYS = frozenset({"id", "time", "type", "by", "data", "recorded_at"})

NodePath = tuple[str | int, ...]
Locate = Callable[[NodePath, bool], tuple[Place | None, str | None, int]]


def read_histories(path: Path) -> Iterator[History | InvalidHistoryError]:
    """The histories of a file, each or what is wrong with it, as they stand in it."""
    try:
        text = read_text(path)
    except UnreadableError as error:
        yield InvalidHistoryError([error.diagnostic])
        return
    yield from _histories(text, str(path), _SUFFIXES.get(path.suffix.lower(), "yaml"))


def read_history_bytes(data: bytes, name: str) -> Iterator[History | InvalidHistoryError]:
    """The same from bytes without a file name, whose form is told by how they begin."""
    try:
        text = decode(data, name)
    except UnreadableError as error:
        yield InvalidHistoryError([error.diagnostic])
        return
    form: Format = "yaml"
    if text.lstrip()[:1] == "{":
        first, _, rest = text.strip().partition("\n")
        form = "jsonl" if rest.lstrip()[:1] == "{" and first.rstrip().endswith("}") else "json"
    yield from _histories(text, name, form)


def _histories(text: str, name: str, form: Format) -> Iterator[History | InvalidHistoryError]:
    if form != "jsonl":
        yield _attempt(lambda: _one(text, name, form))
        return
    empty = True
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            empty = False
            yield _attempt(lambda line=line, number=number: _json(line, name, number))  # type: ignore[misc]
    if empty:
        yield InvalidHistoryError([Diagnostic("history.empty", "there is no history here", Place(name, 1, 1))])


def _attempt(read: Callable[[], History]) -> History | InvalidHistoryError:
    try:
        return read()
    except InvalidHistoryError as error:
        return error


def _one(text: str, name: str, form: Format) -> History:
    if form == "json":
        return _json(text, name, 0)
    from policy_engine.loading.yaml_text import DocumentLimits, read_yaml  # JSON needs no YAML reader

    sources, source = SourceMap().add(name, text)
    limits = DocumentLimits(text=64_000_000, nodes=5_000_000)
    document, diagnostics = read_yaml(sources, source, limits)
    if document is None or diagnostics:
        raise InvalidHistoryError(diagnostics)
    locate = _in_document(document)

    def place(index: int) -> Place | None:
        return locate(("events", index) if index >= 0 else ("order",), False)[0]

    return _history(document.plain(), name, locate, place)


def _in_document(document: Document) -> Locate:
    def locate(path: NodePath, on_key: bool) -> tuple[Place | None, str | None, int]:
        span = document.key_span(path) if on_key else None
        while span is None:
            node = document.find(path)
            span = node.span if node is not None else None
            path = path[:-1]
        place = document.sources.place(span.start)
        line = document.sources.source(span.start).line(place.line)
        return place, line, max(1, min(span.end - span.start, len(line) - place.column + 1))

    return locate


# -- JSON ----------------------------------------------------------------------------------------------


class _JsonError(ValueError):
    """JSON that means something else to every reader: repeated keys, NaN, numbers beyond 64 bits."""


def _json(text: str, name: str, line: int) -> History:
    """``line`` is the line that the text stands on, 0 for a file of its own."""
    try:
        data = json.loads(
            text, object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer, parse_float=_float
        )
        if "\\u" in text:
            _check_surrogates(data)
    except json.JSONDecodeError as error:
        place = Place(name, line or error.lineno, error.colno)
        raise InvalidHistoryError(
            [Diagnostic("json.syntax", f"this is not JSON: {error.msg.lower()}", place)]
        ) from None
    except (_JsonError, RecursionError) as error:
        message = str(error) if isinstance(error, _JsonError) else "the document is nested too deep"
        raise InvalidHistoryError([Diagnostic("json.value", message, Place(name, line or 1, 1))]) from None

    def locate(path: NodePath, on_key: bool) -> tuple[Place | None, str | None, int]:
        if line:
            return Place(name, line, 1), None, 1
        from policy_engine.loading.yaml_text import DocumentLimits, read_yaml  # JSON is YAML with places

        sources, source = SourceMap().add(name, text)
        document, _ = read_yaml(sources, source, DocumentLimits(text=64_000_000, nodes=5_000_000))
        return (Place(name, 1, 1), None, 1) if document is None else _in_document(document)(path, on_key)

    return _history(data, name, locate, lambda _index: Place(name, line or 1, 1))


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _JsonError(f"`{next(k for k in keys if keys.count(k) > 1)}` is in an object twice")
    return found


def _constant(text: str) -> Any:
    raise _JsonError(f"`{text}` is not a JSON number")


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _JsonError(f"the number {text[:24]} is too large")
    return value


def _check_surrogates(data: Any) -> None:
    """An escape may name half of a character, which no UTF-8 can hold."""
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _JsonError("a text holds half of a surrogate pair (`\\ud800` to `\\udfff`)") from None


def _integer(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**64:
        raise _JsonError(f"the number {text[:24]}{'…' * (len(text) > 24)} does not fit 64 bits")
    return int(text)


# -- shape and times -----------------------------------------------------------------------------------


def history_from_mapping(data: Mapping[str, Any], name: str = "history") -> History:
    """A history from plain data; times may be RFC 3339 texts or aware datetimes. Raises InvalidHistoryError."""
    return _history(data, name, lambda _path, _on_key: (None, None, 1), lambda _index: None)


def _history(data: Any, name: str, locate: Locate, place: Callable[[int], Place | None]) -> History:
    problems: list[Diagnostic] = []
    if not _has_shape(data):
        problems = _shape_problems(data, locate)
        if problems:
            found = data.get("events") if isinstance(data, Mapping) else None
            for index, item in enumerate(found if isinstance(found, list) else ()):
                problems.extend(_bad_times(item, index, locate))
            raise InvalidHistoryError(problems)
    events: list[Event] = []
    for index, item in enumerate(data["events"]):
        try:
            recorded = item.get("recorded_at")
            events.append(
                Event(
                    _time(item["time"]),
                    item["type"],
                    item.get("by"),
                    item.get("id"),
                    item.get("data") or {},
                    None if recorded is None else _time(recorded),
                    place(index),
                )
            )
        except ValueError:
            problems.extend(_bad_times(item, index, locate))
    for path, value in _nested(data):
        if _too_deep(value, _DEEPEST):
            problems.append(_diagnostic(locate, "history.too-deep", f"nested more than {_DEEPEST} deep", path))
    if problems:
        raise InvalidHistoryError(problems)
    return History.of(data["order"], tuple(events), name, place(-1))


def _bad_times(item: Any, index: int, locate: Locate) -> Iterator[Diagnostic]:
    for key in ("time", "recorded_at"):
        value = item.get(key) if isinstance(item, Mapping) else None
        try:
            # What does not even look like a time has been said by the schema.
            if (isinstance(value, str) and (value[:4].isdigit() or key == "recorded_at")) or isinstance(
                value, datetime
            ):
                _time(value)
        except ValueError as error:
            yield _diagnostic(locate, "history.bad-time", str(error), ("events", index, key))


def _nested(data: Mapping[str, Any]) -> Iterator[tuple[NodePath, Any]]:
    """What may hold anything: the order's facts and the events' data."""
    for key, value in data["order"].items():
        if isinstance(value, Mapping | list):
            yield ("order", str(key)), value
    for index, item in enumerate(data["events"]):
        for key, value in (item.get("data") or {}).items():
            if isinstance(value, Mapping | list):
                yield ("events", index, "data", str(key)), value


def _too_deep(value: Any, left: int) -> bool:
    if not isinstance(value, Mapping | list):
        return False
    if left == 0:
        return True
    return any(_too_deep(item, left - 1) for item in (value.values() if isinstance(value, Mapping) else value))


def _time(value: Any) -> Timestamp:
    if isinstance(value, datetime):
        return Timestamp.of(value)
    if isinstance(value, Timestamp):
        return value
    # The engine's own times are microseconds: finer digits are cut off.
    return Timestamp(parse_timestamp(value) // 1000 * 1000)


def _has_shape(data: Any) -> bool:
    """A quick yes for what the schema allows. Anything else is for the schema itself to judge."""
    if not isinstance(data, Mapping) or not all(k in ("order", "events") or _is_remark(k) for k in data):
        return False
    order, events = data.get("order"), data.get("events")
    if not isinstance(order, Mapping) or not isinstance(order.get("id"), str) or not order["id"]:
        return False
    if not isinstance(events, list | tuple) or not all(isinstance(data.get(k, ""), str) for k in _REMARKS):
        return False
    return all(map(_event_has_shape, events))


def _is_remark(key: Any) -> bool:
    return isinstance(key, str) and (key in _REMARKS or key.startswith("x-"))


def _event_has_shape(event: Any) -> bool:
    if not isinstance(event, Mapping):
        return False
    kind, time, data = event.get("type"), event.get("time"), event.get("data")
    return (
        event.keys() <= _EVENT_KEYS
        and isinstance(kind, str)
        and bool(kind)
        and isinstance(time, str | datetime)
        and ((data is None and "data" not in event) or isinstance(data, Mapping))
        and all(key not in event or isinstance(event[key], str) for key in ("by", "recorded_at"))
        and ("id" not in event or (isinstance(event["id"], str) and bool(event["id"])))
    )


def _shape_problems(data: Any, locate: Locate) -> list[Diagnostic]:
    from policy_engine.loading.schema import schema_errors  # slow to import, needed for bad histories only

    plain = json.loads(json.dumps(data, default=str))
    return [
        _diagnostic(locate, error.code, error.message, error.path, error.help, error.on_key)
        for error in schema_errors("history", plain)
    ]


def _diagnostic(
    locate: Locate, code: str, message: str, path: NodePath, hint: str | None = None, on_key: bool = False
) -> Diagnostic:
    place, line, width = locate(path, on_key)
    where = ".".join(map(str, path))
    if place is None or line is None:
        message = f"{message} (at `{where}`)" if where else message
    return Diagnostic(code, message, place, hint, line=line, width=width)
