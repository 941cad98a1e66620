"""Text -> syntax. The only file that imports lark.

The tree is built bottom-up while the LALR parser reduces, so nothing here recurses; nesting is
counted on the way and bounded, which bounds every recursive walk that comes after.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any, NamedTuple, cast

from lark import Lark, Token, UnexpectedInput, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedToken, VisitError
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive

from policy_engine.cel.errors import CelSyntaxError, Problem
from policy_engine.cel.limits import DEFAULT_LIMITS, Limits
from policy_engine.cel.literals import LiteralError, read_bytes, read_double, read_int, read_string, read_uint
from policy_engine.cel.syntax import (
    Call,
    Entry,
    Ident,
    Item,
    ListNode,
    Literal,
    Macro,
    MapNode,
    MessageNode,
    Select,
)
from policy_engine.cel.syntax import Node as SyntaxNode

__all__ = ["RESERVED", "parse"]

# cel-spec, "Syntax": words that may not be identifiers (they may be selectors, after a dot).
RESERVED = frozenset(
    "as break const continue else for function if import let loop package namespace return var void while".split()
)
_BINARY = {op: f"_{op}_" for op in ("<", "<=", ">", ">=", "==", "!=", "+", "-", "*", "/", "%")} | {"in": "@in"}
# Macros that bind names over a target: name -> numbers of arguments -> how many of them are names.
_MACROS: dict[str, dict[int, int]] = {
    "all": {2: 1, 3: 2},
    "exists": {2: 1, 3: 2},
    "exists_one": {2: 1, 3: 2},
    "existsOne": {2: 1, 3: 2},
    "filter": {2: 1},
    "map": {2: 1, 3: 1},
    "transformList": {3: 2, 4: 2},
    "transformMap": {3: 2, 4: 2},
    "transformMapEntry": {3: 2, 4: 2},
    "optMap": {2: 1},
    "optFlatMap": {2: 1},
}
_MACRO_NAMES = {"existsOne": "exists_one"}


class _Sub(NamedTuple):
    """A node on its way up, with how deep it is."""

    node: SyntaxNode
    depth: int
    number: Token | None = None  # the token of a bare int or double literal


def parse(
    text: str,
    *,
    positions: Callable[[int], int] | None = None,
    words: frozenset[str] = frozenset(),
    macros: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> SyntaxNode:
    """The syntax of ``text``.

    ``positions`` maps an offset in the text to where that character really stands; ``words`` are
    reserved words that this host uses as names all the same. Raises `CelSyntaxError` with one problem.
    """
    at = positions or _same

    def refuse(code: str, message: str, start: int, end: int, hint: str | None = None) -> CelSyntaxError:
        return CelSyntaxError([Problem(code, message, at(start), at(max(end, start)), hint)])

    if len(text) > limits.text:
        raise refuse("cel.too-long", f"an expression may have {limits.text} characters, this has {len(text)}", 0, 1)
    if not text.strip():
        raise refuse("cel.empty", "an expression is expected here", 0, len(text))
    builder = _Builder(at, words, macros, limits.depth)
    try:
        return builder.build(_parser().parse(text))
    except _RefusedError as refused:
        raise refuse(*refused.args) from None
    except VisitError as error:
        if isinstance(error.orig_exc, _RefusedError):
            raise refuse(*error.orig_exc.args) from None
        raise
    except UnexpectedInput as error:
        raise refuse(*_syntax_error(error, text)) from None


def _same(offset: int) -> int:
    return offset


@cache
def _parser() -> Lark:
    grammar = resources.files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", propagate_positions=True, maybe_placeholders=False)


class _RefusedError(Exception):
    """Found while building: code, message, start, end, help."""

    def __init__(self, code: str, message: str, start: int, end: int, hint: str | None = None) -> None:
        super().__init__(code, message, start, end, hint)


_HINTS = {
    "'": "a string is not closed",
    '"': "a string is not closed",
    "&": "write `&&`",
    "|": "write `||`",
    "=": "write `==` to compare",
}


def _syntax_error(error: UnexpectedInput, text: str) -> tuple[str, str, int, int, str | None]:
    start = error.pos_in_stream or 0
    if isinstance(error, UnexpectedCharacters):
        found = text[start]
        return "cel.syntax", f"unexpected `{found}`", start, start + 1, _HINTS.get(found)
    token = error.token if isinstance(error, UnexpectedToken) else None
    if token is None or token.type == "$END":
        return "cel.syntax", "the expression ends too early", max(0, len(text.rstrip()) - 1), len(text), None
    start = token.start_pos or 0
    hint = None
    if str(token) in ("and", "or", "not"):
        hint = f"write `{ {'and': '&&', 'or': '||', 'not': '!'}[str(token)] }`"
    return "cel.syntax", f"unexpected `{token}`", start, start + len(token), hint


@v_args(meta=True)
class _Builder(Transformer_NonRecursive[Token, Any]):
    """One method per rule of the grammar; children arrive as `_Sub`, tokens, or lists of them."""

    def __init__(self, at: Callable[[int], int], words: frozenset[str], macros: bool, depth: int) -> None:
        super().__init__(visit_tokens=False)
        self._at = at
        self._words = words
        self._macros = macros
        self._limit = depth
        self._too_big: set[int] = set()  # where 2^63 stands, which is fine behind a minus alone

    # -- spans, depth, names ---------------------------------------------------------------------

    def _span(self, meta: Meta) -> tuple[int, int]:
        return self._at(meta.start_pos), self._at(meta.end_pos - 1) + 1

    def _up(self, meta: Meta, node: SyntaxNode, *below: _Sub) -> _Sub:
        depth = 1 + max((sub.depth for sub in below), default=0)
        if depth > self._limit:
            raise _RefusedError(
                "cel.too-deep",
                f"an expression may be nested {self._limit} deep",
                meta.start_pos,
                meta.start_pos + 1,
            )
        return _Sub(node, depth)

    def _call(self, meta: Meta, function: str, *args: _Sub, target: _Sub | None = None) -> _Sub:
        node = Call(*self._span(meta), function, target.node if target else None, tuple(a.node for a in args))
        return self._up(meta, node, *args, *((target,) if target else ()))

    def _name(self, token: Token) -> str:
        name = str(token)
        if name in RESERVED and name not in self._words:
            start = token.start_pos or 0
            raise _RefusedError("cel.reserved", f"`{name}` is a reserved word", start, start + len(name))
        return name

    def selector(self, _meta: Meta, items: list[Token]) -> Token:
        token = items[0]
        return Token.new_borrow_pos(token.type, token.strip("`"), token) if token.startswith("`") else token

    # -- operators -------------------------------------------------------------------------------

    def start(self, _meta: Meta, items: list[_Sub]) -> _Sub:
        return items[0]

    def conditional(self, meta: Meta, items: list[_Sub]) -> _Sub:
        return self._call(meta, "_?_:_", *items)

    def logical_or(self, meta: Meta, items: list[_Sub]) -> _Sub:
        return self._call(meta, "_||_", *items)

    def logical_and(self, meta: Meta, items: list[_Sub]) -> _Sub:
        return self._call(meta, "_&&_", *items)

    def binary(self, meta: Meta, items: list[Any]) -> _Sub:
        left, operator, right = items
        return self._call(meta, _BINARY[str(operator)], left, right)

    def nots(self, _meta: Meta, items: list[Any]) -> int:
        return 1 if len(items) == 1 else cast(int, items[0]) + 1

    minuses = nots

    def _repeated(self, meta: Meta, function: str, times: int, sub: _Sub) -> _Sub:
        for _ in range(times):
            sub = self._call(meta, function, sub)
        return sub

    def logical_not(self, meta: Meta, items: list[Any]) -> _Sub:
        return self._repeated(meta, "!_", items[0], items[1])

    def negation(self, meta: Meta, items: list[Any]) -> _Sub:
        times, sub = items
        if sub.number:
            # A minus before a number is part of the number: the smallest int has no positive twin.
            token = sub.number
            value = self._read(read_double if isinstance(sub.node.value, float) else read_int, f"-{token}", token)
            self._too_big.discard(token.start_pos or 0)
            sub = _Sub(Literal(*self._span(meta), value, f"-{token}"), sub.depth)
            times -= 1
        return self._repeated(meta, "-_", times, sub)

    # -- members and macros ----------------------------------------------------------------------

    def select(self, meta: Meta, items: list[Any]) -> _Sub:
        return self._up(meta, Select(*self._span(meta), items[0].node, str(items[1])), items[0])

    def optional_select(self, meta: Meta, items: list[Any]) -> _Sub:
        return self._up(meta, Select(*self._span(meta), items[0].node, str(items[1]), optional=True), items[0])

    def index(self, meta: Meta, items: list[_Sub]) -> _Sub:
        return self._call(meta, "_[_]", *items)

    def optional_index(self, meta: Meta, items: list[_Sub]) -> _Sub:
        return self._call(meta, "_[?_]", *items)

    def arguments(self, _meta: Meta, items: list[_Sub]) -> list[_Sub]:
        return items

    def call(self, meta: Meta, items: list[Any]) -> _Sub:
        name, args = str(items[0]), items[1]
        if self._macros and name == "has" and len(args) == 1:
            operand = args[0].node
            if not isinstance(operand, Select) or operand.optional or operand.test:
                raise _RefusedError("cel.macro", "`has` takes a field, as in `has(a.b)`", meta.start_pos, meta.end_pos)
            return self._up(meta, Select(*self._span(meta), operand.operand, operand.field, test=True), args[0])
        return self._call(meta, self._name(items[0]), *args)

    def rooted_call(self, meta: Meta, items: list[Any]) -> _Sub:
        return self._call(meta, "." + self._name(items[0]), *items[1])

    def member_call(self, meta: Meta, items: list[Any]) -> _Sub:
        target, name, args = items[0], str(items[1]), items[2]
        if self._macros:
            names = _MACROS.get(name, {}).get(len(args))
            if names is not None:
                return self._macro(meta, _MACRO_NAMES.get(name, name), target, args[:names], args[names:])
            if name == "bind" and target.node == Ident(target.node.start, target.node.end, "cel") and len(args) == 3:
                return self._macro(meta, "bind", args[1], args[:1], args[2:])
        return self._call(meta, name, *args, target=target)

    def _macro(self, meta: Meta, name: str, target: _Sub, names: list[_Sub], args: list[_Sub]) -> _Sub:
        variables = []
        for sub in names:
            if not isinstance(sub.node, Ident) or sub.node.name.startswith("."):
                raise _RefusedError(
                    "cel.macro",
                    f"the first argument of `{name}` names a variable",
                    meta.start_pos,
                    meta.end_pos,
                )
            variables.append(sub.node.name)
        if len(set(variables)) < len(variables):
            raise _RefusedError("cel.macro", f"the variables of `{name}` need two names", meta.start_pos, meta.end_pos)
        node = Macro(*self._span(meta), name, target.node, tuple(variables), tuple(a.node for a in args))
        return self._up(meta, node, target, *args)

    def message(self, meta: Meta, items: list[Any]) -> _Sub:
        sub, fields = items
        parts: list[str] = []
        node = sub.node
        while isinstance(node, Select) and not node.optional and not node.test:
            parts.append(node.field)
            node = node.operand
        if not isinstance(node, Ident):
            raise _RefusedError("cel.syntax", "unexpected `{`", meta.start_pos, meta.end_pos)
        name = ".".join([node.name, *reversed(parts)])
        below = tuple(value for _, value, _ in fields)
        node = MessageNode(*self._span(meta), name, tuple((k, v.node, o) for k, v, o in fields))
        return self._up(meta, node, sub, *below)

    # -- lists, maps, fields ---------------------------------------------------------------------

    def elements(self, _meta: Meta, items: list[Any]) -> list[Any]:
        return items

    entries = fields = elements

    def element(self, _meta: Meta, items: list[_Sub]) -> tuple[_Sub, bool]:
        return items[0], False

    def optional_element(self, _meta: Meta, items: list[_Sub]) -> tuple[_Sub, bool]:
        return items[0], True

    def entry(self, _meta: Meta, items: list[Any]) -> tuple[Any, Any, bool]:
        return items[0], items[1], False

    def optional_entry(self, _meta: Meta, items: list[Any]) -> tuple[Any, Any, bool]:
        return items[0], items[1], True

    def field(self, _meta: Meta, items: list[Any]) -> tuple[str, _Sub, bool]:
        return str(items[0]), items[1], False

    def optional_field(self, _meta: Meta, items: list[Any]) -> tuple[str, _Sub, bool]:
        return str(items[0]), items[1], True

    def list_literal(self, meta: Meta, items: list[Any]) -> _Sub:
        pairs = items[0]
        node = ListNode(*self._span(meta), tuple(Item(sub.node, optional) for sub, optional in pairs))
        return self._up(meta, node, *(sub for sub, _ in pairs))

    def map_literal(self, meta: Meta, items: list[Any]) -> _Sub:
        triples = items[0]
        node = MapNode(*self._span(meta), tuple(Entry(k.node, v.node, o) for k, v, o in triples))
        return self._up(meta, node, *(sub for k, v, _ in triples for sub in (k, v)))

    # -- names and literals ----------------------------------------------------------------------

    def ident(self, meta: Meta, items: list[Token]) -> _Sub:
        return _Sub(Ident(*self._span(meta), self._name(items[0])), 1)

    def rooted_ident(self, meta: Meta, items: list[Token]) -> _Sub:
        return _Sub(Ident(*self._span(meta), "." + self._name(items[0])), 1)

    def parenthesis(self, meta: Meta, items: list[_Sub]) -> _Sub:
        return self._up(meta, items[0].node, items[0])

    def _read(self, reader: Callable[[str], Any], text: str, token: Token) -> Any:
        try:
            return reader(text)
        except LiteralError as error:
            start = token.start_pos or 0
            raise _RefusedError("cel.literal", str(error), start, start + len(token)) from None

    def _literal(self, meta: Meta, reader: Callable[[str], Any], token: Token) -> _Sub:
        return _Sub(Literal(*self._span(meta), self._read(reader, str(token), token), str(token)), 1)

    def int_literal(self, meta: Meta, items: list[Token]) -> _Sub:
        token = items[0]
        try:
            value = read_int(token)
        except LiteralError:
            self._read(read_int, f"-{token}", token)  # fine behind a minus, or never
            self._too_big.add(token.start_pos or 0)
            value = 0
        return _Sub(Literal(*self._span(meta), value, str(token)), 1, token)

    def float_literal(self, meta: Meta, items: list[Token]) -> _Sub:
        return self._literal(meta, read_double, items[0])._replace(number=items[0])

    def uint_literal(self, meta: Meta, items: list[Token]) -> _Sub:
        return self._literal(meta, read_uint, items[0])

    def string_literal(self, meta: Meta, items: list[Token]) -> _Sub:
        return self._literal(meta, read_string, items[0])

    def bytes_literal(self, meta: Meta, items: list[Token]) -> _Sub:
        return self._literal(meta, read_bytes, items[0])

    raw_string_literal, raw_bytes_literal = string_literal, bytes_literal

    def true_literal(self, meta: Meta, _items: list[Token]) -> _Sub:
        return _Sub(Literal(*self._span(meta), True), 1)

    def false_literal(self, meta: Meta, _items: list[Token]) -> _Sub:
        return _Sub(Literal(*self._span(meta), False), 1)

    def null_literal(self, meta: Meta, _items: list[Token]) -> _Sub:
        return _Sub(Literal(*self._span(meta), None), 1)

    def build(self, tree: Any) -> SyntaxNode:
        node = cast(_Sub, self.transform(tree)).node
        if self._too_big:
            start = min(self._too_big)
            raise _RefusedError("cel.literal", "a number does not fit 64 bits", start, start + 1)
        return node
