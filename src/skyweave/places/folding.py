"""Folding: the one spelling under which differently written names of a place meet."""

import re
import unicodedata
from functools import lru_cache

# Letters that Unicode does not decompose into a Latin letter and a mark.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ə": "a"}
)
_SILENT = re.compile(r"['’‘`´ʼʻ]|(?<=\b\w)\.")  # apostrophes, and the dots of "D.C."
_WORD = re.compile(r"[^\W_]+")
_BRACKETED = re.compile(r"\(([^()]*)\)")
_BETWEEN_PARTS = re.compile(r"--|[,;/]")
_IN_FULL = {"st": "saint", "ste": "sainte", "mt": "mount", "ft": "fort"}


def fold(name: str) -> str:
    """Return a name in lower case, without accents, its words separated by single spaces.

    "Saint-Petersburg", "ST. PETERSBURG" and "saint petersburg" become the same.  Letters of other
    scripts stay.
    """
    bare = name.casefold()
    if not bare.isascii():
        letters = unicodedata.normalize("NFKD", bare)
        bare = "".join(c for c in letters if not unicodedata.combining(c)).translate(_LETTERS)
    words = _WORD.findall(_SILENT.sub("", bare))
    return " ".join(_IN_FULL.get(word, word) for word in words)


@lru_cache(maxsize=16384)
def forms(name: str) -> tuple[str, ...]:
    """Return the folded names that a written name gives: as a whole, and each of its parts.

    "Sankt-Peterburg-(Saint-Petersburg)" gives both names, "Washington--D.C." and "Washington,
    D.C." give "washington", and "New York City" gives "new york".
    """
    pieces = [_BRACKETED.sub(" ", name), *_BRACKETED.findall(name)]
    parts = [part for piece in pieces for part in (piece, *_BETWEEN_PARTS.split(piece))]
    folded = [fold(part) for part in parts]
    short = [form.removesuffix(" city") for form in folded]
    return tuple(form for form in dict.fromkeys((*folded, *short)) if form)
