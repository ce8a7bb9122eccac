"""Places: countries, cities, and what a name stands for."""

from skyweave.places.boundaries import coastlines, country_outlines, disputed_lines
from skyweave.places.cities import Cities, largest_cities
from skyweave.places.countries import check_country_codes, claims_at, country_at
from skyweave.places.names import Place, is_slug, make_slug, resolve_place

__all__ = [
    "Cities",
    "Place",
    "check_country_codes",
    "claims_at",
    "coastlines",
    "country_at",
    "country_outlines",
    "disputed_lines",
    "is_slug",
    "largest_cities",
    "make_slug",
    "resolve_place",
]
