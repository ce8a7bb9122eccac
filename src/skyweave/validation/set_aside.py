"""Rows that nothing in Skyweave can judge yet, each with the reason."""

_CAPACITY = (
    "Needs radio and traffic: link rates, a demand grid and the places of ground stations, which "
    "the paper does not list in full."
)
_GATEWAYS_2023 = "Follows from the gateways and PoPs of 2023, which are not shipped."
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
    "SCH-09": (
        "Learns from hours of recorded choices of the site that it predicts; none are shipped. How "
        "often our model has the serving satellite among its first five at a site that it was not "
        "fitted on is told by docs/explanation/how-close-to-a-real-dish.md."
    ),
    "MEA-04": (
        "Includes the way from the PoP to M-Lab's servers, whose places are not in the table; "
        "round trips here end at the PoP."
    ),
    "MEA-05": _LOADED,
    "MEA-06": _RATES,
    "MEA-07": (
        "One-way delays of calls; the delay model has round trips, measured by echoes, which do "
        "not tell the two directions apart."
    ),
    "MEA-12": _LOADED,
    "MEA-13": "Measured loss of packets; needs packets and queues, which nothing here models.",
    "MEA-14": _RATES,
    "MEA-20": (
        "Needs round-trip times measured at that dish, which are not shipped. What a static model "
        "misses at other dishes and in 106 countries is told by "
        "docs/explanation/how-close-to-a-real-dish.md."
    ),
    "MEA-21": _GATEWAYS_2023,
    "MEA-22": _GATEWAYS_2023,
    "ORB-10": "An input for scenarios of solar storms, not a result.",
    "ORB-11": "An input for scenarios of solar storms, not a result.",
}
