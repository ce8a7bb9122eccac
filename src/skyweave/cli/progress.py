"""Progress on stderr: one line per step with the elapsed time, and a sign of life in between."""

import sys
import threading
import time
from types import TracebackType

QUIET_S = 4.0  # a step that says nothing for so long is reported as still running


class Progress:
    """Call it with the name of each step; it prints from the first call on."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._spoken = self._started
        self._step = ""
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        if self._watcher.is_alive():
            self._watcher.join()

    def __call__(self, step: str) -> None:
        first, self._step = not self._step, step
        self._say(step)
        if first:
            self._watcher.start()

    def _say(self, text: str) -> None:
        self._spoken = time.monotonic()
        print(f"[{self._spoken - self._started:6.1f} s] {text}", file=sys.stderr, flush=True)

    def _watch(self) -> None:
        while not self._done.wait(0.5):
            if time.monotonic() - self._spoken >= QUIET_S:
                self._say(f"still {self._step}")
