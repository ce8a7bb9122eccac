"""The tables of a scenario: every key with its type, its range and what it means.

The text under a key is its documentation: the reference page of scenarios is made of it.
"""

import re
from collections import Counter
from datetime import date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from skyweave.errors import InputError
from skyweave.places import check_country_codes, is_slug, make_slug
from skyweave.time import parse_utc

Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=360, allow_inf_nan=False)]
Height = Annotated[float, Field(ge=-1000, le=100_000, allow_inf_nan=False)]
Azimuth = Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False)]
Elevation = Annotated[float, Field(ge=0, le=90, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
FileName = Annotated[str, Field(min_length=1, max_length=4096)]
ISL_PLANS = ("none", "plus-grid", "ring", "motif", "nearest-n", "fleet")
ServiceClass = Literal["standard", "priority", "lifeline"]
FailingId = Annotated[str, Field(min_length=1, max_length=200)]
UsableClass = Literal["on_station", "raising", "lowering", "other"]

# Cones around the boresight in published descriptions of Starlink's dishes.
DISH_FOV_DEG = {
    "rev1": 100.0,
    "rev2": 100.0,
    "standard": 110.0,
    "mini": 110.0,
    "performance": 140.0,
}


KIT_ADVICE = "expected at most 100 letters a-z and A-Z, digits and hyphens, or nothing"
_KIT = re.compile("[A-Za-z0-9-]{0,100}")


class Section(BaseModel):
    """A table of the scenario: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Time(Section):
    """When the run begins, how long it is, and how long a slot.

    A run across a leap second is refused.
    """

    start_utc: datetime
    """a UTC time with `Z` or an offset, 1957 to 2100"""
    duration_s: Positive
    """the last slot may reach beyond the end"""
    slot_s: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 15.0
    """length of a slot. Slots of 15 s begin at seconds 12, 27, 42 and 57 of UTC: the start moves
    back to the last of them, and the run says so"""

    @field_validator("start_utc", mode="before")
    @classmethod
    def _is_a_utc_moment(cls, value: object) -> object:
        return checked_moment(value)


class CatalogueSection(Section):
    """Real satellites.

    Of each object the set whose epoch is nearest the start is used, so a folder may hold many
    dates.  Direct-to-cell satellites serve no terminal and take no feeder link; in the `fleet`
    plan they relay.
    """

    source: FileName = "builtin:2026-06-14"
    """or a file or folder of TLE, 3LE or OMM (XML, KVN, JSON, CSV), plain, `.gz` or `.xz`; or
    `"cache:active"`, what `skyweave catalogue update` fetched"""
    select: tuple[str, ...] = ()
    """name prefixes to keep; empty keeps all"""
    use: tuple[UsableClass, ...] = ("on_station",)
    """classes that may serve terminals: `on_station`, `raising`, `lowering`, `other`"""
    max_age_days: Positive = 14.0
    """objects whose elements are further from the start are left out and counted; a run whose
    median is beyond is refused"""


class Shell(Section):
    """A synthetic shell: a preset alone, or a pattern with its numbers."""

    preset: str | None = None
    """a filed shell such as `"G1-1"`, several such as `"starlink-gen1"`, or one of Hypatia's:
    `"kuiper-630"`, `"kuiper-610"`, `"starlink-550"`, `"telesat-1015"`"""
    pattern: Literal["walker-delta", "walker-star", "hypatia"] = "walker-delta"
    """`"walker-star"`: the planes ascend over half the equator; `"hypatia"`: the pattern of the
    Hypatia simulator, which is no Walker pattern"""
    altitude_km: Annotated[float, Field(ge=160, le=36_000, allow_inf_nan=False)] | None = None
    """mean semi-major axis less the equatorial radius, for the Walker patterns"""
    mean_motion_rev_day: Annotated[float, Field(gt=0.5, lt=17, allow_inf_nan=False)] | None = None
    """revolutions a day, for `hypatia`"""
    inclination_deg: Annotated[float, Field(ge=0, le=180, allow_inf_nan=False)] | None = None
    """of every plane to the equator"""
    planes: Annotated[int, Field(ge=1, le=1000)] | None = None
    """how many"""
    per_plane: Annotated[int, Field(ge=1, le=1000)] | None = None
    """satellites in each plane"""
    phasing: Annotated[int, Field(ge=0, le=999)] = 0
    """Walker's F; half-slot phasing (F = planes / 2) lets satellites collide"""

    @model_validator(mode="after")
    def _is_complete(self) -> "Shell":
        if self.preset is not None:
            beside = sorted(self.model_fields_set - {"preset"})
            if beside:
                raise ValueError(f"a preset knows its own numbers; remove {', '.join(beside)}")
            return self
        height = "mean_motion_rev_day" if self.pattern == "hypatia" else "altitude_km"
        needed = (height, "inclination_deg", "planes", "per_plane")
        missing = [key for key in needed if getattr(self, key) is None]
        if missing:
            raise ValueError(f"a {self.pattern} shell needs {', '.join(missing)} (or a preset)")
        return self


class Earth(Section):
    """How the Earth turns."""

    orientation: Literal["iers", "none"] = "iers"
    """UT1 and polar motion from the packaged IERS table; `"none"`: UT1 = UTC, no polar motion"""


class Visibility(Section):
    """Who sees whom, for terminals and gateways."""

    mode: Literal["elevation", "range"] = "elevation"
    """`"range"`: whatever is within `max_range_m`, as Hypatia has it"""
    min_elevation_deg: Annotated[float, Field(ge=0, lt=90)] = 25.0
    """lowest usable elevation of terminals, and of gateways that have no limit of their own;
    gateways poleward of 62 degrees use 5"""
    max_range_m: Positive | None = None
    """longest usable line of sight, for `mode = "range"`; a range knows no horizon, so a long one
    reaches through the Earth"""
    gso_separation_deg: Annotated[float, Field(ge=0, le=90)] = 0.0
    """smallest angle between a satellite and the visible geostationary arc, at terminals and
    gateways; 0 switches the rule off"""

    @model_validator(mode="after")
    def _has_its_range(self) -> "Visibility":
        if self.mode == "range" and self.max_range_m is None:
            raise ValueError('mode = "range" needs max_range_m')
        return self


Offset = tuple[Annotated[int, Field(ge=-999, le=999)], Annotated[int, Field(ge=-999, le=999)]]

# Keys of `[isl]` that only some plans know; the others hold for every plan with links.
_KEYS_OF_PLANS = {
    "nearest": "nearest-n",
    "motif": "motif",
    "policy": "fleet",
    "replan_s": "fleet",
    "keep_slew_deg_s": "fleet",
}


class Isl(Section):
    """Laser links between satellites.

    A link is planned by the rule of `plan`, and carries while it is within range and above the air
    at both ends of a slot, once it is acquired.
    """

    plan: FileName | None = None
    """`"none"`, `"plus-grid"`, `"ring"`, `"motif"`, `"nearest-n"`, `"fleet"` or `"FILE.py:NAME"` of
    your own; the default is `"fleet"` for real satellites, `"plus-grid"` for shells"""
    nearest: Annotated[int, Field(ge=1, le=8)] = 4
    """links per satellite of `nearest-n`"""
    motif: Annotated[tuple[Offset, ...], Field(max_length=8)] = ()
    """of `motif`: offsets `[planes, slots]` at which every satellite has a link, and one as far the
    other way; `[[0, 1], [1, 0]]` is `plus-grid`, `[[0, 1]]` is `ring`"""
    policy: Literal["static", "rings", "four"] = "static"
    """of `fleet`: `"static"`, rings in the planes and one planned cross link for each satellite;
    `"rings"`, no cross links; or `"four"`, one to the east and one to the west for each. No
    operator has published how it points them"""
    max_range_m: Positive | None = None
    """longest link; the default is 5,400 km for `fleet` and `nearest-n`, and no limit for others"""
    min_grazing_m: Annotated[float, Field(ge=0, le=1_000_000)] = 80_000.0
    """how far above the ground a beam must pass, so that no air bends it"""
    acquisition_s: Annotated[float, Field(ge=0, le=3600)] | None = None
    """how long a link that is new or was cut takes until it carries, in whole slots, rounded up;
    the default is 12 s for `fleet`, the fastest reported for Starlink, and none for others"""
    replan_s: Annotated[float, Field(ge=1, le=86_400)] = 900.0
    """how often `fleet` gives up links that are no longer good and finds new ones"""
    keep_slew_deg_s: Annotated[float, Field(gt=0, le=90)] = 2.0
    """`fleet` gives up a cross link that turns faster"""

    @field_validator("plan")
    @classmethod
    def _is_a_plan(cls, plan: str | None) -> str | None:
        return None if plan is None else checked_plan(plan)

    @field_validator("motif", mode="before")
    @classmethod
    def _holds_pairs(cls, offsets: object) -> object:
        for offset in offsets if isinstance(offsets, list | tuple) else ():
            if not (isinstance(offset, list | tuple) and len(offset) == 2):
                raise ValueError(f"found {shortened(offset)}, expected [planes, slots]: [[0, 1]]")
        return offsets

    @field_validator("motif")
    @classmethod
    def _is_a_motif(cls, offsets: tuple[Offset, ...]) -> tuple[Offset, ...]:
        seen: set[tuple[int, int]] = set()
        for planes, slots in offsets:
            if planes == slots == 0:
                raise ValueError("[0, 0] is the satellite itself; remove it")
            if {(planes, slots), (-planes, -slots)} & seen:
                raise ValueError(
                    f"[{planes}, {slots}] is there twice, as every offset holds both ways; "
                    "remove one"
                )
            seen.add((planes, slots))
        return offsets

    @model_validator(mode="after")
    def _has_its_motif(self) -> "Isl":
        if self.plan == "motif" and not self.motif:
            raise ValueError('plan = "motif" needs motif, for example [[0, 1], [1, 0]]')
        return self

    def foreign_key(self, plan: str) -> str | None:
        """Return what is wrong where a key is given that a plan does not know, else None."""
        for key, field in type(self).model_fields.items():
            if key == "plan" or getattr(self, key) == field.default:
                continue
            of_plan = _KEYS_OF_PLANS.get(key)
            if plan == "none" or ":" in plan or (of_plan is not None and of_plan != plan):
                owner = f'plan = "{of_plan}"' if of_plan else "built-in plans with links"
                return f'[isl] {key} is for {owner}, found plan = "{plan}"; remove one of the two'
        return None


class GatewaySection(Section):
    """Where satellites reach the ground network."""

    source: FileName = "builtin:2026-03-20"
    """or `"builtin:oneweb-2025-06"`, or a CSV with `name,lat_deg,lon_deg` and optionally `id`,
    `height_wgs84_m`, `min_elevation_deg`, `antennas`, `pop_id`, `country`, `status`; `"none"` for
    an operator whose gateways nobody publishes"""
    pops: FileName | None = None
    """points of presence: `"builtin:2026-04-16"`, `"builtin:oneweb-2025-06"` or a CSV with
    `pop_id,city,country,lat_deg,lon_deg`; the default is the list that goes with the gateways"""
    antennas: Annotated[int, Field(ge=1, le=64)] = 8
    """satellites a gateway can follow at once"""
    min_elevation_deg: Elevation | None = None
    """lowest usable elevation of gateways; the default is that of `[visibility]`"""
    at_every_pop: bool = False
    """adds a gateway at each PoP that has none within 300 km, as public lists lack some; its id is
    `inferred-` and that of the PoP"""
    unserved: Literal["keep", "drop"] = "keep"
    """`"drop"` leaves out gateways and PoPs in countries without service, by a list of 2026-09"""
    home_pop: Literal["gateway", "nearest"] | None = None
    """PoP of terminals that fix none: that of the gateway in use, or always the nearest to the
    terminal, as real dishes keep theirs; the default is the nearest with `delay.model = "dish"`"""
    domestic_only: tuple[str, ...] = ()
    """two-letter countries whose gateways serve only terminals of the same country. A hypothesis:
    `["BD", "ID", "TR"]` explains published country medians better, no operator has stated it"""

    @field_validator("domestic_only")
    @classmethod
    def _are_countries(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        return checked_countries(codes)


class Assignment(Section):
    """Which of its candidates serves a terminal."""

    rule: FileName = "preference"
    """`"preference"` draws from the choice model fitted to real dishes, `"preference-best"` takes
    its likeliest; `"preference-warm"` and `"preference-warm-best"` also remember what served
    before; or `"shortest-path"`, `"highest-elevation"`, `"longest-visible"`, `"random"`, or
    `"FILE.py:FUNCTION"` of your own"""


class GenerationBeams(Section):
    """The beams of the satellites of one generation."""

    generation: Literal["v1.0", "v1.0-laser", "v1.5", "v2-mini", "unknown", ""]
    """as told from the launch; `""` is every satellite that is not Starlink's"""
    down: Annotated[int, Field(ge=0, le=10_000)] = 48
    """beams towards the ground"""
    up: Annotated[int, Field(ge=0, le=10_000)] = 16
    """beams from the ground"""


class Beams(Section):
    """How many cells a satellite can serve at once.

    A beam serves one cell, an H3 cell of resolution 5, and all terminals there that use the same
    satellite; up to three cells share a beam from the ground in time.
    """

    down: Annotated[int, Field(ge=0, le=10_000)] = 48
    """beams of a satellite towards the ground"""
    up: Annotated[int, Field(ge=0, le=10_000)] = 16
    """beams of a satellite from the ground"""
    generations: Annotated[tuple[GenerationBeams, ...], Field(max_length=6)] = ()
    """other numbers for single generations, tables `[[beams.generations]]`"""

    @field_validator("generations")
    @classmethod
    def _once_each(cls, generations: tuple[GenerationBeams, ...]) -> tuple[GenerationBeams, ...]:
        names = [each.generation for each in generations]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f'generation "{twice}" is there twice; remove one')
        return generations


class Delay(Section):
    """What is added to propagation."""

    model: Literal["geometry", "dish"] = "geometry"
    """`"geometry"` adds `processing_s` alone; `"dish"` instead what measured dishes have beyond
    geometry: a floor, an offset drawn anew in each slot, and the scatter of packets"""
    period: Literal["2023-09", "2025-05", "2026-09"] = "2026-09"
    """of `"dish"`: when the measurements it follows were made"""
    comb: bool = False
    """of `"dish"`: whether packets wait for the frames of the shared channel"""
    processing_s: Annotated[float, Field(ge=0, le=1)] = 0.010
    """added to every round trip"""
    fibre_detour: Annotated[float, Field(ge=1, le=5)] = 1.5
    """length of fibre over great-circle distance"""
    include_fibre: bool = True
    """whether the fibre from gateway to PoP counts"""

    @model_validator(mode="after")
    def _sets_only_keys_of_its_model(self) -> "Delay":
        of_other = {"geometry": ("period", "comb"), "dish": ("processing_s",)}
        for key in of_other[self.model]:
            if getattr(self, key) != type(self).model_fields[key].default:
                other = "dish" if self.model == "geometry" else "geometry"
                raise ValueError(
                    f'{key} is for model = "{other}", found model = "{self.model}"; '
                    "remove one of the two"
                )
        return self


class Results(Section):
    """What is kept of a run."""

    access: Literal["all", "changes", "none"] = "all"
    """rows of `access.parquet`: every slot; only those in which state, reason, satellite, gateway
    or PoP changed; or none"""
    links: Literal["changes", "none"] = "changes"
    """rows of laser links in `events.parquet`: each that goes up or down, those of the first slot
    included; or none, as the plan `nearest-n` changes thousands in every slot"""


class Operator(Section):
    """One of several constellations, each with its own satellites and ground network.

    A table that is left out is that of the scenario's top level.
    """

    name: Annotated[str, Field(min_length=1, max_length=100)]
    """what terminals and `--without operator:NAME` call it"""
    catalogue: CatalogueSection | None = None
    """its real satellites, a table `[operators.catalogue]`"""
    shells: tuple[Shell, ...] = ()
    """or synthetic ones, tables `[[operators.shells]]`"""
    visibility: Visibility | None = None
    """a table `[operators.visibility]`"""
    isl: Isl | None = None
    """a table `[operators.isl]`"""
    gateways: GatewaySection
    """a table `[operators.gateways]`"""
    assignment: Assignment | None = None
    """a table `[operators.assignment]`"""
    beams: Beams | None = None
    """a table `[operators.beams]`"""
    delay: Delay | None = None
    """a table `[operators.delay]`"""

    @field_validator("name")
    @classmethod
    def _is_a_slug(cls, value: str) -> str:
        return checked_slug(value)

    @model_validator(mode="after")
    def _has_satellites(self) -> "Operator":
        require_one_source(self.catalogue, self.shells, "an operator")
        return self


class TerminalClass(Section):
    """A kind of dish: how much of the sky it can steer to.

    Terminals of a class without such a table see all of the sky above the elevation limit.
    """

    name: Annotated[str, Field(min_length=1, max_length=100)]
    """the `class` of the terminals it holds for"""
    fov_deg: Annotated[float, Field(gt=0, le=180, allow_inf_nan=False)] | None = None
    """full angle of the cone around the boresight; known for `standard` and `mini` (110), `rev1`
    and `rev2` (100) and `performance` (140), otherwise required"""
    tilt_deg: Annotated[float, Field(ge=0, le=90, allow_inf_nan=False)] = 0.0
    """angle of the boresight from the zenith; 0 lies flat"""
    tilt_azimuth_deg: Azimuth | None = None
    """where it is tilted to, 0 = north, 90 = east; the default is the nearer pole"""
    min_elevation_deg: Elevation | None = None
    """lowest usable elevation of this class instead of the operator's"""

    @model_validator(mode="after")
    def _has_a_cone(self) -> "TerminalClass":
        if self.fov_deg is None and self.name not in DISH_FOV_DEG:
            known = ", ".join(DISH_FOV_DEG)
            raise ValueError(f"fov_deg is missing; add it, it is known only for {known}")
        return self

    @property
    def cone_deg(self) -> float:
        """The full angle of the cone in force."""
        return DISH_FOV_DEG[self.name] if self.fov_deg is None else self.fov_deg


class LandingRule(Section):
    """Through which countries the traffic of a class of terminals may, or may not, come down.

    A terminal obeys every rule that names its class or none; lists hold two-letter country codes,
    and an empty `allow` list allows all.
    """

    class_: str | None = Field(default=None, alias="class")
    """the class of terminals it holds for; left out, for all"""
    allow_gateway_countries: tuple[str, ...] = ()
    """the only countries whose gateways may be used"""
    deny_gateway_countries: tuple[str, ...] = ()
    """countries whose gateways may not be used"""
    allow_pop_countries: tuple[str, ...] = ()
    """the only countries in which traffic may meet the Internet"""
    deny_pop_countries: tuple[str, ...] = ()
    """countries in which it may not"""

    @field_validator(
        "allow_gateway_countries", "deny_gateway_countries",
        "allow_pop_countries", "deny_pop_countries",
    )  # fmt: skip
    @classmethod
    def _are_countries(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        return checked_countries(codes)

    @model_validator(mode="after")
    def _says_something(self) -> "LandingRule":
        if not any((*self.lists("gateway"), *self.lists("pop"))):
            raise ValueError("the rule has no list of countries; give one, or remove the rule")
        return self

    def lists(self, kind: Literal["gateway", "pop"]) -> tuple[frozenset[str], frozenset[str]]:
        """Return the allowed (empty for all) and the denied countries of gateways or PoPs."""
        allowed, denied = (getattr(self, f"{verb}_{kind}_countries") for verb in ("allow", "deny"))
        return frozenset(allowed), frozenset(denied)


class Failure(Section):
    """Something that is out of order, for the whole run or for a time.

    It holds in every slot that its time touches, and nothing is planned around it beforehand.  The
    run then also says what there would be without any failure.  A table has `ids` or `share`.
    """

    kind: Literal["satellite", "link", "plane", "gateway", "pop", "country", "operator", "core"]
    """what fails: `satellite`, a laser `link`, all satellites of an orbital `plane`, `gateway`,
    `pop`, `country` (the gateways and PoPs in it), an `operator` with all it has, or its `core`
    software alone: then orbits and links are in order, and all terminals out"""
    ids: Annotated[tuple[FailingId, ...], Field(max_length=100_000)] = ()
    """which: NORAD ids of satellites; `"44713-44714"`, both ends of a link; names of planes,
    `"0-12"` (shell and plane) of synthetic shells and `"53.2-540-123.4"` (inclination in degrees,
    altitude in kilometres, RAAN in degrees) of a real fleet; ids of gateways or PoPs, or two-letter
    countries for those in them; names of operators. For `operator` and `core` the only one of the
    scenario, if left out"""
    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False, strict=True)] | None = None
    """instead of ids: what part of all there are, drawn by the scenario's seed; 0.1 is a tenth. Of
    links each fails by itself with this probability"""
    from_utc: datetime | None = None
    """when it begins; left out, before the run"""
    to_utc: datetime | None = None
    """when it is over; left out, after the run"""
    operator: str = ""
    """whose, where the scenario has several; left out, everybody's"""

    @field_validator("ids", mode="before")
    @classmethod
    def _numbers_are_ids(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        return [str(each) if type(each) is int else each for each in value]

    @field_validator("from_utc", "to_utc", mode="before")
    @classmethod
    def _is_a_utc_moment(cls, value: object) -> object:
        return value if value is None else checked_moment(value)

    @model_validator(mode="after")
    def _says_what_and_when(self) -> "Failure":
        is_whole = self.kind in ("operator", "core")
        if self.ids and self.share is not None:
            raise ValueError("found ids and share; give one of them")
        if is_whole and (self.share is not None or self.operator):
            raise ValueError(
                f'kind = "{self.kind}" takes the names of operators as ids; give those'
            )
        if not (is_whole or self.ids or self.share is not None):
            raise ValueError('found neither ids nor share; give one, such as ids = ["ID"]')
        if self.from_utc is None or self.to_utc is None:
            return self
        if parse_utc(self.to_utc) <= parse_utc(self.from_utc):
            raise ValueError("to_utc must be after from_utc; change one of them")
        return self


class PolicySection(Section):
    """The public log that says where, and for whom, service is on.

    It is verified, every entry of it, before anything is computed.  Each slot obeys what holds at
    its start; without this table every cell is on.
    """

    log: FileName
    """the log's folder"""
    genesis: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    """digest of the charter that the log begins with, as another channel told it: a log that begins
    otherwise is refused"""


class Site(Section):
    """A named place that `skyweave path` can start or end at."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    """as `path` and its output call it"""
    lat_deg: Latitude
    """degrees north"""
    lon_deg: Longitude
    """degrees east"""
    height_wgs84_m: Height = 0.0
    """above the WGS 84 ellipsoid"""
    aliases: tuple[str, ...] = ()
    """other names it answers to"""


class Terminal(Section):
    """One terminal, fixed (latitude and longitude) or moving (a track file).

    Before the first and after the last fix a moving terminal is out, with the reason
    `position_unknown`.
    """

    id: Annotated[str, Field(min_length=1, max_length=100)]
    """unique: letters a-z, digits, hyphens"""
    name: str = ""
    """yours"""
    lat_deg: Latitude | None = None
    """degrees north"""
    lon_deg: Longitude | None = None
    """degrees east"""
    height_wgs84_m: Height = 0.0
    """above the WGS 84 ellipsoid"""
    class_: str = Field(default="standard", alias="class")
    """the hardware, your own word; `[[terminal_classes]]` and `[[landing_rules]]` refer to it"""
    service_class: ServiceClass = "standard"
    """`standard`, `priority` or `lifeline`"""
    account: str = ""
    """whose it is"""
    country: str = ""
    """two letters of ISO 3166-1; empty: looked up from the position"""
    sponsor: str = ""
    """who pays for it"""
    pop_id: str = ""
    """a fixed PoP; empty uses the gateway's"""
    operator: str = ""
    """whose network it belongs to, one of `[[operators]]`; empty: the first"""
    kit: str = ""
    """the dish's own id, as allow lists of a `[policy]` know it: letters, digits and hyphens"""
    obstruction: FileName | None = None
    """a file of what blocks the view: polygons, or the dish's own map"""
    horizon: FileName | None = None
    """a CSV `azimuth_deg,elevation_deg` of the skyline"""
    boresight_azimuth_deg: Azimuth | None = None
    """where the dish points, instead of its class's tilt"""
    boresight_elevation_deg: Elevation | None = None
    """how high it points"""
    track: FileName | None = None
    """instead of a position: a GPX file or a CSV `time_utc,lat_deg,lon_deg,height_wgs84_m` of a
    terminal that moves"""
    track_start: Literal["file", "scenario"] = "file"
    """`"scenario"` moves the first fix to the run's start"""

    @field_validator("id")
    @classmethod
    def _is_an_id(cls, value: str) -> str:
        return checked_slug(value)

    @field_validator("country")
    @classmethod
    def _is_a_country(cls, value: str) -> str:
        checked_countries((value,) if value else ())
        return value

    @field_validator("kit")
    @classmethod
    def _is_a_kit(cls, value: str) -> str:
        if not is_kit(value):
            raise ValueError(KIT_ADVICE)  # without the value: it names a dish
        return value

    @model_validator(mode="after")
    def _is_somewhere(self) -> "Terminal":
        fixed = self.lat_deg is not None and self.lon_deg is not None
        if fixed == (self.track is not None):
            raise ValueError("a terminal needs either lat_deg and lon_deg, or a track")
        if (self.boresight_azimuth_deg is None) != (self.boresight_elevation_deg is None):
            raise ValueError("boresight_azimuth_deg and boresight_elevation_deg go together")
        return self


class TerminalSet(Section):
    """Many terminals at once."""

    file: FileName | None = None
    """a fleet CSV: `id,lat_deg,lon_deg` or `id,track`, optionally the other keys of
    `[[terminals]]` as columns; further columns are kept"""
    builtin: Literal["cities"] | None = None
    """`"cities"`: the largest cities of GeoNames"""
    count: Annotated[int, Field(ge=1, le=34_000)] = 1000
    """how many of them"""

    @model_validator(mode="after")
    def _has_one_source(self) -> "TerminalSet":
        if (self.file is None) == (self.builtin is None):
            raise ValueError('a terminal set needs either file = "fleet.csv" or builtin = "cities"')
        return self


class Scenario(Section):
    """A whole scenario; `folder` is where its relative file names start.

    Required are `[time]` and one source of satellites: `[catalogue]`, `[[shells]]`, or
    `[[operators]]` of which each has its own.
    """

    title: str = ""
    """shown in the summary and the report; empty: the file's name"""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """of everything random; `--seed` overrides it"""
    operator: str = ""
    """the name of the network that the top level describes; empty: the first of
    `catalogue.select` in small letters, else `network`"""
    time: Time
    catalogue: CatalogueSection | None = None
    shells: tuple[Shell, ...] = ()
    operators: tuple[Operator, ...] = ()
    earth: Earth = Earth()
    visibility: Visibility = Visibility()
    isl: Isl = Isl()
    gateways: GatewaySection = GatewaySection()
    assignment: Assignment = Assignment()
    beams: Beams = Beams()
    delay: Delay = Delay()
    terminal_classes: tuple[TerminalClass, ...] = ()
    landing_rules: tuple[LandingRule, ...] = ()
    results: Results = Results()
    failures: Annotated[tuple[Failure, ...], Field(max_length=1000)] = ()
    policy: PolicySection | None = None
    sites: tuple[Site, ...] = ()
    terminals: tuple[Terminal, ...] = ()
    terminal_sets: tuple[TerminalSet, ...] = ()
    source: str = Field(default="scenario", exclude=True)  # what error messages call it
    folder: Path = Field(default=Path(), exclude=True)

    @model_validator(mode="after")
    def _has_satellites(self) -> "Scenario":
        if not self.operators:
            require_one_source(self.catalogue, self.shells, "a scenario")
            return self
        own = {"operator", "catalogue", "shells", "gateways"} & self.model_fields_set
        if own:
            raise ValueError(
                f"each of [[operators]] has its own satellites and gateways; remove or move into "
                f"them: {', '.join(sorted(own))}"
            )
        refuse_repeated([each.name for each in self.operators], "operators")
        return self

    @model_validator(mode="after")
    def _sets_only_keys_of_its_plan(self) -> "Scenario":
        for network in self.networks():
            refusal = network.isl.foreign_key(network.isl_plan)
            if refusal:
                raise ValueError(refusal)
        return self

    @model_validator(mode="after")
    def _describes_each_once(self) -> "Scenario":
        refuse_repeated([each.name for each in self.terminal_classes], "terminal_classes")
        refuse_repeated([each.name for each in self.sites], "sites")
        return self

    @property
    def isl_plan(self) -> str:
        """The laser plan in force."""
        return self.isl.plan or ("fleet" if self.catalogue else "plus-grid")

    @property
    def has_home_pops(self) -> bool:
        """Whether a terminal that fixes no PoP has one of its own all the same."""
        by_default = self.delay.model == "dish" and self.delay.include_fibre
        home_pop = self.gateways.home_pop
        return by_default if home_pop is None else home_pop == "nearest"

    @property
    def operator_name(self) -> str:
        """The name of the network that the top level describes."""
        selected = self.catalogue.select if self.catalogue else ()
        return self.operator or (make_slug(selected[0]) if selected else "network")

    def networks(self) -> tuple["Scenario", ...]:
        """Return one scenario for each operator: its own tables and the shared ones."""
        if not self.operators:
            return (self,)
        return tuple(self._network(each) for each in self.operators)

    def _network(self, own: Operator) -> "Scenario":
        tables = ("visibility", "isl", "assignment", "beams", "delay")
        return self.model_copy(
            update={
                "operator": own.name,
                "operators": (),
                "catalogue": own.catalogue,
                "shells": own.shells,
                "gateways": own.gateways,
                **{name: getattr(own, name) or getattr(self, name) for name in tables},
            }
        )

    def file(self, name: str) -> Path:
        """Resolve a file name of the scenario, relative to the scenario's own folder."""
        return self.folder / name

    def source_of(self, name: str) -> str:
        """Resolve what names a file, or something built in or fetched, or nothing."""
        is_word = name == "none" or name.startswith(("builtin:", "cache:"))
        return name if is_word else str(self.file(name))


def shortened(value: object) -> str:
    """Return a value as an error shows it: dates and truth as TOML writes them."""
    if isinstance(value, date | time):
        text = value.isoformat()
    else:
        text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def checked_moment(value: object) -> object:
    """Return a moment as it is given; refuse what is none, and one without a zone."""
    if not isinstance(value, str | datetime):
        raise ValueError(f"found {shortened(value)}, expected a time: 2026-06-14T12:00:12Z")
    try:
        parse_utc(value)
    except InputError as refusal:
        raise ValueError(str(refusal)) from None
    return value


def is_kit(value: str) -> bool:
    """Return whether a text is the id of a dish, or empty."""
    return _KIT.fullmatch(value) is not None


def checked_slug(value: str) -> str:
    """Return an id or name that may stand in a table; refuse another with the near one."""
    if not is_slug(value):
        raise ValueError(
            f"found {shortened(value)}, expected letters a-z, digits and single hyphens, "
            f'for example "{make_slug(value)}"'
        )
    return value


def checked_plan(name: str) -> str:
    """Return the name of a link plan; refuse an unknown one with the near one."""
    if name in ISL_PLANS or ".py:" in name:
        return name
    near = get_close_matches(name, ISL_PLANS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "choose one of them"
    raise ValueError(
        f"found {shortened(name)}, expected one of {', '.join(ISL_PLANS)} or FILE.py:NAME; {hint}"
    )


def checked_countries(codes: tuple[str, ...]) -> tuple[str, ...]:
    """Return country codes; refuse one that is not known with the near one."""
    try:
        check_country_codes(codes)
    except InputError as refusal:
        raise ValueError(str(refusal)) from None
    return codes


def require_one_source(
    catalogue: CatalogueSection | None, shells: tuple[Shell, ...], subject: str
) -> None:
    """Refuse both or neither of the sources of satellites."""
    if (catalogue is None) == (not shells):
        found = "neither" if catalogue is None else "both"
        raise ValueError(
            f"{subject} needs one source of satellites, [catalogue] or [[shells]]; found {found}"
        )


def refuse_repeated(names: list[str], table: str) -> None:
    """Refuse a name that two tables bear."""
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ValueError(f'{table}: "{repeated[0]}" is described twice; keep one')
