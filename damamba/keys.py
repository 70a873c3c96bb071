"""The version of code: a hash of its syntax trees, never a number that somebody must remember to raise."""

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

OURS = frozenset({"damamba", "damamba_sim"})
"""Top-level packages whose code is hashed; libraries are not."""
HARMLESS = {
    "damamba": "documentation and the version number",
    "damamba.config": "names and ranges of parameters; every key hashes their values",
    "damamba.console": "messages and progress",
    "damamba.corpus.manifest": "names and paths; every key hashes the values that an extractor reads",
    "damamba.device": "chooses the device; the machine is no part of a key",
    "damamba.encoders.licences": "licences, for the log",
    "damamba.files": "puts bytes on the disk without changing them",
    "damamba.keys": "a new way to compute keys changes them by itself",
    "damamba.plugins": "finds modules by name; the caller hashes the module that it finds",
}
"""Modules that change no output, and why: they are not hashed, nor is what they import."""


def source_digest(*modules: str) -> str:
    """Hash of the code of `modules` and of all modules of ours that they import, directly or not.

    Ours are damamba, damamba_sim and the top-level packages of `modules`. Imports inside functions count, and so do
    the packages around a module, whose ``__init__`` Python runs first. Comments, docstrings, formatting and imports
    for type checkers do not count.

    Args:
        modules: Dotted paths.

    Raises:
        ModuleNotFoundError: One of `modules` does not exist.
    """
    packages = OURS | {name.partition(".")[0] for name in modules}
    code: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in code or name in HARMLESS or name.partition(".")[0] not in packages:
            continue
        spec = _spec(name)
        if spec is None:
            if name in modules:
                raise ModuleNotFoundError(f"no module {name}", name=name)
            continue
        tree = _code_of(spec)
        code[name] = repr(_plain(tree))
        waiting += [name.rpartition(".")[0] or name, *_imports(tree, spec.parent or "")]
    digest = hashlib.sha256()
    for name in sorted(code):
        digest.update(f"{name}\n{code[name]}\n".encode())
    return digest.hexdigest()


def package_digest() -> str:
    """Of all Python files of the installed package: 12 hexadecimal digits."""
    root = Path(__file__).parent
    whole = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        if "template" not in path.relative_to(root).parts:  # copies of the stages
            whole.update(path.relative_to(root).as_posix().encode())
            whole.update(path.read_bytes())
    return whole.hexdigest()[:12]


def _spec(name: str) -> ModuleSpec | None:
    """Where a module is; None where there is none, or where `name` is a name inside a module.

    Python imports the parent to look for a module: only packages, whose ``__init__`` are light, are looked into.
    """
    parent = name.rpartition(".")[0]
    if parent:
        around = _spec(parent)
        if around is None or around.submodule_search_locations is None:
            return None
    return importlib.util.find_spec(name)


def _code_of(spec: ModuleSpec) -> ast.Module:
    """Syntax tree without docstrings and without what only type checkers read."""
    if not spec.has_location or spec.origin is None:  # a folder without __init__.py
        return ast.Module([], [])
    return _Strip().visit(ast.parse(Path(spec.origin).read_bytes()))


class _Strip(ast.NodeTransformer):
    """Removes strings that stand alone (docstrings of modules, classes, functions, fields) and TYPE_CHECKING blocks."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node

    def visit_If(self, node: ast.If) -> ast.AST:
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            node.body = []
        return self.generic_visit(node)


def _plain(node: object) -> object:
    """A syntax tree as nested tuples and lists, without positions.

    `ast.dump` would do, but it writes empty fields in some versions of Python and leaves them out in others.
    """
    if isinstance(node, ast.AST):
        fields = [(name, _plain(value)) for name, value in ast.iter_fields(node) if value is not None and value != []]
        return type(node).__name__, fields
    return [_plain(item) for item in node] if isinstance(node, list) else node


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """Dotted names of everything that a module of `package` imports; some are names inside modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
