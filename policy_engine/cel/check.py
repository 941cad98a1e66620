"""Names and types -> `CheckedExpr`: what fits where, before any value is seen.

The checker finds every problem it can in one go, and hands back the expression with what it resolved:
dotted names and namespaced functions made one name, named expressions expanded, a literal read as the
exact type that its neighbour asks for.
"""

from __future__ import annotations

from collections.abc import Mapping

from policy_engine.cel.errors import CelTypeError, Problem
from policy_engine.cel.fitting import described, fitted, without_open
from policy_engine.cel.functions import SPECIAL_FORMS, STANDARD
from policy_engine.cel.library import Library, Overload
from policy_engine.cel.limits import DEFAULT_LIMITS
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
    Node,
    Select,
)
from policy_engine.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    UINT,
    Bindings,
    Type,
    join,
    list_of,
    map_of,
    optional_of,
)
from policy_engine.cel.unparse import unparse
from policy_engine.cel.values import UInt, type_name
from policy_engine.source.diagnostic import did_you_mean
from policy_engine.source.frozen import field, frozen, replace

__all__ = ["CheckedExpr", "Environment", "check"]

_MOST_NODES = 20_000
_DEEPEST = DEFAULT_LIMITS.depth
_TYPES = {"bool": BOOL, "int": INT, "uint": UINT, "double": DOUBLE, "string": STRING, "bytes": BYTES}
_TYPE_NAMES = frozenset((*_TYPES, "list", "map", "null_type", "type", "optional_type"))


@frozen
class Environment:
    """What an expression may use.

    ``names`` have types; ``expansions`` are named expressions by dotted path (``let.fits``); ``why``
    says of a name that is known elsewhere why it may not be used here.
    """

    names: Mapping[str, Type]
    library: Library = STANDARD
    container: str = ""
    expansions: Mapping[str, Node] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)


@frozen
class CheckedExpr:
    """An expression that parses, type-checks, and whose every name resolves."""

    node: Node
    type: Type


def check(node: Node, environment: Environment, expected: Type | None = None) -> CheckedExpr:
    """Raises `CelTypeError` with every problem found; with ``expected``, also where the result does not fit."""
    checker = _Checker(environment)
    checked, kind = checker.check(node)
    kind = checker.bindings.resolve(kind)
    if expected is not None and not checker.problems:
        checked, kind = fitted(checker, checked, kind, expected), expected
    if checker.problems:
        raise CelTypeError(checker.problems)
    return CheckedExpr(checked, without_open(checker.bindings.resolve(kind)))


class _Checker:
    def __init__(self, environment: Environment) -> None:
        self._env = environment
        self._locals: dict[str, Type] = {}
        self._hidden: frozenset[str] = frozenset()  # names bound around an expansion, unseen inside it
        self._fresh = 0
        self._nodes = 0
        self._depth = 0
        self._expanding: tuple[str, ...] = ()
        self.bindings = Bindings()
        self.problems: list[Problem] = []

    def report(self, code: str, message: str, node: Node, hint: str | None = None) -> None:
        self.problems.append(Problem(code, message, node.start, node.end, hint))

    def check(self, node: Node) -> tuple[Node, Type]:
        """The node as it was resolved, and its type."""
        self._depth += 1
        try:
            if self._depth <= _DEEPEST:
                return self._checked(node)
            if not any(problem.code == "cel.too-deep" for problem in self.problems):
                message = f"once it is expanded the expression is nested more than {_DEEPEST} deep"
                self.report("cel.too-deep", message, node)
            return node, DYN
        finally:
            self._depth -= 1

    def _checked(self, node: Node) -> tuple[Node, Type]:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            if self._nodes == _MOST_NODES + 1:
                self.report(
                    "cel.too-large",
                    f"the expression has more than {_MOST_NODES} parts once it is expanded",
                    node,
                )
            return node, DYN
        match node:
            case Literal():
                return node, _literal_type(node)
            case Ident():
                return self._ident(node)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListNode():
                return self._list(node)
            case MapNode():
                return self._map(node)
            case Macro():
                return self._macro(node)
            case MessageNode():
                self.report("cel.unknown-name", f"`{node.name}` is not a type that can be made", node)
                return node, DYN

    def _variable(self) -> Type:
        self._fresh += 1
        return Type(f"${self._fresh}")

    # -- names ---------------------------------------------------------------------------------------

    def _candidates(self, name: str) -> list[str]:
        """A name as looked up from the container outwards; a leading dot asks for the root."""
        if name.startswith("."):
            return [name[1:]]
        parts = self._env.container.split(".") if self._env.container else []
        return [".".join([*parts[:count], name]) for count in range(len(parts), -1, -1)]

    def _lookup(self, name: str, start: int, end: int) -> tuple[Node, Type] | None:
        if name in self._locals and name not in self._hidden:
            return Ident(start, end, name), self._locals[name]
        for candidate in self._candidates(name):
            if candidate in self._env.expansions:
                return self._expand(candidate, start, end)
            if candidate in self._env.names:
                shadowed = candidate in self._locals
                return Ident(start, end, f".{candidate}" if shadowed else candidate), self._env.names[candidate]
            if candidate in _TYPE_NAMES or candidate in (
                "google.protobuf.Timestamp",
                "google.protobuf.Duration",
            ):
                return Ident(start, end, candidate), Type("type", (_TYPES.get(candidate, DYN),))
        return None

    def _expand(self, name: str, start: int, end: int) -> tuple[Node, Type]:
        if name in self._expanding:
            # The host reports cycles at their definition.
            return Ident(start, end, name), DYN
        saved = self._hidden, self._expanding
        self._hidden, self._expanding = self._hidden | set(self._locals), (*self._expanding, name)
        try:
            return self.check(self._env.expansions[name])
        finally:
            self._hidden, self._expanding = saved

    def _ident(self, node: Ident) -> tuple[Node, Type]:
        found = self._lookup(node.name, node.start, node.end)
        if found is not None:
            return found
        name = node.name.removeprefix(".")
        if name in self._env.why:
            self.report("cel.unknown-name", f"`{name}` {self._env.why[name]}", node)
        else:
            known = [*self._env.names, *self._locals]
            self.report("cel.unknown-name", f"`{name}` is not known here", node, self._name_help(name, known))
        return node, DYN

    def _name_help(self, name: str, known: list[str]) -> str | None:
        if name in ("True", "False", "None", "Null"):
            return f"write `{ {'None': 'null'}.get(name, name.lower()) }`"
        paths = [f"{owner}.{field.name}" for owner in self._env.names for field in self._env.names[owner].fields]
        holders = [path for path in paths if path.endswith(f".{name}")]
        return f"did you mean `{holders[0]}`?" if holders else did_you_mean(name, known)

    def _dotted(self, node: Node) -> str | None:
        """``a.b.c`` as one name, where the node is nothing but a path."""
        parts: list[str] = []
        while isinstance(node, Select) and not node.optional and not node.test:
            parts.append(node.field)
            node = node.operand
        if not isinstance(node, Ident):
            return None
        return ".".join([node.name, *reversed(parts)])

    def _select(self, node: Select) -> tuple[Node, Type]:
        if not node.optional and not node.test:
            dotted = self._dotted(node)
            first = dotted.split(".", 1)[0] if dotted and not dotted.startswith(".") else ""
            if dotted and not (first in self._locals and first not in self._hidden):
                found = self._lookup(dotted, node.start, node.end)
                if found is not None:
                    return found
        operand, kind = self.check(node.operand)
        kind = self.bindings.resolve(kind)
        behind = kind.name == "optional_type"
        inner = self.bindings.resolve(kind.params[0]) if behind else kind
        result = self._field_type(node, inner)
        checked = Select(node.start, node.end, operand, node.field, node.optional, node.test)
        if node.test:
            return checked, BOOL
        return checked, optional_of(result) if node.optional or behind else result

    def _field_type(self, node: Select, kind: Type) -> Type:
        if kind.name == "record":
            found = kind.field(node.field)
            if found is not None:
                return found.type
            owner = unparse(node.operand)
            self.report(
                "cel.unknown-field",
                f"`{owner}` has no field `{node.field}`",
                replace(node, start=max(node.start, node.end - len(node.field))),
                did_you_mean(node.field, [f.name for f in kind.fields]),
            )
            return DYN
        if kind.name == "map":
            return kind.params[1]
        if kind.name in self._env.library.fields:
            fields = self._env.library.fields[kind.name]
            if node.field in fields:
                return fields[node.field][0]
            self.report(
                "cel.unknown-field",
                f"{described(kind)} has no field `{node.field}`",
                node,
                did_you_mean(node.field, fields),
            )
            return DYN
        if kind.name == "dyn" or kind.name.startswith("$"):
            return DYN
        self.report("cel.unknown-field", f"{described(kind)} has no field `{node.field}`", node)
        return DYN

    # -- calls ---------------------------------------------------------------------------------------

    def _call(self, node: Call) -> tuple[Node, Type]:
        if node.target is not None:
            dotted = self._dotted(node.target)
            if dotted is not None:
                for candidate in self._candidates(f"{dotted}.{node.function}"):
                    if self._env.library.overloads(candidate, False):
                        return self._apply(replace(node, function=candidate, target=None), ())
            target, kind = self.check(node.target)
            if not self._env.library.overloads(node.function, True):
                self._unknown_function(node, self._env.library.names(True))
                for arg in node.args:
                    self.check(arg)
                return node, DYN
            return self._apply(replace(node, target=target), (kind,))
        for candidate in self._candidates(node.function):
            if self._env.library.overloads(candidate, False) or SPECIAL_FORMS.overloads(candidate, False):
                return self._apply(replace(node, function=candidate), ())
        self._unknown_function(node, self._env.library.names(False))
        for arg in node.args:
            self.check(arg)
        return node, DYN

    def _unknown_function(self, node: Call, known: tuple[str, ...]) -> None:
        name = node.function.removeprefix(".")
        hint = did_you_mean(name, [k for k in known if not k.startswith(("_", "!", "-", "@"))])
        self.report("cel.unknown-function", f"there is no function `{name}`", node, hint)

    def _apply(self, node: Call, before: tuple[Type, ...]) -> tuple[Node, Type]:
        pairs = [self.check(arg) for arg in node.args]
        args = tuple(arg for arg, _ in pairs)
        kinds = [*before, *(kind for _, kind in pairs)]
        node = replace(node, args=args)
        member = node.target is not None
        overloads = self._env.library.overloads(node.function, member) or SPECIAL_FORMS.overloads(node.function, member)
        if node.function in ("_==_", "_!=_", "@in"):
            self._check_members(node, kinds)
        if node.function in ("_[_]", "_[?_]") and (found := self._record_index(node, kinds)):
            return found
        result = self._resolve(overloads, kinds)
        if result is not None:
            return node, result
        for overload in overloads:
            adapted = self._adapt(node, overload, kinds, len(before))
            if adapted is not None:
                return adapted
        self._no_overload(node, kinds, overloads)
        return node, DYN

    def _record_index(self, node: Call, kinds: list[Type]) -> tuple[Node, Type] | None:
        """``record["field"]`` is ``record.field``."""
        kind, key = self.bindings.resolve(kinds[0]), node.args[1]
        if kind.name == "record" and isinstance(key, Literal) and isinstance(key.value, str):
            select = Select(node.start, node.end, node.args[0], key.value, node.function == "_[?_]")
            result = self._field_type(select, kind)
            return select, optional_of(result) if select.optional else result
        return None

    def _resolve(self, overloads: tuple[Overload, ...], kinds: list[Type]) -> Type | None:
        """The result type of the overloads that fit; dyn where several fit and disagree."""
        results: list[Type] = []
        chosen: Bindings | None = None
        for overload in overloads:
            if not overload.takes(len(kinds)):
                continue
            trial = self.bindings.copy()
            names = self._instantiate(overload)
            params = [_renamed(overload.param(i), names) for i in range(len(kinds))]
            if all(map(trial.accepts, _unwrapped(trial, params, kinds), kinds)):
                result = _renamed(overload.result, names)
                if result.name == "maybe":
                    optional = all(trial.resolve(kind).name == "optional_type" for kind in kinds)
                    result = optional_of(result.params[0]) if optional else result.params[0]
                results.append(trial.resolve(result))
                chosen = chosen or trial
        if not results:
            return None
        if len(results) == 1 and chosen is not None:
            self.bindings = chosen
        return results[0] if all(kind == results[0] for kind in results) else DYN

    def _instantiate(self, overload: Overload) -> dict[str, Type]:
        names: set[str] = set()
        stack = [*overload.params, overload.result]
        while stack:
            kind = stack.pop()
            names.update({kind.name} if kind.is_param else ())
            stack.extend(kind.params)
        return {name: self._variable() for name in sorted(names)}

    def _adapt(self, node: Call, overload: Overload, kinds: list[Type], skip: int) -> tuple[Node, Type] | None:
        """The call with literals read as the exact types that this overload asks for."""
        if not overload.takes(len(kinds)):
            return None
        wanted = _unwrapped(self.bindings, [overload.param(i) for i in range(len(kinds))], kinds)
        if node.function in ("_==_", "_!=_"):
            # Both sides have one type: that of the side which is no literal.
            solid = [k for k, arg in zip(kinds, node.args, strict=True) if not isinstance(arg, Literal)]
            wanted = [self.bindings.resolve(solid[0])] * 2 if len(solid) == 1 else wanted
        solid_names = {
            self.bindings.resolve(kind).name
            for kind, arg in zip(kinds[len(kinds) - len(node.args) :], node.args, strict=True)
            if not isinstance(arg, Literal)
        } | {kind.name for kind in kinds[:skip]}
        if solid_names <= {"int", "uint", "double", "dyn"}:
            return None  # beside CEL's own numbers a number is what CEL says
        args = list(node.args)
        for index, arg in enumerate(node.args):
            adapted = self.adapted(arg, wanted[index + skip])
            if adapted is not None:
                args[index] = adapted
                kinds = [*kinds[: index + skip], wanted[index + skip], *kinds[index + skip + 1 :]]
        if all(new is old for new, old in zip(args, node.args, strict=True)):
            return None
        result = self._resolve((overload,), kinds)
        return None if result is None else (replace(node, args=tuple(args)), result)

    def adapted(self, node: Node, wanted: Type) -> Literal | None:
        """A literal read as another type from its text, where the library knows how."""
        if not isinstance(node, Literal):
            return None
        reader = self._env.library.literals.get((type_name(node.value), wanted.name))
        if reader is None or not node.text:
            return None
        try:
            return replace(node, value=reader(node.text))
        except ValueError as error:
            problem = Problem("cel.literal", str(error), node.start, node.end)
            self.problems.extend([problem] if problem not in self.problems else [])
            return replace(node, value=reader("0"))

    def _check_members(self, node: Call, kinds: list[Type]) -> None:
        """A constant that is compared with an enumeration must be a member of it."""
        for kind, other in ((kinds[0], node.args[1]), (kinds[1], node.args[0])):
            members = self.bindings.resolve(kind).members
            constants = [item.value for item in other.items] if isinstance(other, ListNode) else [other]
            for constant in constants if members else ():
                if isinstance(constant, Literal) and isinstance(constant.value, str) and constant.value not in members:
                    self.report(
                        "cel.not-a-member",
                        f"`{constant.value}` is never equal to {described(kind)}",
                        constant,
                        did_you_mean(constant.value, members),
                    )

    def _no_overload(self, node: Call, kinds: list[Type], overloads: tuple[Overload, ...]) -> None:
        shown = [str(without_open(self.bindings.resolve(kind))) for kind in kinds]
        name = "in" if node.function == "@in" else node.function.strip("_")
        if node.function.startswith(("_", "@")) and len(shown) == 2 and name not in ("[", "[?"):
            message = f"`{name}` cannot take `{shown[0]}` and `{shown[1]}`"
        elif node.function in ("_[_]", "_[?_]"):
            message = f"`{shown[0]}` cannot be indexed by `{shown[1]}`"
        elif node.target is not None:
            message = f"`{shown[0]}` has no function `{name}({', '.join(shown[1:])})`"
        else:
            message = f"`{name}` cannot take ({', '.join(shown)})"
        self.report("cel.no-such-overload", message, node, _overload_help(node, shown, overloads))

    # -- lists, maps, macros -------------------------------------------------------------------------

    def _element(self, item: Item | Entry) -> tuple[Node, Type]:
        value, kind = self.check(item.value)
        kind = self.bindings.resolve(kind)
        if not item.optional or kind.name == "dyn":
            return value, kind
        if kind.name == "optional_type":
            return value, kind.params[0]
        self.report("cel.no-such-overload", f"`?` needs an optional, this is {described(kind)}", item.value)
        return value, DYN

    def _list(self, node: ListNode) -> tuple[Node, Type]:
        items, kinds = [], []
        for item in node.items:
            value, kind = self._element(item)
            items.append(Item(value, item.optional))
            kinds.append(self.bindings.resolve(kind))
        element = join(kinds) if kinds else self._variable()
        return replace(node, items=tuple(items)), list_of(element)

    def _map(self, node: MapNode) -> tuple[Node, Type]:
        entries, keys, values = [], [], []
        for entry in node.entries:
            key, kind = self.check(entry.key)
            keys.append(self.bindings.resolve(kind))
            if keys[-1].name not in ("string", "int", "uint", "bool", "dyn"):
                self.report("cel.bad-key", f"{described(keys[-1])} cannot be a key of a map", entry.key)
            value, kind = self._element(entry)
            values.append(self.bindings.resolve(kind))
            entries.append(Entry(key, value, entry.optional))
        kind = map_of(join(keys), join(values)) if entries else map_of(self._variable(), self._variable())
        return replace(node, entries=tuple(entries)), kind

    def _macro(self, node: Macro) -> tuple[Node, Type]:
        target, kind = self.check(node.target)
        kind = self.bindings.resolve(kind)
        bound = self._bound(node, kind)
        saved_locals, saved_hidden = self._locals, self._hidden
        self._locals = {**saved_locals, **dict(zip(node.variables, bound, strict=True))}
        self._hidden = saved_hidden - set(node.variables)
        try:
            pairs = [self.check(arg) for arg in node.args]
        finally:
            self._locals, self._hidden = saved_locals, saved_hidden
        args = tuple(arg for arg, _ in pairs)
        filtered = len(args) == 2 or node.name in ("all", "exists", "exists_one", "filter")
        if filtered and not self.bindings.accepts(BOOL, pairs[0][1]):
            self.report("cel.wrong-type", f"`{node.name}` needs a bool here", node.args[0])
        result = self._macro_type(node, bound, self.bindings.resolve(pairs[-1][1]))
        return replace(node, target=target, args=args), result

    def _bound(self, node: Macro, kind: Type) -> list[Type]:
        """The types of the variables that a macro binds."""
        if node.name == "bind":
            return [kind]
        if node.name in ("optMap", "optFlatMap"):
            if kind.name == "optional_type":
                return [kind.params[0]]
            if kind.name != "dyn":
                self.report(
                    "cel.no-such-overload",
                    f"`{node.name}` needs an optional, this is {described(kind)}",
                    node,
                )
            return [DYN]
        two = len(node.variables) == 2
        if kind.name == "list":
            return [INT, kind.params[0]] if two else [kind.params[0]]
        if kind.name == "map":
            return list(kind.params) if two else [kind.params[0]]
        if kind.name != "dyn" and not kind.name.startswith("$"):
            self.report(
                "cel.no-such-overload",
                f"`{node.name}` goes over a list or a map, this is {described(kind)}",
                node,
            )
        return [DYN] * len(node.variables)

    def _macro_type(self, node: Macro, bound: list[Type], body: Type) -> Type:
        match node.name:
            case "all" | "exists" | "exists_one":
                return BOOL
            case "filter":
                return list_of(bound[0])
            case "map" | "transformList":
                return list_of(body)
            case "transformMap":
                return map_of(bound[0], body)
            case "transformMapEntry" | "bind":
                return body
            case "optMap":
                return optional_of(body)
        if body.name not in ("optional_type", "dyn"):
            self.report(
                "cel.no-such-overload",
                f"`optFlatMap` needs an optional, this is {described(body)}",
                node.args[-1],
            )
        return body


def _unwrapped(bindings: Bindings, params: list[Type], kinds: list[Type]) -> list[Type]:
    """``maybe(T)`` made the T or the optional T that the argument calls for."""
    return [
        param
        if param.name != "maybe"
        else optional_of(param.params[0])
        if bindings.resolve(kind).name == "optional_type"
        else param.params[0]
        for param, kind in zip(params, kinds, strict=True)
    ]


def _literal_type(node: Literal) -> Type:
    if node.value is None:
        return NULL
    kind = type(node.value)
    if kind is UInt:
        return UINT
    return Type(type_name(node.value))


def _renamed(kind: Type, names: dict[str, Type]) -> Type:
    if kind.name in names:
        return names[kind.name]
    return replace(kind, params=tuple(_renamed(p, names) for p in kind.params)) if kind.params else kind


def _overload_help(node: Call, shown: list[str], overloads: tuple[Overload, ...]) -> str | None:
    if set(shown) == {"int", "double"}:
        return "write both as int or both as double, as in `2.0` or `double(x)`"
    if any(kind.startswith("optional_type") for kind in shown):
        return "an optional is read with `.orValue(…)`"
    if shown[:1] == ["money"] and shown[1:] == ["double"] and node.function in ("_*_", "_/_"):
        return "a double is not exact: declare the value as `decimal`"
    if "money" in shown and {"int", "double"} & set(shown):
        return 'compare or add money with money, as in `money("USD 5")`, or read `.amount`'
    if "double" in shown and {"money", "decimal"} & set(shown):
        return "a double is not exact: declare the value as `decimal`"
    if node.function.startswith(("_", "@", "!", "-")) or len(overloads) > 6:
        return None
    return "it is " + " or ".join(f"`{overload.signature}`" for overload in overloads)
