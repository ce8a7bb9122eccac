"""The validation page of the documentation: every row, its verdict, and why where it needs one."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import skyweave
from skyweave.validation.judge import Verdict

_HEAD = """\
# Published results

What others published, beside what Skyweave {version} computes for the same workload. `expected` and
`tolerance` are those of the table that ships with the package (`published_results.csv`; rows marked
"computed" there are independent recomputations, not publications). The page is made by
`tools/validation_page.py`; a row can be repeated alone:

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
# What Markdown or HTML would take for its own inside a cell.
_SPECIAL = re.compile(r"([\\`*_|<>\[\]~#])")


def as_markdown(outcomes: Sequence[Mapping[str, str]]) -> str:
    """Return the page for what `validate` returned: the same text on every machine and day."""
    head = _HEAD.format(version=skyweave.__version__, counts=_counts(outcomes))
    sources = dict.fromkeys(outcome["source"] for outcome in outcomes)
    return "\n".join([head, *(_section(source, outcomes) for source in sources)])


def _counts(outcomes: Sequence[Mapping[str, str]]) -> str:
    counts = Counter(outcome["verdict"] for outcome in outcomes)
    judged = counts[Verdict.REPRODUCED] + counts[Verdict.DIFFERS]
    return (
        f"Of {len(outcomes)} rows {judged} are judged here: **{counts[Verdict.REPRODUCED]} "
        f"reproduced, {counts[Verdict.DIFFERS]} differ**; {counts[Verdict.NOT_APPLICABLE]} are not "
        "applicable, each for the reason given."
    )


def _section(source: str, outcomes: Sequence[Mapping[str, str]]) -> str:
    own = [outcome for outcome in outcomes if outcome["source"] == source]
    notes = [f"- {each['id']}: {_plain(each['note'])}" for each in own if each["note"]]
    parts = [f"## {_plain(source)}", "\n".join([_COLUMNS, *map(_line, own)])]
    return "\n\n".join([*parts, *(["\n".join(notes)] if notes else [])]) + "\n"


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
    return _SPECIAL.sub(r"\\\1", text)
