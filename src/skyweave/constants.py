"""Physical constants, each with its source."""

SPEED_OF_LIGHT_M_S = 299_792_458.0  # exact, SI
FIBRE_INDEX = 1.468  # group index of G.652 single-mode fibre at 1550 nm (Corning SMF-28 data sheet)

WGS84_A_M = 6_378_137.0  # semi-major axis, NIMA TR8350.2
WGS84_F = 1.0 / 298.257223563  # flattening, NIMA TR8350.2

WGS72_RADIUS_KM = 6378.135  # SGP4's Earth radius, Vallado et al. AIAA 2006-6753
WGS72_MU_KM3_S2 = 398600.8  # SGP4's gravitational parameter, same source
WGS72_J2 = 0.001082616
WGS72_J3 = -0.00000253881
WGS72_J4 = -0.00000165597

EARTH_MEAN_RADIUS_M = 6_371_008.8  # IUGG mean radius R1, for great-circle distances
EARTH_ROTATION_RAD_S = 7.292115146706979e-5  # sidereal, in the TEME-to-ITRF velocity (Vallado 2013)
GEO_RADIUS_M = 42_164_000.0  # geostationary arc: radius of a circular orbit of one sidereal day
