"""The validation page of the documentation: every row, its verdict, and why where it needs one."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence

import skyweave
from skyweave.validation.judge import Verdict

_HEAD = """\
# Published results

What others published, beside what Skyweave {version} computes for the same workload. `expected` and
`tolerance` are those of the table that ships with the package (`published_results.csv`; rows marked
"computed" there are independent recomputations, not publications). The page is made by
`skyweave validate --out docs/validation.md`; a row can be repeated alone:

```python
from skyweave.validation import validate

for result in validate(["CEL"]):
    print(result["id"], result["expected"], result["actual"], result["verdict"])
    assert result["verdict"] == "reproduced"
```

{counts}
"""
_COLUMNS = "| Id | What | Expected | Tolerance | Actual | Verdict |\n|---|---|---|---|---|---|"
_WORDS = {
    Verdict.REPRODUCED: "reproduced",
    Verdict.DIFFERS: "**differs**",
    Verdict.NOT_APPLICABLE: "not applicable",
}
_SPECIAL = re.compile(r"([\\`*_|\[\]#])")  # Markdown would take them for its own inside a cell


def as_markdown(outcomes: Sequence[Mapping[str, str]]) -> str:
    """Return the page for what `validate` returned: the same text on every machine and day."""
    head = _HEAD.format(version=skyweave.__version__, counts=_counts(outcomes))
    sources = dict.fromkeys(outcome["source"] for outcome in outcomes)
    return "\n".join([head, *(_section(source, outcomes) for source in sources)])


def _counts(outcomes: Sequence[Mapping[str, str]]) -> str:
    of = {verdict: [each for each in outcomes if each["verdict"] == verdict] for verdict in Verdict}
    reproduced, differing, aside = (len(of[verdict]) for verdict in Verdict)
    names = ", ".join(each["id"] for each in of[Verdict.DIFFERS])
    return (
        f"Of {len(outcomes)} rows {reproduced + differing} are judged here: **{reproduced} "
        f"reproduced, {differing} differ**{f' ({names})' if names else ''}. {aside} are not "
        "applicable, each for the reason given."
    )


def _section(source: str, outcomes: Sequence[Mapping[str, str]]) -> str:
    own = [outcome for outcome in outcomes if outcome["source"] == source]
    parts = [f"## {_plain(source)}", "\n".join([_COLUMNS, *map(_line, own)])]
    notes = "\n".join(_notes(own))
    return "\n\n".join([*parts, notes] if notes else parts) + "\n"


def _notes(outcomes: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield each note once, after the ids that it belongs to."""
    for note in dict.fromkeys(outcome["note"] for outcome in outcomes if outcome["note"]):
        ids = ", ".join(outcome["id"] for outcome in outcomes if outcome["note"] == note)
        yield f"- {ids}: {_plain(note)}"


def _line(outcome: Mapping[str, str]) -> str:
    place = "" if outcome["where"] in ("", "-") else f" ({outcome['where']})"
    what = f"{outcome['quantity']}{place}; {outcome['workload']}"
    cells = (
        outcome["id"],
        _plain(what),
        _plain(f"{outcome['expected']} {outcome['unit']}"),
        _plain(outcome["tolerance"]),
        _plain(outcome["actual"]) or "-",
        _WORDS[Verdict(outcome["verdict"])],
    )
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Return text that Markdown renders as it stands, by GitHub's rules and by MkDocs'."""
    escaped = _SPECIAL.sub(r"\\\1", html.escape(text, quote=False))
    return escaped.replace("~", "&#126;")
