"""The mutants of one source file: small changes of comparisons, conditions, refusals, constants and calls."""

from __future__ import annotations

import ast
import contextlib
import io
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

COMPARISONS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "in": "not in", "not in": "in", "is": "is not",
    "is not": "is",
}  # fmt: skip
SWAPS = {"and": "or", "or": "and", "+": "-", "-": "+", "+=": "-=", "-=": "+=", "min": "max", "max": "min"}
SKIPPED_FIELDS = {"annotation", "returns", "decorator_list"}
LOGGERS = {"log", "logger", "logging", "warnings"}

Edit = tuple[str, int, int, str]
"""Operator, first byte, byte after the last, replacement."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file. `lines` are those of the changed statement's header; a test that executes one of them may kill it."""

    path: str
    function: str
    operator: str
    line: int
    lines: range
    before: str
    after: str
    data: bytes

    @property
    def key(self) -> str:
        """Its name in the list of equivalent mutants; holds no line number, so that it survives other edits."""
        return f"{self.path}:{self.function}:{self.operator}:{self.before}"


class Source:
    """One file's bytes, tokens and syntax tree; positions are byte offsets. Yields the file's mutants."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path, self.data = path, data
        lines = data.splitlines(keepends=True)
        self._starts = [0]
        for line in lines:
            self._starts.append(self._starts[-1] + len(line))
        self._tokens = [
            (self._starts[token.start[0] - 1] + len(token.line[: token.start[1]].encode()), token.string)
            for token in tokenize.tokenize(io.BytesIO(data).readline)
            if token.type in (tokenize.NAME, tokenize.OP) and token.start[0] == token.end[0]
        ]

    def mutants(self) -> list[Mutant]:
        """All mutants, in the order of the source. Where two have the same key, the later one's operator gets a number."""
        made, seen = [], Counter[str]()
        for function, lines, (operator, start, end, text) in self._walk(ast.parse(self.data), "<module>", range(0)):
            data = self.data[:start] + text.encode() + self.data[end:]
            with contextlib.suppress(SyntaxError):
                compile(data, self.path, "exec", dont_inherit=True)
                line = self.data.count(b"\n", 0, start)
                before, after = (one.splitlines()[line].decode().strip() for one in (self.data, data))
                mutant = Mutant(self.path, function, operator, line + 1, lines, before, after, data)
                seen[mutant.key] += 1
                number = seen[mutant.key]
                made.append(mutant if number == 1 else replace(mutant, operator=f"{operator} #{number}"))
        return sorted(made, key=lambda mutant: mutant.line)

    def _walk(self, node: ast.AST, function: str, lines: range) -> Iterator[tuple[str, range, Edit]]:
        if _is_skipped(node):
            return
        if isinstance(node, ast.stmt):
            lines = _header(node)
            yield from ((function, lines, edit) for edit in self._statement(node))
        elif isinstance(node, ast.expr):
            yield from ((function, lines, edit) for edit in self._expression(node))
        inner = function
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = node.name if function == "<module>" else f"{function}.{node.name}"
        for field, value in ast.iter_fields(node):
            if field not in SKIPPED_FIELDS:
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        yield from self._walk(child, inner, lines)

    def _statement(self, node: ast.stmt) -> Iterator[Edit]:
        match node:
            case ast.If(test=test, body=[*_, ast.Raise() | ast.Return() | ast.Continue() | ast.Break()]):
                yield ("if to False", *self._span(test), "False")
                yield ("if to True", *self._span(test), "True")
            case ast.Raise():
                yield ("raise removed", *self._span(node), "pass")
            case ast.Expr(value=ast.Call() | ast.Await(value=ast.Call())):
                yield ("call removed", *self._span(node), "pass")
            case ast.Return(value=ast.Constant(value=bool() as value) as constant):
                yield (f"return {value} to {not value}", *self._span(constant), str(not value))
            case ast.AugAssign(op=ast.Add() | ast.Sub()):
                yield from self._operator(node.target, node.value, SWAPS)

    def _expression(self, node: ast.expr) -> Iterator[Edit]:
        match node:
            case ast.Compare():
                for left, right in zip([node.left, *node.comparators], node.comparators, strict=False):
                    yield from self._operator(left, right, COMPARISONS)
            case ast.BoolOp():
                for left, right in zip(node.values, node.values[1:], strict=False):
                    yield from self._operator(left, right, SWAPS)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                yield from self._operator(node.left, node.right, SWAPS)
            case ast.UnaryOp(op=ast.Not()):
                start = self._span(node)[0]
                yield "not removed", start, start + len("not"), ""
            case ast.Call(func=ast.Name(id="min" | "max" as name) as called):
                yield (f"{name} to {SWAPS[name]}", *self._span(called), SWAPS[name])
            case ast.Constant(value=int() as value) if not isinstance(value, bool):
                for other in (value + 1, value - 1):
                    yield (f"{value} to {other}", *self._span(node), str(other) if other >= 0 else f"({other})")

    def _operator(self, left: ast.expr, right: ast.expr, swaps: dict[str, str]) -> Iterator[Edit]:
        """The operator between two operands, as the syntax tree has no position of it."""
        low, high = self._span(left)[1], self._span(right)[0]
        found = [(start, text) for start, text in self._tokens if low <= start < high and text not in "()"]
        operator = " ".join(text for _, text in found)
        if operator in swaps:
            yield f"{operator} to {swaps[operator]}", found[0][0], found[-1][0] + len(found[-1][1]), swaps[operator]

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.lineno - 1] + node.col_offset, self._starts[node.end_lineno - 1] + node.end_col_offset


def _is_skipped(node: ast.AST) -> bool:
    """Messages (before Python 3.12 the positions inside an f-string are wrong, too), logging, imports for types, declarations."""
    match node:
        case ast.JoinedStr() | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return name in LOGGERS
        case (
            ast.FunctionDef(body=[*_, ast.Expr(value=ast.Constant())])
            | ast.AsyncFunctionDef(body=[*_, ast.Expr(value=ast.Constant())])
        ):
            return len(node.body) <= 2  # a docstring or `...`: a method of a protocol
    return False


def _header(node: ast.stmt) -> range:
    """The lines of a statement without the statements in it."""
    inner = node.cases[0].pattern if isinstance(node, ast.Match) else next(iter(getattr(node, "body", [])), None)
    end = inner.lineno - 1 if inner else node.end_lineno or node.lineno
    start = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
    return range(start, max(end, node.lineno) + 1)
