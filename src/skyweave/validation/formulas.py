"""Formulas that published results rest on and no other module needs, each with its source."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from skyweave.constants import WGS72_MU_KM3_S2

FloatArray = NDArray[np.float64]

BOLTZMANN_J_K = 1.38e-23  # three digits, as the published budgets take it (SI: 1.380649e-23)

# DVB-S2X, normal frames, white noise: the Es/N0 in dB that a mode needs and its bits per symbol.
# From ETSI EN 302 307-1 table 13 and 307-2 table 20a, those modes that public budgets step through.
DVB_S2X = (
    (-2.85, 0.435), (-2.35, 0.490), (-2.03, 0.568), (-1.24, 0.656), (-0.30, 0.789), (0.22, 0.889),
    (1.00, 0.989), (1.45, 1.089), (2.23, 1.188), (3.10, 1.322), (4.03, 1.487), (4.73, 1.647),
    (5.50, 1.780), (5.97, 1.972), (6.84, 2.193), (8.10, 2.458), (9.27, 2.746), (10.21, 2.967),
    (11.03, 3.166), (11.75, 3.510), (12.73, 3.703), (13.64, 3.952), (13.98, 4.206), (14.81, 4.339),
    (15.47, 4.603), (16.55, 4.934), (16.98, 5.066), (17.24, 5.242), (18.10, 5.417), (18.59, 5.593),
    (18.84, 5.769), (19.57, 5.901),
)  # fmt: skip


def hexagon_area_m2(circle_m: float) -> float:
    """Return the area of a regular hexagon whose corners lie on a circle of diameter `circle_m`."""
    return 1.5 * math.sqrt(3.0) * (circle_m / 2.0) ** 2


def cone_range_m(altitude_m: float, cone_radius_m: float) -> float:
    """Return Hypatia's longest ground link: the edge of a cone over a flat Earth.

    paper/satellite_networks_state/main_*.py in snkas/hypatia; a true slant range is shorter.
    """
    return math.hypot(altitude_m, cone_radius_m)


def two_body_period_s(semi_major_axis_m: float) -> float:
    """Return the period of an orbit around a point mass: Kepler's third law."""
    mu_m3_s2 = WGS72_MU_KM3_S2 * 1e9
    return 2.0 * math.pi * math.sqrt(semi_major_axis_m**3 / mu_m3_s2)


def spiral_delta_v_m_s(low_semi_major_axis_m: float, high_semi_major_axis_m: float) -> float:
    """Return what a slow spiral between circular orbits takes: the difference of their speeds.

    Edelbaum, "Propulsion requirements for controllable satellites", 1961, without plane change.
    """
    mu_m3_s2 = WGS72_MU_KM3_S2 * 1e9
    return math.sqrt(mu_m3_s2 / low_semi_major_axis_m) - math.sqrt(
        mu_m3_s2 / high_semi_major_axis_m
    )


def thermal_noise_dbm(bandwidth_hz: float, temperature_k: float) -> float:
    """Return k T B over a milliwatt."""
    return 10.0 * math.log10(BOLTZMANN_J_K * temperature_k * bandwidth_hz / 1e-3)


def free_space_loss_db(range_m: float, frequency_hz: float, light_m_s: float) -> float:
    """Return the spreading loss between isotropic antennas (ITU-R P.525)."""
    return 20.0 * math.log10(4.0 * math.pi * range_m * frequency_hz / light_m_s)


def dish_gain_dbi(
    diameter_m: float, frequency_hz: float, efficiency: float, light_m_s: float
) -> float:
    """Return the gain on the axis of a round aperture."""
    return 10.0 * math.log10(efficiency * (math.pi * diameter_m * frequency_hz / light_m_s) ** 2)


def satellite_capacity_bps(
    bandwidth_hz: float, bits_per_symbol: float, channels: int, polarisations: int = 1
) -> float:
    """Return the sum over a satellite's channels, one symbol per second and hertz."""
    return bandwidth_hz * bits_per_symbol * channels * polarisations


def capacity_per_active_user_bps(
    satellite_bps: float, area_km2: float, users_per_km2: float, overbooking: float
) -> float:
    """Return what one user has while 1 in `overbooking` is active (Osoro and Oughton 2021)."""
    return satellite_bps * overbooking / (users_per_km2 * area_km2)


def bits_per_symbol(es_n0_db: FloatArray) -> FloatArray:
    """Return the efficiency of the best DVB-S2X mode at each Es/N0, shape of the input.

    Below the first mode it is the first one's: globalsat, whose figures need this, fails no link.
    """
    thresholds_db, efficiencies = np.array(DVB_S2X).T
    mode = np.searchsorted(thresholds_db, es_n0_db, side="right") - 1
    return np.asarray(efficiencies[np.maximum(mode, 0)])


def dvb_efficiency(bch_bits: int, bits_of_a_symbol: int) -> float:
    """Return payload bits per symbol of a normal DVB-S2 frame without pilots.

    ETSI EN 302 307-1: 64,800 coded bits and a header of 90 symbols carry a frame whose BCH code
    protects `bch_bits` (table 5a), 80 of them the base-band header.
    """
    return (bch_bits - 80) / (90 + 64_800 / bits_of_a_symbol)


def shannon_es_n0_db(efficiency: float) -> float:
    """Return the Es/N0 below which no code reaches an efficiency, in bits per complex symbol."""
    return 10.0 * math.log10(2.0**efficiency - 1.0)


@dataclass(frozen=True)
class LinkBudget:
    """A downlink as globalsat (edwardoughton/globalsat, 2021-10) budgets it.

    What all its systems share is given as defaults.
    """

    satellites: int
    altitude_m: float
    frequency_hz: float
    bandwidth_hz: float
    dish_m: float
    receiver_gain_dbi: float
    power_dbw: float = 30.0
    dish_efficiency: float = 0.6
    losses_db: float = 12.0 + 0.53  # atmosphere, everything else
    channels: int = 8
    temperature_k: float = 290.0
    noise_bandwidth_hz: float = 0.25e9  # the same for all, also where the channel is wider
    light_m_s: float = 3e8
    earth_km2: float = 510e6

    @property
    def area_km2(self) -> float:
        """The part of the Earth for which one satellite is responsible."""
        return self.earth_km2 / self.satellites

    @property
    def range_m(self) -> float:
        """The slant to half the mean distance between satellites, over a flat Earth."""
        return math.hypot(math.sqrt(self.area_km2) / 2.0 * 1e3, self.altitude_m)

    def es_n0_db(self, fading_db: FloatArray) -> FloatArray:
        """Return the signal over noise for some values of the random loss."""
        gain_dbi = dish_gain_dbi(
            self.dish_m, self.frequency_hz, self.dish_efficiency, self.light_m_s
        )
        loss_db = free_space_loss_db(self.range_m, self.frequency_hz, self.light_m_s)
        # Powers are in dBW and the noise in dBm, so it counts 30 dB too much; kept for its figures.
        noise_db = thermal_noise_dbm(self.noise_bandwidth_hz, self.temperature_k)
        clear_db = self.power_dbw + gain_dbi + self.receiver_gain_dbi - loss_db - self.losses_db
        return np.asarray(clear_db - noise_db - fading_db)

    def mean_capacity_bps(self, fading_db: FloatArray) -> float:
        """Return the capacity of a satellite, averaged over values of the random loss."""
        mean_bits = float(bits_per_symbol(self.es_n0_db(fading_db)).mean())
        return satellite_capacity_bps(self.bandwidth_hz, mean_bits, self.channels)


def globalsat_fading_db(mean: float = 2.0, sigma: float = 10.0, draws: int = 10_000) -> FloatArray:
    """Return evenly spread quantiles of globalsat's random loss, shape (draws,).

    It is log-normal, with parameters from decimal logarithms where the textbook has natural ones,
    so that its mean and deviation are not `mean` and `sigma`.
    """
    deviation = math.sqrt(math.log10(1.0 + (sigma / mean) ** 2))
    centre = math.log10(mean) - deviation**2 / 2.0
    return np.asarray(np.exp(centre + deviation * ndtri((np.arange(draws) + 0.5) / draws)))


def hops_by_the_fewest_planes(
    planes: int, per_plane: int, phasing: int, plane: int, slot: int
) -> int:
    """Return the hops over +Grid from satellite (0, 0) of a Walker delta by the older formula.

    It goes the shorter way around the planes and then along the orbit (Chen et al., IEEE TVT 2021),
    although the longer way may bring the phase nearer.
    """
    eastward = plane <= planes - plane
    across = plane if eastward else planes - plane
    # A whole round of planes shifts the phase by as many slots as the phasing.
    along = (slot if eastward else slot + phasing) % per_plane
    return across + min(along, per_plane - along)
