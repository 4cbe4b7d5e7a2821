"""Reads from the source of the library every sentence that it can say, with ``{}`` for what is filled in.

Sentences are the first arguments of errors. What is filled in is followed as far as it is made of words: variables,
parameters (to what callers give), functions (to what they return) and tables of words. What is quoted is a name.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from masking import errors

SOURCE = Path(errors.__file__).parent
CODE = {"algorithm: hmac-sm3, "}  # words of a policy inside a sentence
RAISED = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}


def sentences() -> dict[str, str]:
    """Each sentence and each phrase that is filled into one, with a file that says it."""
    modules = [Module(path) for path in sorted(SOURCE.rglob("*.py"))]
    found = {}
    for module in modules:
        for text in module.said(modules):
            if re.search("[A-Za-z]", text.replace("{}", "")) and text not in CODE:
                found.setdefault(text, module.path.relative_to(SOURCE).as_posix())
    return found


class Module:
    """One module of the library."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.functions: dict[str, ast.FunctionDef] = {}
        self.calls: dict[str, list[ast.Call]] = defaultdict(list)
        self.fields: dict[str, list[ast.expr]] = defaultdict(list)
        self.inside: dict[ast.AST, ast.AST] = {}
        self.seen: set[ast.AST] = set()
        self.constants: dict[str, list[ast.expr]] = defaultdict(list)
        self._index(self.tree, self.tree)

    def _index(self, node: ast.AST, function: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            self.inside[child] = function
            if isinstance(child, ast.FunctionDef):
                self.functions[child.name] = child
            elif isinstance(child, ast.Call):
                self.calls[_name(child.func)].append(child)
            elif isinstance(child, ast.AnnAssign) and child.value and isinstance(node, ast.ClassDef | ast.Module):
                names = self.fields if isinstance(node, ast.ClassDef) else self.constants
                names[_name(child.target)].append(child.value)
            self._index(child, child if isinstance(child, ast.FunctionDef) else function)

    def said(self, modules: "list[Module]") -> Iterator[str]:
        """Sentences of errors; in ``errors`` itself also what is put around them."""
        own = self.path.name == "errors.py"
        for name in RAISED | ({"cls"} if own else set()):
            for call in self.calls[name]:
                for given in call.args[:1]:
                    yield from self.texts(given, modules)
        if own:
            for node in ast.walk(self.tree):
                if isinstance(node, ast.Return) and node.value is not None:
                    yield from self.texts(node.value, modules)

    def texts(self, node: ast.AST, modules: "list[Module]") -> Iterator[str]:
        """The texts that an expression may stand for, and those that are filled into them."""
        if node in self.seen:
            return
        self.seen.add(node)
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.JoinedStr(values=parts):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(between)), attr="join")):
                if between.strip(" ,;"):
                    yield "{}" + between + "{}"
        for inner, module in self._parts(node, modules):
            yield from module.texts(inner, modules)

    def _parts(self, node: ast.AST, modules: "list[Module]") -> "Iterator[tuple[ast.AST, Module]]":
        found: list[ast.expr] = []
        match node:
            case ast.JoinedStr(values=parts):
                found = [each.value for each in parts if isinstance(each, ast.FormattedValue) and each.conversion == -1]
            case ast.IfExp(body=body, orelse=other):
                found = [body, other]
            case ast.BoolOp(values=found):
                pass
            case ast.Name(id=name):
                found = [*_assigned(name, self.inside[node]), *self.constants[name]]
                yield from self._given(name, self.inside[node], modules)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):  # a single word is a name
                for module in modules:
                    yield from ((value, module) for value in module.fields[name] if " " in ast.unparse(value))
            case (
                ast.Subscript(value=ast.Name(id=name))
                | ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="get"))
            ):
                tables = [each for each in _assigned(name, self.tree) if isinstance(each, ast.Dict)]
                found = [value for table in tables for value in table.values]
            case ast.Call(func=ast.Attribute(value=inner, attr="format")):
                found = [inner]
            case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[made]):
                found = [made.elt if isinstance(made, ast.GeneratorExp) else made]
            case ast.Call(func=ast.Name(id=name)) if name in self.functions:
                returns = [each for each in ast.walk(self.functions[name]) if isinstance(each, ast.Return)]
                found = [each.value for each in returns if each.value is not None]
        yield from ((each, self) for each in found)

    def _given(self, name: str, function: ast.AST, modules: "list[Module]") -> "Iterator[tuple[ast.expr, Module]]":
        """What callers give for a parameter; a function with an underscore has callers in its own module only."""
        if not isinstance(function, ast.FunctionDef):
            return
        parameters = [each.arg for each in function.args.args if each.arg not in {"self", "cls"}]
        for module in [self] if function.name.startswith("_") else modules:
            for call in module.calls[function.name]:
                given = [*zip(parameters, call.args, strict=False), *((each.arg, each.value) for each in call.keywords)]
                yield from ((value, module) for parameter, value in given if parameter == name)


def _assigned(name: str, inside: ast.AST) -> Iterator[ast.expr]:
    """What is assigned or appended to a variable."""
    for node in ast.walk(inside):
        match node:
            case ast.Assign(targets=[target], value=value):
                yield from _paired(target, value, name)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                yield from _paired(target, value, name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=variable), attr="append"), args=[value]):
                if variable == name:
                    yield value


def _paired(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr]:
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for each, its in zip(target.elts, value.elts, strict=False):
            yield from _paired(each, its, name)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
