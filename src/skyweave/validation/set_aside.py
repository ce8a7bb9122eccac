"""Rows that nothing in Skyweave can judge yet, each with the reason."""

_SCHEDULER = (
    "Needs the scheduler: which of the satellites in view the operator picks, slot by slot, over "
    "the constellation of the study's days."
)
_CAPACITY = (
    "Needs radio and traffic: link rates, a demand grid and the places of ground stations, which "
    "the paper does not list in full."
)
_DISHES = "Measured at real dishes on other days; belongs to the comparison with measurements."
_LOADED = "Measured under load; needs packets and queues, which nothing here models."
_RATES = "Measured rates of users; needs radio and traffic."

SET_ASIDE = {
    "HYP-29": "Needs packets: TCP flows over moving paths in a packet simulator.",
    "HAN-02": "A measurement of the Internet in 2018, a line to draw beside others; not computed.",
    "DPO-01": _CAPACITY,
    "DPO-02": _CAPACITY,
    "DPO-03": _CAPACITY,
    "DPO-04": _CAPACITY,
    "DPO-08": _CAPACITY,
    "DPO-10": (
        "The beam angles and the slants at which the paper took its footprints are not in the "
        "table, and without them any area can be had."
    ),
    "SCH-02": "Needs the orbital elements of June 2023, which are not shipped.",
    "SCH-03": _SCHEDULER,
    "SCH-04": _SCHEDULER,
    "SCH-05": _SCHEDULER,
    "SCH-09": _SCHEDULER,
    "MEA-01": _DISHES,
    "MEA-04": _DISHES,
    "MEA-05": _LOADED,
    "MEA-06": _RATES,
    "MEA-07": _DISHES,
    "MEA-08": _SCHEDULER,
    "MEA-12": _LOADED,
    "MEA-13": "Measured loss of packets; needs packets and queues, which nothing here models.",
    "MEA-14": _RATES,
    "MEA-20": (
        "Needs round-trip times measured at a dish; belongs to the comparison with measurements."
    ),
    "MEA-21": _DISHES,
    "MEA-22": _DISHES,
    "MEA-24": _DISHES,
    "ORB-10": "An input for scenarios of solar storms, not a result.",
    "ORB-11": "An input for scenarios of solar storms, not a result.",
}
