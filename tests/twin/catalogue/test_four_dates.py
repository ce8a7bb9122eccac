"""Catalogues of four years read whole: counts as published, classes shown, refused rows listed."""

import gzip
import json
import lzma

import pytest

from skyweave.twin.catalogue import check_catalogue, read_catalogue

# Objects of each file as the README of the reference data lists them; where it gives no number,
# that of the records or lines 1 in the file itself, counted by the test.
FILES = {
    "tle/2022-09-14_starrynet/Iridium.tle": 31,
    "tle/2022-09-14_starrynet/Telesat.tle": 21,
    "tle/2024-10-21T0730Z/starlink.tle.gz": 6_469,
    "omm/starlink_2025-05-24_gp.json.xz": 7_483,
    "omm/goes_2025-05-24_gp.json": None,
    "omm/noaa_2025-05-24_gp.json": None,
    "omm/weather_2025-05-24_gp.json": None,
    "tle/2026-05-28T0635Z/starlink.tle.gz": 10_398,
    "tle/2026-05-28T0635Z/oneweb.tle": 651,
    "tle/2026-05-28T0635Z/geo.tle": 574,
    "tle/2026-05-28T0635Z/stations.tle": 26,
    "tle/2026-05-28T0635Z/weather.tle": 74,
    "tle/2026-05-28T0635Z/science.tle": 49,
    "tle/2026-05-28T0635Z/resource.tle": 167,
    "tle/2026-06-14/active.tle.xz": 15_699,
    "tle/2026-06-14/starlink.tle.gz": 10_544,
    "tle/2026-06-14/oneweb.tle.gz": 651,
    "tle/2026-06-14/gps-ops.tle": 32,
    "tle/2026-06-14/stations.tle": 25,
    "tle/2026-06-14/weather.tle": 74,
    "tle/2026-06-14/science.tle": 49,
}
FLEETS = {  # name: least share that must be told as on station or direct-to-cell
    "tle/2024-10-21T0730Z/starlink.tle.gz": 0.95,
    "omm/starlink_2025-05-24_gp.json.xz": 0.90,
    "tle/2026-05-28T0635Z/starlink.tle.gz": 0.90,
    "tle/2026-06-14/starlink.tle.gz": 0.90,
    "tle/2026-05-28T0635Z/oneweb.tle": 0.95,
    "tle/2026-06-14/oneweb.tle.gz": 0.95,
}


def unpacked(path) -> bytes:
    packed = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(packed)
    return lzma.decompress(packed) if path.suffix == ".xz" else packed


def counted(content: bytes) -> int:
    """Return how many sets a text holds, without any reader of ours."""
    if content.startswith(b"["):
        return len(json.loads(content))
    return sum(line.startswith(b"1 ") for line in content.splitlines())


@pytest.mark.parametrize("name", FILES)
def test_every_object_of_a_date_is_read_and_none_refused(reference_data, name, record_figure):
    answer = check_catalogue(reference_data / name)
    expected = FILES[name] or counted(unpacked(reference_data / name))
    assert answer["objects"] == expected == counted(unpacked(reference_data / name))
    assert answer["duplicates"] == 0
    assert answer["refused"] == []
    classes = {kind: n for kind, n in answer["classes"].items() if n}
    assert sum(classes.values()) == expected
    told = classes.get("on_station", 0) + classes.get("direct_to_cell", 0)
    assert told >= FLEETS.get(name, 0.0) * expected
    listed = ", ".join(f"{kind} {n:,}" for kind, n in classes.items())
    record_figure(
        f"catalogue {name}: objects, classes, refused rows",
        f"{expected:,}: {listed}; 0 refused",
        "",
        "as the data README counts",
    )


def test_the_counts_are_those_of_the_readme_and_of_the_fetching_program(reference_data):
    readme = (reference_data / "README.md").read_text(encoding="utf-8")
    for name, count in FILES.items():
        assert name in readme
        assert count is None or f"{count:,}" in readme
    groups = json.loads((reference_data / "tle/2026-06-14/manifest.json").read_text())["groups"]
    for name, count in FILES.items():
        if name.startswith("tle/2026-06-14/"):
            assert groups[name.split("/")[-1].split(".")[0]]["objects"] == count


def test_a_folder_lists_the_one_file_that_is_no_catalogue(reference_data, record_figure):
    catalogue = read_catalogue(reference_data / "tle" / "2026-06-14")
    expected = sum(n for name, n in FILES.items() if name.startswith("tle/2026-06-14/") and n)
    assert len(catalogue) == expected
    (issue,) = catalogue.issues
    assert issue.source.endswith("manifest.json")
    assert (issue.line, issue.reason) == (0, "line 1: NORAD_CAT_ID is missing")
    record_figure("folder of 2026-06-14: files that are no catalogue", 1, "file", "1, listed")


@pytest.mark.parametrize(
    "name",
    [
        "tle/2022-09-14_starrynet/Iridium.tle",
        "tle/2024-10-21T0730Z/starlink.tle.gz",
        "omm/starlink_2025-05-24_gp.json.xz",
        "tle/2026-05-28T0635Z/starlink.tle.gz",
        "tle/2026-06-14/active.tle.xz",
    ],
)
def test_rows_spoiled_on_purpose_are_listed_and_the_others_stay(reference_data, saved, name):
    content = unpacked(reference_data / name)
    spoiled, lines = spoil(content)
    before, after = read_catalogue(saved(content)), read_catalogue(saved(spoiled))
    assert len(after) == len(before) - 3
    assert sorted(issue.line for issue in after.issues) == lines
    for issue in after.issues:
        assert "inclination" in issue.reason
        assert "999" in issue.text or "999" in issue.reason


def spoil(content: bytes) -> tuple[bytes, list[int]]:
    """Give the first, middle and last set an inclination of 999 deg; return their lines."""
    if content.startswith(b"["):
        records = json.loads(content)
        rows = [0, len(records) // 2, len(records) - 1]
        for row in rows:
            records[row]["INCLINATION"] = 999
        text = ",\n".join(json.dumps(record) for record in records)
        return f"[{text}]".encode(), [row + 1 for row in rows]
    lines = content.split(b"\n")
    seconds = [at for at, line in enumerate(lines) if line.startswith(b"2 ")]
    chosen = [seconds[0], seconds[len(seconds) // 2], seconds[-1]]
    for at in chosen:
        lines[at] = with_checksum(lines[at][:8] + b"999.0000" + lines[at][16:])
    return b"\n".join(lines), [at + 1 for at in chosen]


def with_checksum(line: bytes) -> bytes:
    total = sum(int(chr(c)) if chr(c).isdigit() else c == ord("-") for c in line[:68])
    return line[:68] + str(total % 10).encode() + line[69:]
