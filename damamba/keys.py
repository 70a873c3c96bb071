"""The version of code: a hash of its sources, never a number bumped by hand."""

import ast
import hashlib
import importlib.util
from pathlib import Path

HARMLESS = {"damamba", "damamba.config", "damamba.console", "damamba.corpus.manifest"}
"""Sources that shape no row: messages, names of parameters and of people; the values are hashed by themselves."""


def source_digest(module: str) -> str:
    """Hash of a module of ours and of all modules of ours that it imports, by their sources."""
    seen: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen or name in HARMLESS:
            continue
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        seen[name] = source = Path(spec.origin).read_bytes()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "damamba":
                waiting += [
                    node.module,
                    *(f"{node.module}.{alias.name}" for alias in node.names if _is_module(node.module, alias.name)),
                ]
            elif isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names if alias.name.split(".")[0] == "damamba"]
    digest = hashlib.sha256()
    for name in sorted(seen):
        digest.update(f"{name}\n".encode() + seen[name])
    return digest.hexdigest()


def _is_module(package: str, name: str) -> bool:
    spec = importlib.util.find_spec(package)
    return bool(spec and spec.submodule_search_locations) and importlib.util.find_spec(f"{package}.{name}") is not None
