"""Checks of rows that are closed formulas: radio, capacity, weather, cells."""

import h3
import numpy as np

from skyweave.constants import FIBRE_INDEX, SPEED_OF_LIGHT_M_S
from skyweave.frames import great_circle_m
from skyweave.time import slot_grid
from skyweave.validation.formulas import (
    LinkBudget,
    capacity_per_active_user_bps,
    dvb_efficiency,
    globalsat_fading_db,
    hexagon_area_m2,
    satellite_capacity_bps,
    shannon_es_n0_db,
    thermal_noise_dbm,
)
from skyweave.validation.judge import Finding
from skyweave.validation.registry import all_within, check, listed, within
from skyweave.validation.table import Row
from skyweave.validation.weather import cloud_loss_db, gas_loss_db_per_km, rain_loss_db

MILE_M = 1609.344
LONDON_DEG, NEW_YORK_DEG = (51.5074, -0.1278), (40.7128, -74.0060)

GLOBALSAT = {
    "Starlink": LinkBudget(5040, 550e3, 13.5e9, 0.5e9, dish_m=0.7, receiver_gain_dbi=38.0),
    "OneWeb": LinkBudget(720, 1200e3, 13.5e9, 0.25e9, dish_m=0.75, receiver_gain_dbi=38.0),
    "Kuiper": LinkBudget(3240, 610e3, 17.7e9, 0.25e9, dish_m=1.0, receiver_gain_dbi=39.0),
}
USERS_PER_KM2, OVERBOOKING = 0.1, 20.0

# Starlink's downlink as Humphreys et al. 2023 found it.
SAMPLES_PER_S, SUBCARRIERS, PREFIX_SAMPLES = 240e6, 1024, 32
SYMBOLS_PER_FRAME, GUARD_S = 302, 68e-6 / 15
KU_DOWN_HZ, CHANNEL_SPACING_HZ = (10.7e9, 12.7e9), 250e6


@check("HAN-01")
def fibre_along_the_great_circle(row: Row) -> Finding:
    distance_m = float(great_circle_m(*LONDON_DEG, *NEW_YORK_DEG))
    rtt_ms = 2e3 * distance_m * FIBRE_INDEX / SPEED_OF_LIGHT_M_S
    below_ms, above_ms = 0.5, 1.0  # 54.5 to 56.0
    expected_ms = row.numbers[0]
    note = f"{distance_m / 1e3:.0f} km between the city centres, fibre index {FIBRE_INDEX}."
    is_near = expected_ms - below_ms <= rtt_ms <= expected_ms + above_ms
    return Finding(f"{rtt_ms:.2f}", is_near, note)


@check("OSO-01")
def busy_hour_capacity_per_user(row: Row) -> Finding:
    """The link budgets of the paper's public code, over quantiles of its random loss."""
    fading_db = globalsat_fading_db()
    each_mbps = [
        capacity_per_active_user_bps(
            budget.mean_capacity_bps(fading_db), budget.area_km2, USERS_PER_KM2, OVERBOOKING
        )
        / 1e6
        for budget in GLOBALSAT.values()
    ]
    tenths = [0.1 * value for value in row.numbers]
    note = (
        "The inputs of globalsat as of October 2021, 10,000 quantiles of the random loss instead "
        "of 100 draws, the modes of DVB-S2X in rising order (its list is not). Its noise is taken "
        "in dBm beside powers in dBW, which is kept."
    )
    return Finding(listed(each_mbps, ".2f"), all_within(each_mbps, row.numbers, tenths), note)


@check("OSO-03")
def capacity_of_one_satellite(row: Row) -> Finding:
    mbps = satellite_capacity_bps(250e6, 5.1152, channels=8, polarisations=2) / 1e6
    rounding_mbps = 1e-6
    return Finding(f"{mbps:.1f}", within(mbps, row.numbers[0], rounding_mbps))


@check("OSO-04")
def noise_power(row: Row) -> Finding:
    noise_dbm = thermal_noise_dbm(bandwidth_hz=0.25e9, temperature_k=290.0)
    thousandth_db = 1e-3
    return Finding(f"{noise_dbm:.3f}", within(noise_dbm, row.numbers[0], thousandth_db))


@check("OSO-06")
def capacity_per_user_at_the_lowest_efficiency(row: Row) -> Finding:
    """The median of the Starlink rows in globalsat's results of July 2022."""
    satellite_bps = satellite_capacity_bps(500e6, 1.647211, channels=8, polarisations=2)
    area_km2 = 510e6 / 4425
    mbps = capacity_per_active_user_bps(satellite_bps, area_km2, USERS_PER_KM2, OVERBOOKING) / 1e6
    hundredth_mbps = 0.01
    note = (
        "1.647211 bit/s/Hz in 8 channels of 500 MHz and 2 polarisations; 4,425 satellites share "
        "510 million square kilometres."
    )
    return Finding(f"{mbps:.2f}", within(mbps, row.numbers[0], hundredth_mbps), note)


@check("SCH-01")
def seconds_at_which_slots_begin(row: Row) -> Finding:
    """The slot grid of a run that begins anywhere in a minute."""
    grid = slot_grid(np.datetime64("2023-06-01T08:30:29", "ns"), duration_s=3600.0, slot_s=15.0)
    of_minute_s = np.unique((grid.utc - grid.utc.astype("datetime64[m]")) / np.timedelta64(1, "s"))
    exact_s = 0.0
    note = "The seconds at which an hour's slots begin; the grid follows this observation."
    is_equal = all_within(of_minute_s.tolist(), row.numbers, exact_s)
    return Finding(listed(of_minute_s.tolist(), ".0f"), is_equal, note)


@check("PHY-01")
def symbol_and_subcarrier(row: Row) -> Finding:
    found = [1e6 * symbol_s(), SAMPLES_PER_S / SUBCARRIERS]
    rounding = 1e-9
    return Finding(f"{found[0]:.1f};{found[1]:.0f}", all_within(found, row.numbers, rounding))


def symbol_s() -> float:
    """Return how long one OFDM symbol of Starlink lasts, its cyclic prefix included."""
    return (SUBCARRIERS + PREFIX_SAMPLES) / SAMPLES_PER_S


@check("PHY-02")
def frame_period(row: Row) -> Finding:
    frame_ms = 1e3 * (SYMBOLS_PER_FRAME * symbol_s() + GUARD_S)
    one, per_s, rounded_ms = row.numbers
    nanosecond_ms, last_digit_ms = 1e-6, 1e-5
    is_equal = within(frame_ms, 1e3 * one / per_s, nanosecond_ms)
    return Finding(f"{frame_ms:.6f}", is_equal and within(frame_ms, rounded_ms, last_digit_ms))


@check("PHY-03")
def channels_of_the_downlink(row: Row) -> Finding:
    """As many centres as keep their channel within the band, by the paper's formula."""
    subcarrier_hz = SAMPLES_PER_S / SUBCARRIERS
    first_hz, last_hz = KU_DOWN_HZ
    number = np.arange(1, 20)
    centre_hz = first_hz + subcarrier_hz / 2.0 + CHANNEL_SPACING_HZ * (number - 0.5)
    channels = int(np.count_nonzero(centre_hz + SAMPLES_PER_S / 2.0 <= last_hz))
    guard_hz = CHANNEL_SPACING_HZ - SAMPLES_PER_S
    found = [channels, CHANNEL_SPACING_HZ / 1e6, guard_hz / 1e6]
    rounding = 1e-9
    return Finding(listed(found, ".0f"), all_within(found, row.numbers, rounding))


@check("PHY-04")
def loss_in_rain(row: Row) -> Finding:
    loss_db = rain_loss_db(51.5, -0.14, 14.25e9, 31.077, 31.38, 1.0, rain_mm_h=26.48, tilt_deg=0.0)
    thousandth_db = 1e-3
    return Finding(f"{loss_db:.4f}", within(loss_db, row.numbers[0], thousandth_db))


@check("PHY-06")
def loss_in_air(row: Row) -> Finding:
    loss_db_per_km = gas_loss_db_per_km(20e9, 1013.25, vapour_g_m3=7.5, temperature_k=288.15)
    table_digits = 1e-4
    return Finding(f"{loss_db_per_km:.5f}", within(loss_db_per_km, row.numbers[0], table_digits))


@check("PHY-08")
def loss_in_clouds(row: Row) -> Finding:
    loss_db = cloud_loss_db(51.5, -0.14, 14.25e9, 31.077, percent_of_time=1.0)
    thousandth_db = 1e-3
    return Finding(f"{loss_db:.4f}", within(loss_db, row.numbers[0], thousandth_db))


@check("PHY-09")
def modes_of_dvb_s2x(row: Row) -> Finding:
    """Efficiencies follow from the frame; thresholds are only held against Shannon's limit."""
    frames = ((16_008, 2), (43_040, 3), (58_192, 5), (48_408, 8))  # BCH bits, bits of a symbol
    efficiencies = [dvb_efficiency(*frame) for frame in frames]
    thresholds_db = row.numbers[0::2]
    table_digits, worst_code_db = 1e-6, 3.0
    above_db = [
        threshold_db - shannon_es_n0_db(efficiency)
        for threshold_db, efficiency in zip(thresholds_db, efficiencies, strict=True)
    ]
    is_equal = all_within(efficiencies, row.numbers[1::2], table_digits)
    note = (
        "The efficiencies follow from the frame's bits and symbols. The thresholds come from the "
        "standard's simulations; they are only seen to lie "
        f"{min(above_db):.1f} to {max(above_db):.1f} dB above Shannon's limit."
    )
    is_plausible = all(0.0 < each <= worst_code_db for each in above_db)
    return Finding(listed(efficiencies, ".6f"), is_equal and is_plausible, note)


@check("CEL-01")
def users_per_square_mile(row: Row) -> Finding:
    users, density = row.numbers
    per_square_mile = users / 62.9
    table_digits = 0.005
    note = "An identity: the users over the area of the workload."
    return Finding(
        f"{users:.0f};{per_square_mile:.2f}", within(per_square_mile, density, table_digits), note
    )


@check("CEL-02")
def area_of_a_cell(row: Row) -> Finding:
    area_km2 = hexagon_area_m2(15.0 * MILE_M) / 1e6
    one_km2 = 1.0
    return Finding(f"{area_km2:.1f}", within(area_km2, row.numbers[0], one_km2))


@check("CEL-03")
def areas_of_h3_cells(row: Row) -> Finding:
    """The library's own averages, for the resolutions that the row names."""
    areas_km2 = [h3.average_hexagon_area(resolution, unit="km^2") for resolution in (4, 5, 6)]
    table_digits_km2 = 1e-3
    return Finding(listed(areas_km2, ".3f"), all_within(areas_km2, row.numbers, table_digits_km2))
