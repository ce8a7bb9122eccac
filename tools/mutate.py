"""Break modules on purpose, one spot at a time, and count how many of the breaks a test notices.

    python tools/mutate.py [--every N] [--offset N] [--json] MODULE=TEST[,TEST] ...

For example skyweave.policy.threshold=tests/policy/test_threshold.py.  Each mutant is the module
with one comparison, constant, operator, condition or returned value changed; it is killed when its
tests fail, or take ten times as long as they should.  `--every 5` tries each fifth mutant, counted
through all modules.  The source stays as it is: this process loads the libraries once and forks for
each mutant a child that finds the broken module in memory.
Ends with 1 where less than 85 % of all are killed.
"""

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
ENOUGH = 0.85
LEAST_TIMEOUT_S = 10.0
TIMEOUT_RATIO = 10.0  # of the time that the unbroken module's tests take
MAX_MEMORY_BYTES = 8 * 2**30
LIBRARIES = ("numpy", "h3.api.numpy_int", "shapely", "pydantic", "cryptography.hazmat.primitives")

Change = Callable[[], None]

_OTHER = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.And: ast.Or, ast.Or: ast.And,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_NEIGHBOUR = {"min": "max", "max": "min", "any": "all", "all": "any"}


def changes(tree: ast.AST) -> Iterator[tuple[int, str, Change]]:
    """Yield line, description and doing of each change that can be made to a tree."""
    for node in ast.walk(tree):
        for what, change in _changes_of(node):
            yield getattr(node, "lineno", 0), what, change


def _changes_of(node: ast.AST) -> Iterator[tuple[str, Change]]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OTHER:
        new = _OTHER[type(node.ops[0])]
        yield f"comparison to {new.__name__}", lambda: node.ops.__setitem__(0, new())
    if isinstance(node, ast.BoolOp | ast.BinOp | ast.AugAssign) and _computes(node):
        other = _OTHER[type(node.op)]
        yield f"operator to {other.__name__}", lambda: setattr(node, "op", other())
    if isinstance(node, ast.If | ast.IfExp):
        yield "condition negated", lambda: setattr(node, "test", _not(node.test))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
        yield "negation dropped", lambda: setattr(node, "op", ast.UAdd())
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        value = not node.value if isinstance(node.value, bool) else node.value + 1
        yield f"{node.value} to {value}", lambda: setattr(node, "value", value)
    if isinstance(node, ast.Return) and ast.unparse(node) not in ("return", "return None"):
        yield "None returned", lambda: setattr(node, "value", ast.Constant(None))
    if isinstance(node, ast.Name) and node.id in _NEIGHBOUR:
        yield (
            f"{node.id} to {_NEIGHBOUR[node.id]}",
            lambda: setattr(node, "id", _NEIGHBOUR[node.id]),
        )


def _not(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(op=ast.Not(), operand=test)


def _computes(node: ast.BoolOp | ast.BinOp | ast.AugAssign) -> bool:
    """Return whether an operator has another, and does not join types, as in `int | None`."""
    joins_types = isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)
    return type(node.op) in _OTHER and not joins_types


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, description and source of each mutant."""
    tree = _without_hints(ast.parse(source))
    for n in range(sum(1 for _ in changes(tree))):
        broken = copy.deepcopy(tree)
        line, what, change = list(changes(broken))[n]
        change()
        yield line, what, ast.unparse(ast.fix_missing_locations(broken))


def _without_hints(tree: ast.Module) -> ast.Module:
    """Return a tree without annotations of functions, which no test could tell apart."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in (*node.args.args, *node.args.kwonlyargs):
                argument.annotation = None
    return tree


class _InMemory(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module of the package as a source that is held in memory."""

    def __init__(self, module: str, source: str) -> None:
        self.module, self.source = module, source

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self.module else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.source, f"<mutant of {self.module}>", "exec"), module.__dict__)


def passes(module: str, source: str, tests: list[str], timeout_s: float) -> bool:
    """Return whether the tests pass, in time, with a module replaced by this source."""
    child = os.fork()
    if not child:
        _test_and_exit(module, source, tests)
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _test_and_exit(module: str, source: str, tests: list[str]) -> None:
    """Run the tests in this process, a child with a group of its own, and end it."""
    code = 1
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        sys.meta_path.insert(0, _InMemory(module, source))
        code = int(pytest.main(["-q", "-x", "--tb=no", "-p", "no:cacheprovider", *tests]))
    finally:
        os._exit(code)


def count_killed(
    pairs: dict[str, list[str]], every: int, offset: int
) -> Iterator[tuple[str, int, int, list[str]]]:
    """Yield each module with how many of its mutants were killed and tried, and who survived."""
    number = -1
    for module, tests in pairs.items():
        source = Path(ROOT, "src", *module.split(".")).with_suffix(".py").read_text("utf-8")
        started = time.monotonic()
        if not passes(module, source, tests, timeout_s=600.0):
            raise SystemExit(f"{module}: its tests fail before anything is broken; mend them first")
        timeout_s = max(LEAST_TIMEOUT_S, TIMEOUT_RATIO * (time.monotonic() - started))
        tried, survived = 0, []
        for line, what, broken in mutants(source):
            number += 1
            if number % every == offset:
                tried += 1
                if passes(module, broken, tests, timeout_s):
                    survived.append(f"line {line}: {what}")
        yield module, tried - len(survived), tried, survived


def main() -> int:
    parser = argparse.ArgumentParser(description="Count the mutants that tests kill.")
    parser.add_argument("--every", type=int, default=1, help="try only each n-th mutant")
    parser.add_argument("--offset", type=int, default=0, help="begin with this one, from 0")
    parser.add_argument("--json", action="store_true", help="print one JSON document at the end")
    parser.add_argument("pairs", nargs="+", metavar="MODULE=TEST[,TEST]")
    asked = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT / "src"))
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # a third of the start of each run
    for name in ("SKYWEAVE_FULL", "SKYWEAVE_FIGURES"):
        os.environ.pop(name, None)
    for library in LIBRARIES:
        importlib.import_module(library)
    pairs = dict(pair.split("=") for pair in asked.pairs)
    found = {}
    each = count_killed({m: t.split(",") for m, t in pairs.items()}, asked.every, asked.offset)
    for module, killed, tried, survived in each:
        found[module] = {"killed": killed, "tried": tried, "survived": survived}
        if not asked.json:
            print(f"{module}: {killed} of {tried} mutants killed", flush=True)
            print(*(f"  survived: {who}\n" for who in survived), sep="", end="", flush=True)
    if asked.json:
        print(json.dumps(found))
    killed, tried = (sum(each[key] for each in found.values()) for key in ("killed", "tried"))
    return 0 if killed >= ENOUGH * tried > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
