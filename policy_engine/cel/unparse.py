"""Syntax -> text: for explanations, and so that ``parse(unparse(e)) == e`` can be held."""

from __future__ import annotations

import re

from policy_engine.cel.syntax import Call, Ident, ListNode, Literal, Macro, MapNode, MessageNode, Node, Select
from policy_engine.cel.values import show

__all__ = ["unparse"]

# How tightly an operator binds; a part that binds looser than its place asks for gets parentheses.
_LEVEL = {"_||_": 1, "_&&_": 2, "@in": 3, "_+_": 4, "_-_": 4, "_*_": 5, "_/_": 5, "_%_": 5}
_LEVEL |= dict.fromkeys(("_<_", "_<=_", "_>_", "_>=_", "_==_", "_!=_"), 3)
_UNARY, _MEMBER = 6, 7
_PLAIN = r"[_a-zA-Z][_a-zA-Z0-9]*"


def unparse(node: Node) -> str:
    """The expression as text, with as few parentheses as keep its meaning."""
    return _text(node)[0]


def _at(node: Node, level: int) -> str:
    text, own = _text(node)
    return text if own >= level else f"({text})"


def _field(name: str) -> str:
    return name if re.fullmatch(_PLAIN, name) else f"`{name}`"


def _list(nodes: tuple[Node, ...]) -> str:
    return ", ".join(unparse(node) for node in nodes)


def _text(node: Node) -> tuple[str, int]:
    match node:
        case Literal(value=value, text=text):
            written = text or show(value)
            return written, _UNARY if written.startswith("-") else _MEMBER
        case Ident(name=name):
            return name, _MEMBER
        case Select(operand=operand, field=field, optional=optional, test=test):
            path = f"{_at(operand, _MEMBER)}{'.?' if optional else '.'}{_field(field)}"
            return (f"has({path})" if test else path), _MEMBER
        case ListNode(items=items):
            return f"[{', '.join('?' * i.optional + unparse(i.value) for i in items)}]", _MEMBER
        case MapNode(entries=entries):
            pairs = (f"{'?' * e.optional}{unparse(e.key)}: {unparse(e.value)}" for e in entries)
            return f"{{{', '.join(pairs)}}}", _MEMBER
        case MessageNode(name=name, fields=fields):
            return f"{name}{{{', '.join(f'{_field(k)}: {unparse(v)}' for k, v, _ in fields)}}}", _MEMBER
        case Macro(name="bind", target=target, variables=variables, args=args):
            return f"cel.bind({variables[0]}, {unparse(target)}, {_list(args)})", _MEMBER
        case Macro(name=name, target=target, variables=variables, args=args):
            return f"{_at(target, _MEMBER)}.{name}({', '.join([*variables, _list(args)])})", _MEMBER
        case Call():
            return _call(node)
    raise AssertionError(node)


def _call(node: Call) -> tuple[str, int]:
    name, args = node.function, node.args
    if node.target is not None:
        return f"{_at(node.target, _MEMBER)}.{name}({_list(args)})", _MEMBER
    if name in _LEVEL:
        level = _LEVEL[name]
        operator = "in" if name == "@in" else name.strip("_")
        return f"{_at(args[0], level)} {operator} {_at(args[1], level + 1)}", level
    if name == "_?_:_":
        return f"{_at(args[0], 1)} ? {_at(args[1], 1)} : {unparse(args[2])}", 0
    if name in ("!_", "-_"):
        inner, own = _text(args[0])
        # `!!x` and `--x` need no parentheses, `!-x` and `-(1)` do.
        same = isinstance(args[0], Call) and args[0].target is None and args[0].function == name
        bare = same or (own >= _MEMBER and not (name == "-_" and _is_number(args[0])))
        return f"{name[0]}{inner}" if bare else f"{name[0]}({inner})", _UNARY
    if name in ("_[_]", "_[?_]"):
        return f"{_at(args[0], _MEMBER)}[{'?' * (name == '_[?_]')}{unparse(args[1])}]", _MEMBER
    return f"{name}({_list(args)})", _MEMBER


def _is_number(node: Node) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, int | float) and not isinstance(node.value, bool)
