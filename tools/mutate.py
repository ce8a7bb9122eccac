"""Break modules on purpose, one spot at a time, and count how many of the breaks a test notices.

    python tools/mutate.py [--seconds N] [--every N] MODULE=TEST[,TEST] ...

For example skyweave.policy.threshold=tests/policy/test_threshold.py.  Each mutant is the module
with one comparison, constant, operator, condition or returned value changed; it is killed when its
tests fail.  The source stays as it is: a mutant is written to a folder that Python finds first.
Ends with 1 where less than 85 % are killed.
"""

import argparse
import ast
import copy
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENOUGH = 0.85
TEST_TIMEOUT_S = 120.0

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


def is_killed(module: str, source: str, tests: list[str]) -> bool:
    """Return whether the tests fail with a module replaced by this source."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, *module.split(".")).with_suffix(".py")
        package = ROOT / "src" / module.split(".")[0]
        shutil.copytree(package, Path(folder, package.name), ignore=_ignore, symlinks=True)
        path.write_text(source, encoding="utf-8")
        environment = os.environ | {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        try:
            outcome = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, timeout=TEST_TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            return True
    return outcome.returncode != 0


def _ignore(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name in ("__pycache__", "web")]


def main() -> int:
    parser = argparse.ArgumentParser(description="Count the mutants that tests kill.")
    parser.add_argument("--seconds", type=float, default=3_600.0, help="stop after so long")
    parser.add_argument("--every", type=int, default=1, help="try only each n-th mutant")
    parser.add_argument("pairs", nargs="+", metavar="MODULE=TEST[,TEST]")
    asked = parser.parse_args()
    ends = time.monotonic() + asked.seconds
    enough = True
    for pair in asked.pairs:
        module, tests = pair.split("=")
        source = Path(ROOT, "src", *module.split(".")).with_suffix(".py").read_text("utf-8")
        if is_killed(module, source, tests.split(",")):
            print(f"{module}: its tests fail before anything is broken; mend them first")
            return 1
        killed = tried = 0
        for line, what, broken in list(mutants(source))[:: asked.every]:
            if time.monotonic() > ends:
                print(f"{module}: time is up; the rest is not tried")
                break
            tried += 1
            if is_killed(module, broken, tests.split(",")):
                killed += 1
            else:
                print(f"  survived: line {line}: {what}", flush=True)
        enough &= tried > 0 and killed >= ENOUGH * tried
        share = killed / max(1, tried)
        print(f"{module}: {killed} of {tried} mutants killed, {share:.1%}", flush=True)
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
