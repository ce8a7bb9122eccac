"""Small pieces of HTML for the report; every argument is markup already."""

import re
from collections.abc import Iterable, Sequence

from skyweave.twin.results.wording import percent


def table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, is_wide: bool = False
) -> str:
    """A table of finished cells.  A wide one turns into cards on a phone, each cell labelled."""
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    body = "\n".join(_row(heads, cells, is_labelled=is_wide) for cells in rows)
    kind = ' class="wide"' if is_wide else ""
    return (
        f"<table{kind}>\n<caption>{caption}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    )


def share_cell(share: float) -> str:
    """A share as a figure with a bar below it, without one where it is nothing."""
    bar = f'<span class="bar" style="width:{100.0 * share:.1f}%"></span>' if share > 0 else ""
    return f"<td>{percent(share)}{bar}</td>"


def figure(title: str, caption: str, image: str) -> str:
    """A picture, `image` being base64 of a PNG, under its heading."""
    return f"""<h2>{title}</h2>
<figure><img alt="{title}. {caption}" src="data:image/png;base64,{image}">
<figcaption>{caption}</figcaption></figure>"""


def cards(items: Iterable[str]) -> str:
    """Key figures side by side."""
    return f'<ul class="figures">\n{chr(10).join(items)}\n</ul>'


def card(figure: str, text: str, is_risk: bool = False) -> str:
    """One key figure with what it means below it."""
    kind = ' class="risk"' if is_risk else ""
    return f"<li{kind}><strong>{figure}</strong><span>{text}</span></li>"


def change_card(before: str, now: str, text: str, is_risk: bool = False) -> str:
    """A key figure before and now, once where it is the same."""
    if before == now:
        return card(now, text)
    arrow = '<span class="arrow">→</span>'
    return card(f'<span class="change">{before} {arrow} {now}</span>', text, is_risk)


def _row(heads: Sequence[str], cells: Sequence[str], *, is_labelled: bool) -> str:
    if is_labelled:
        cells = [
            re.sub("^<td", f'<td data-label="{head}"', cell)
            for head, cell in zip(heads, cells, strict=True)
        ]
    return f"<tr>{''.join(cells)}</tr>"
