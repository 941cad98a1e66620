"""Texts and places in them: the only file that computes lines and columns.

Several files may make one policy (``extends``), so positions are offsets into one space that a
`SourceMap` lays the files out in, one after the other; an offset alone then says file, line and column.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from policy_engine.source.frozen import frozen

__all__ = ["Place", "Source", "SourceMap", "Span"]

# YAML 1.2 and JSON break lines at these; nothing else (not NEL, not U+2028) moves to a new line.
_BREAK = re.compile(r"\r\n|\r|\n")


@frozen
class Place:
    """A position for people: file name, line and column, both counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@frozen
class Span:
    """A half-open range of offsets in a `SourceMap`."""

    start: int
    end: int


@frozen
class Source:
    """One text with a name; ``base`` is the offset of its first character in the shared space."""

    name: str
    text: str
    base: int
    length: int
    line_starts: tuple[int, ...]

    @classmethod
    def of(cls, name: str, text: str, base: int = 0) -> Source:
        starts = (0, *(match.end() for match in _BREAK.finditer(text)))
        return cls(name, text, base, len(text), starts)

    @property
    def end(self) -> int:
        """One past the offset of the end of the text: where the next file may begin."""
        return self.base + self.length + 1

    def place(self, offset: int) -> Place:
        """File, line and column of a shared offset that lies in this text."""
        local = offset - self.base
        line = bisect_right(self.line_starts, local)
        return Place(self.name, line, local - self.line_starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of a line (counted from 1), without its break."""
        start = self.line_starts[number - 1]
        stop = self.line_starts[number] if number < len(self.line_starts) else self.length
        return self.text[start:stop].rstrip("\r\n")


@frozen
class SourceMap:
    """The files of one input, laid out in one space of offsets."""

    sources: tuple[Source, ...] = ()

    def add(self, name: str, text: str) -> tuple[SourceMap, Source]:
        base = self.sources[-1].end if self.sources else 0
        source = Source.of(name, text, base)
        return SourceMap((*self.sources, source)), source

    def source(self, offset: int) -> Source:
        """The text that a shared offset lies in."""
        for source in self.sources:
            if offset < source.end:
                return source
        return self.sources[-1]

    def place(self, offset: int) -> Place:
        return self.source(offset).place(offset)

    def without_texts(self) -> SourceMap:
        """The same places without the texts: enough for a compiled policy to name where it is from."""
        return SourceMap(tuple(Source(s.name, "", s.base, s.length, s.line_starts) for s in self.sources))
