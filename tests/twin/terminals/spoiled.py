"""Files that are nearly right: what fuzzing feeds to the readers of fleets and tracks."""

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from skyweave.errors import InputError

LONGEST_ADVICE = 300  # characters


def spoiled(good: Sequence[str], fragments: Sequence[str]) -> st.SearchStrategy[bytes]:
    """Return good files with up to three pieces overwritten by fragments, and plain random bytes.

    One draw of bytes scripts a file (which one, then place, length and fragment of each edit): it
    is ten times faster than drawing each choice, and it still shrinks.
    """

    def content(script: bytes) -> bytes:
        if not script:
            return b""
        text = good[script[0] % len(good)]
        for place, length, fragment in zip(*[iter(script[1:])] * 3, strict=False):
            start = place % (len(text) + 1)
            text = text[:start] + fragments[fragment % len(fragments)] + text[start + length % 4 :]
        return text.encode("utf-8", "surrogateescape")

    scripts = st.binary(max_size=10).map(content)
    return scripts | scripts | scripts | st.binary(max_size=60)


def read_or_refused(parse: Callable, content: bytes, source: str):
    """Return what a reader makes of a content; None when it refused it with one line of advice."""
    try:
        return parse(content, source)
    except InputError as error:
        text = str(error)
    assert text.startswith(f"{source}: ")
    assert len(text.splitlines()) == 1, text
    assert len(text) <= LONGEST_ADVICE, text
    return None
