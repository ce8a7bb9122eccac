"""Names: how a place is recognised whatever way it is written, and how ids are made of names.

A site answers to its own id, name or alias, by parts and transliterations; then GeoNames decides,
the most populous city of a name first.
"""

import difflib
import math
import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass

from skyweave.errors import InputError
from skyweave.places.cities import all_cities, cities_called, is_city_name, names_of
from skyweave.places.folding import fold, forms

MAX_SLUG = 100  # characters of an id
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LARGE = 2000  # cities looked through for near matches
_SHOWN = 5  # candidates named in an error


@dataclass(frozen=True)
class Place:
    """What a name stands for: one of the scenario's own places, or a city of GeoNames."""

    name: str
    own: int = -1  # row in the scenario's own list; -1 for a city of GeoNames
    country: str = ""  # ISO 3166-1 alpha-2 of a city; the scenario knows that of its own places
    lat_deg: float = math.nan  # of a city, as above
    lon_deg: float = math.nan


def resolve_place(query: str, own: Sequence[tuple[str, Sequence[str]]] = ()) -> Place:
    """Return the place a name stands for, asking the scenario before the gazetteer.

    `own` lists the scenario's places as (name, aliases), an id counting as an alias.  The first
    rule that any of them meets decides: as written; with case, accents and hyphens folded; a part
    of the name ("Sankt-Peterburg-(Saint-Petersburg)" answers to "Saint Petersburg"); a town in
    it ("New-York-Newark" answers to "New York"); another name of the same town ("Moskva"
    answers to "Moscow"); its first words ("Rio-de-Janeiro" answers to "Rio").  Several places
    meeting a rule are refused with their names.
    """
    if not fold(query):
        raise InputError(f'"{query[:60]}" is no name of a place; give a site, an id or a city')
    for answers in _RULES:
        rows = _rows(own, answers, query)
        if len(rows) > 1:
            raise InputError(_ambiguous(query, [own[row][0] for row in rows]))
        if rows:
            return Place(own[rows[0]][0], rows[0])
    return _city(query, own)


def make_slug(name: str, taken: Container[str] = ()) -> str:
    """Return an id of letters a-z, digits and hyphens made of a name, different from all `taken`.

    A name without a Latin letter or digit becomes "place".
    """
    latin = re.sub(r"[^a-z0-9]+", "-", fold(name)).strip("-")
    slug = latin[: MAX_SLUG - 10].rstrip("-") or "place"
    number, unique = 2, slug
    while unique in taken:
        unique, number = f"{slug}-{number}", number + 1
    return unique


def is_slug(text: str) -> bool:
    """True for an id: at most MAX_SLUG of a-z, 0-9 and single hyphens between them."""
    return len(text) <= MAX_SLUG and _SLUG.fullmatch(text) is not None


_Rule = Callable[[str, str], bool]  # (query, a name of a place) -> does the place answer?


def _rows(own: Sequence[tuple[str, Sequence[str]]], answers: _Rule, query: str) -> list[int]:
    return [
        row
        for row, (name, aliases) in enumerate(own)
        if any(answers(query, known) for known in (name, *aliases))
    ]


def _as_written(query: str, name: str) -> bool:
    return query.strip() == name.strip()


def _folded(query: str, name: str) -> bool:
    return fold(query) == fold(name)


def _by_form(query: str, name: str) -> bool:
    return fold(query) in forms(name)


def _by_town(query: str, name: str) -> bool:
    wanted = fold(query).split()
    return any(wanted in _runs(_towns(form)) for form in forms(name))


def _by_other_name(query: str, name: str) -> bool:
    meant = cities_called(fold(query))[:1]
    names = names_of(*meant) if meant else frozenset()
    return any(form in names and cities_called(form)[:1] == meant for form in forms(name))


def _by_beginning(query: str, name: str) -> bool:
    return any(f"{form} ".startswith(f"{fold(query)} ") for form in forms(name))


_RULES: tuple[_Rule, ...] = (
    _as_written,
    _folded,
    _by_form,
    _by_town,
    _by_other_name,
    _by_beginning,
)


def _towns(form: str) -> list[list[str]]:
    """Split the words of a name into the towns it lists: [["new", "york"], ["newark"]]."""
    words, towns = form.split(), []
    while words:
        most = next((n for n in range(len(words), 1, -1) if is_city_name(" ".join(words[:n]))), 1)
        towns.append(words[:most])
        words = words[most:]
    return towns


def _runs(towns: list[list[str]]) -> Iterator[list[str]]:
    for first in range(len(towns)):
        for last in range(first, len(towns)):
            yield [word for town in towns[first : last + 1] for word in town]


def _city(query: str, own: Sequence[tuple[str, Sequence[str]]]) -> Place:
    rows = cities_called(fold(query))
    if not rows:
        raise InputError(_unknown(query, [name for name, _ in own]))
    cities, row = all_cities(), rows[0]
    return Place(
        name=str(cities.name[row]),
        country=str(cities.country[row]),
        lat_deg=float(cities.lat_deg[row]),
        lon_deg=float(cities.lon_deg[row]),
    )


def _ambiguous(query: str, names: list[str]) -> str:
    return f'"{query[:60]}" could be any of {_listed(names)}; write the full name or id of one'


def _unknown(query: str, own_names: list[str]) -> str:
    known = {fold(name): name for name in (*own_names, *map(str, all_cities().name[:_LARGE]))}
    near = [known[k] for k in difflib.get_close_matches(fold(query), known, n=3, cutoff=0.7)]
    advice = f"did you mean {_listed(near)}?" if near else "add it to the scenario as [[sites]]"
    return f'no site and no city of 15,000 people is called "{query[:60]}"; {advice}'


def _listed(names: list[str]) -> str:
    shown = ", ".join(f'"{name[:60]}"' for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
