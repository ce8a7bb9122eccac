"""Losses in rain, cloud and air by the ITU's recommendations, through the library ITU-Rpy."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from skyweave.validation.judge import NotApplicable


def rain_loss_db(
    lat_deg: float,
    lon_deg: float,
    frequency_hz: float,
    elevation_deg: float,
    height_m: float,
    percent_of_time: float,
    rain_mm_h: float,
    tilt_deg: float,
) -> float:
    """Return the loss in rain exceeded for a percentage of time (ITU-R P.618-13).

    `rain_mm_h` is the rain rate exceeded for 0.01 % of the year, `tilt_deg` the polarisation's.
    """
    with _recommendation(618, 13) as p618:
        loss = p618.rain_attenuation(
            lat_deg,
            lon_deg,
            frequency_hz / 1e9,
            elevation_deg,
            hs=height_m / 1e3,
            p=percent_of_time,
            R001=rain_mm_h,
            tau=tilt_deg,
        )
    return float(loss.value)


def gas_loss_db_per_km(
    frequency_hz: float, pressure_hpa: float, vapour_g_m3: float, temperature_k: float
) -> float:
    """Return the loss in oxygen and water vapour, summed over their lines (ITU-R P.676-12)."""
    with _recommendation(676, 12) as p676:
        loss = p676.gamma_exact(frequency_hz / 1e9, pressure_hpa, vapour_g_m3, temperature_k)
    return float(loss.value)


def cloud_loss_db(
    lat_deg: float,
    lon_deg: float,
    frequency_hz: float,
    elevation_deg: float,
    percent_of_time: float,
) -> float:
    """Return the loss in clouds exceeded for a percentage of time (ITU-R P.840-8)."""
    with _recommendation(840, 8) as p840:
        loss = p840.cloud_attenuation(
            lat_deg, lon_deg, elevation_deg, frequency_hz / 1e9, percent_of_time
        )
    return float(loss.value)


@contextmanager
def _recommendation(number: int, version: int) -> Iterator[ModuleType]:
    """Yield ITU-Rpy's module of a recommendation, set to a version for as long."""
    try:
        module = import_module(f"itur.models.itu{number}")
    except ModuleNotFoundError:
        raise NotApplicable(
            "Needs the library ITU-Rpy, which is not installed: pip install 'skyweave[weather]'."
        ) from None
    before = module.get_version()
    module.change_version(version)
    try:
        yield module
    finally:
        module.change_version(before)
