"""A small language of numbers: text in, a function of named arrays out.

In: ``"rsi_14 < 30 and dollar_volume_20 > 5e6"``.  Out: ``Expression``, which says what it needs and computes it.
Names, numbers, + - * /, comparisons, and/or/not, and the functions in ``FUNCTIONS``; the same text makes features,
screens and factors. Refuses everything else, with the place: nothing here can call, import or reach an attribute.
Refuses also what names no column: it would be the same for every symbol.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapeline.core.errors import BadInput
from tapeline.core.types import F64
from tapeline.ml import cross

MAX_CHARS = 500
MAX_NODES = 120
MAX_NUMBER = int(np.finfo(np.float64).max)
"""What is larger is infinite."""
OF_ONE = ("log", "abs")
"""Functions of a number; the others compare a symbol with all."""

Columns = Mapping[str, F64]
Compute = Callable[[Columns, NDArray[np.intp]], Any]
"""(columns, sector codes) to an array."""

FUNCTIONS: dict[str, Callable[[F64, NDArray[np.intp]], F64]] = {
    "log": lambda x, _: np.log(x),
    "abs": lambda x, _: np.abs(x),
    "rank": lambda x, _: cross.rank(x),
    "z": lambda x, _: cross.robust_z(x),
    "vs_sector": cross.minus_group_median,
    "sector_rank": cross.rank_in_group,
}
"""rank: place among all symbols, 0 to 1. z: robust deviations from their median. vs_sector: distance from the sector's
median. sector_rank: place in the sector, 0 to 1."""

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


@dataclass(frozen=True, slots=True)
class Expression:
    """What a text computes.

    Attributes
    ----------
    text
        As it was given.
    names
        The columns that it needs.
    is_cross_sectional
        True when a symbol's value depends on the other symbols.
    is_condition
        True when it yields true or false.
    """

    text: str
    names: tuple[str, ...]
    is_cross_sectional: bool
    is_condition: bool
    _compute: Compute

    def value(self, columns: Columns, sectors: NDArray[np.intp]) -> F64:
        """Return its value, float64 in the columns' shape; the last axis is the universe. Never infinite: NaN instead.

        Raises ``BadInput`` when the text is a condition.
        """
        if self.is_condition:
            raise BadInput(f"{self.text!r} is true or false: a value is needed here")
        with np.errstate(all="ignore"):  # what cannot be divided becomes NaN below
            found = np.asarray(self._compute(columns, sectors), np.float64)
        return self._spread(np.where(np.isfinite(found), found, np.nan), columns, sectors)

    def holds(self, columns: Columns, sectors: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return where the condition is known to be true: a symbol with a NaN among ``names`` never matches."""
        if not self.is_condition:
            raise BadInput(f"{self.text!r} is a number: a condition such as {self.text[:40]!r} > 0 is needed here")
        with np.errstate(all="ignore"):
            found = np.asarray(self._compute(columns, sectors), np.bool_)
        for name in self.names:
            found = found & ~np.isnan(columns[name])
        return self._spread(found, columns, sectors)

    def _spread(self, found: NDArray[Any], columns: Columns, sectors: NDArray[np.intp]) -> NDArray[Any]:
        """Return ``found`` in the columns' shape."""
        return np.broadcast_to(found, np.broadcast_shapes(sectors.shape, *(columns[name].shape for name in self.names)))


@lru_cache(maxsize=1024)
def parse(text: str) -> Expression:
    """Return the expression that ``text`` spells.

    Raises
    ------
    BadInput
        When it is too long, no expression, or uses anything but names, numbers, the operators and the functions.
    """
    if len(text) > MAX_CHARS:
        raise BadInput(f"an expression has at most {MAX_CHARS} characters, this one has {len(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadInput(f"{text!r} is no expression: {getattr(error, 'msg', error)}") from None
    nodes = list(ast.walk(tree))
    if len(nodes) > MAX_NODES:
        raise BadInput(f"{text[:40]!r}... has {len(nodes)} parts, at most {MAX_NODES} are read: split it up")
    called = [node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    names = [node.id for node in nodes if isinstance(node, ast.Name) and node.id not in called]
    compute = _compile(tree.body, text)
    if not names:
        raise BadInput(f"{text!r} names no column: it is the same for every symbol, so it tells nobody apart")
    return Expression(
        text=text,
        names=tuple(dict.fromkeys(names)),
        is_cross_sectional=bool(set(called) - set(OF_ONE)),
        is_condition=_is_condition(tree.body),
        _compute=compute,
    )


def _is_condition(node: ast.expr) -> bool:
    return isinstance(node, ast.BoolOp | ast.Compare) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )


def _compile(node: ast.expr, text: str) -> Compute:
    """Return the function of one node of the tree."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            constant = np.float64(number if abs(number) <= MAX_NUMBER else np.inf)
            return lambda _columns, _sectors: constant
        case ast.Name(id=name):
            return lambda columns, _sectors: columns[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _binary(_ARITHMETIC[type(op)], _number(left, text), _number(right, text))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _number(operand, text)
            return lambda columns, sectors: -inner(columns, sectors)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            condition = _condition(operand, text)
            return lambda columns, sectors: np.logical_not(condition(columns, sectors))
        case ast.BoolOp(op=op, values=values):
            join = np.logical_and if isinstance(op, ast.And) else np.logical_or
            parts = [_condition(value, text) for value in values]
            return lambda columns, sectors: reduce(join, [part(columns, sectors) for part in parts])
        case ast.Compare(left=left, ops=ops, comparators=rest) if all(type(op) in _COMPARE for op in ops):
            return _chain([_number(each, text) for each in (left, *rest)], [_COMPARE[type(op)] for op in ops])
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            function, inner = FUNCTIONS[name], _number(argument, text)
            if name not in OF_ONE and not any(isinstance(each, ast.Name) for each in _values(argument)):
                raise BadInput(
                    f"{ast.unparse(node)!r} in {text!r} compares every symbol with itself: name a column in it"
                )
            return lambda columns, sectors: function(inner(columns, sectors), sectors)
    part = ast.get_source_segment(text.strip(), node) or text
    known = "names, numbers, + - * /, < <= > >= == !=, and, or, not"
    raise BadInput(f"{part!r} in {text!r} cannot be used: an expression has {known}, {'(), '.join(FUNCTIONS)}()")


def _values(node: ast.expr) -> list[ast.AST]:
    """Return the parts of a node without the names of functions."""
    called = {id(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)}
    return [each for each in ast.walk(node) if id(each) not in called]


def _number(node: ast.expr, text: str) -> Compute:
    if _is_condition(node):
        raise BadInput(f"{ast.unparse(node)!r} in {text!r} is true or false, where a number is needed")
    return _compile(node, text)


def _condition(node: ast.expr, text: str) -> Compute:
    if not _is_condition(node):
        raise BadInput(f"{ast.unparse(node)!r} in {text!r} is a number, where a comparison is needed")
    return _compile(node, text)


def _binary(apply: Callable[[Any, Any], Any], left: Compute, right: Compute) -> Compute:
    return lambda columns, sectors: apply(left(columns, sectors), right(columns, sectors))


def _chain(sides: list[Compute], compares: list[Callable[[Any, Any], Any]]) -> Compute:
    def compute(columns: Columns, sectors: NDArray[np.intp]) -> Any:
        values = [side(columns, sectors) for side in sides]
        return reduce(np.logical_and, [c(a, b) for c, a, b in zip(compares, values, values[1:], strict=False)])

    return compute
