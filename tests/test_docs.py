"""The README and the documentation are executed: every Python block, every shell command shown.

A ```python block runs as it stands.  In a ```console block each line beginning with `$ ` is run,
and the lines below it must appear in its output in order; `...` stands for anything.  A block with
a title, ```toml title="mine.toml", is a file that the reader saves under that name.  Blocks of
one page run in order, in one folder, after a `skyweave demo` whose run lies there as `demo`.
A command that is refused on purpose is followed by `$ echo $?` and its exit status.

A plain `skyweave` command runs in this process, which has the kernels loaded; anything with more
shell in it runs in a shell.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from skyweave.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r'^```(?:(python|console)|\w+ title="([\w.-]+)")\n(.*?)^```$', re.MULTILINE | re.DOTALL
)
MORE_SHELL = re.compile(r"[|&;<>$*?`\\]|--workers")  # spawned workers need a process of their own
ASK_STATUS = "echo $?"
SET_UP = ("git clone", "cd ", "make ")  # shown to a newcomer; the proof of a fresh clone runs them


def blocks(page):
    return BLOCK.findall(page.read_text(encoding="utf-8"))


EXECUTED = [page for page in PAGES if blocks(page)]


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory):
    """A working folder as the tutorial's reader has it: the scenarios, and the demo's run."""
    folder = tmp_path_factory.mktemp("reader")
    for name in ("scenarios", "examples"):
        (folder / name).symlink_to(ROOT / name)
    _run("skyweave demo --json", folder)
    return folder


@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_s_examples_run_and_say_what_the_page_says(page, demo_folder):
    for language, file_name, text in blocks(page):
        if file_name:
            (demo_folder / file_name).write_text(text, encoding="utf-8")
        elif language == "python":
            _run(f"{sys.executable} -W error -", demo_folder, stdin=text)
        else:
            for command, shown, status in _commands(text):
                output = _run(command, demo_folder, status=status)
                _assert_shown(shown, output, command)


def _commands(text):
    """Yield each command of a console block, the output lines shown below it, its exit status."""
    text = re.sub(r" *\\\n *", " ", text)  # a command may go on in the next line
    parts = [part.partition("\n") for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]]
    for (command, _, shown), following in zip(parts, [*parts[1:], ("", "", "")], strict=True):
        if not command.startswith((*SET_UP, ASK_STATUS)):
            status = int(following[2]) if following[0] == ASK_STATUS else 0
            yield command, [line.strip() for line in shown.splitlines() if line.strip()], status


def _run(command, folder, stdin=None, status=0):
    if command.startswith("skyweave ") and not MORE_SHELL.search(command):
        code, out, err = _run_here(shlex.split(command), folder)
    else:
        code, out, err = _run_in_shell(command, folder, stdin)
    assert code == status, f"{command}\n{out}\n{err}"
    return out + err if status else out


def _run_here(words, folder):
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        patch.object(sys, "argv", words),
        patch.dict(os.environ, {"COLUMNS": "120"}),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    return code, out.getvalue(), err.getvalue()


def _run_in_shell(command, folder, stdin):
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, shell=True, cwd=folder, input=stdin, capture_output=True, text=True,
        env=os.environ | {"PATH": scripts, "COLUMNS": "120"},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def _assert_shown(shown, output, command):
    place, words = 0, " ".join(output.split())
    for line in shown:
        for piece in (" ".join(p.split()) for p in line.split("...")):
            found = words.find(piece, place)
            assert found >= 0, (
                f"$ {command}\ndoes not print {piece!r} (in order); it prints\n{output}"
            )
            place = found + len(piece)


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.name)
def test_an_example_runs_and_its_assertions_hold(example, demo_folder):
    _run(f"{sys.executable} -W error examples/{example.name}", demo_folder)


def test_every_link_between_pages_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
