"""Measured series: each form read as its tool means it, and bad files refused with advice."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyweave.errors import InputError
from skyweave.realism import json_size, series_formats
from skyweave.realism import series as series_module
from skyweave.realism.series import read_series

START_S = 1_750_000_002
A_MICROSECOND = np.timedelta64(1, "us")
LEOVIZ = "measurements/leoviz_2025-05-29/"


def written(tmp_path, text, name="pings.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(count=100, rtt="40.0", start_s=START_S):
    return [f"{start_s + k / 10}\t{k + 1}\t{rtt}" for k in range(count)]


def ping_lines(*numbers, rtt="31.5"):
    return [
        f"[{START_S + k / 10:.6f}] 64 bytes from 192.0.2.1: icmp_seq={k} ttl=63 time={rtt} ms"
        for k in numbers
    ]


def test_rows_of_time_number_and_rtt_are_milliseconds(tmp_path):
    found = read_series(written(tmp_path, "\n".join(rows())))
    assert (found.form, len(found), found.lost.sum(), found.bad_rows) == ("columns", 100, 0, 0)
    np.testing.assert_allclose(found.rtt_s, 0.040)
    assert abs(found.t_utc[10] - np.datetime64(START_S + 1, "s")) < A_MICROSECOND
    assert found.issues == ()


@pytest.mark.parametrize("loss", ["-1", "nan", "0", "*", "timeout", "-1.0", "0.0"])
def test_a_loss_is_never_a_round_trip_of_zero(tmp_path, loss):
    lines = rows()
    lines[5] = f"{START_S + 0.5}\t6\t{loss}"
    found = read_series(written(tmp_path, "\n".join(lines)))
    assert np.flatnonzero(found.lost).tolist() == [5]
    assert np.isnan(found.rtt_s[5])
    assert (found.rtt_s[found.answered] > 0.0).all()


def test_ping_text_counts_numbers_that_never_came_back(tmp_path):
    lines = [
        "PING 192.0.2.1 (192.0.2.1) 56(84) bytes of data.",
        *ping_lines(1, 2, 5, 4, 4),
        f"[{START_S + 0.6:.6f}] no answer yet for icmp_seq=6",
        f"[{START_S + 0.7:.6f}] From 192.0.2.9 icmp_seq=7 Destination Host Unreachable",
        *ping_lines(8),
        "--- 192.0.2.1 ping statistics ---",
        "8 packets transmitted, 5 received, 37.5% packet loss, time 801ms",
        "rtt min/avg/max/mdev = 31.5/31.5/31.5/0.000 ms",
    ]
    found = read_series(written(tmp_path, "\n".join(lines)))
    assert (found.form, len(found), found.bad_rows) == ("ping", 8, 0)
    assert np.flatnonzero(found.lost).tolist() == [2, 5, 6]  # numbers 3, 6 and 7
    assert abs(found.t_utc[2] - np.datetime64(START_S * 10**9 + 300_000_000, "ns")) < A_MICROSECOND
    assert "1 answers came twice; the first of each counts" in found.issues
    assert "1 numbers of the sequence are missing: counted as lost" in found.issues


def test_pings_sequence_goes_on_after_65536(tmp_path):
    lines = [
        f"[{START_S + k / 10:.6f}] 64 bytes from a: icmp_seq={number % 65536} ttl=63 time=30 ms"
        for k, number in enumerate(range(65530, 65542))
    ]
    found = read_series(written(tmp_path, "\n".join(lines)))
    assert (len(found), found.lost.sum(), found.clock_jumps) == (12, 0, 0)


def test_pings_without_times_are_to_be_measured_again(tmp_path):
    path = written(tmp_path, "64 bytes from 192.0.2.1: icmp_seq=1 ttl=63 time=31 ms\n" * 3)
    with pytest.raises(InputError, match="have no times; measure again with `ping -D`"):
        read_series(path)


@pytest.mark.parametrize(
    ("header", "row", "rtt_s"),
    [
        ("timestamp,rtt_ms", "{t},41.5", 0.0415),
        ("time,rtt", "{t},41.5", 0.0415),
        ("t,rtt_s", "{t},0.0415", 0.0415),
        ("time;latency_ms", "{t};41.5", 0.0415),
        ("Timestamp\tRTT_us", "{t}\t41500", 0.0415),
        ("seq,time_utc,rtt_ns", "1,{t},41500000", 0.0415),
        ("timestamp,hardwareVersion,popPingLatencyMs", "{t},rev4,41.5", 0.0415),
    ],
)
def test_columns_are_known_by_name_and_units_by_their_ending(tmp_path, header, row, rtt_s):
    lines = [header, *(row.format(t=START_S + k) for k in range(5))]
    found = read_series(written(tmp_path, "\n".join(lines), "any.csv"))
    np.testing.assert_allclose(found.rtt_s, rtt_s)
    assert found.t_utc[0] == np.datetime64(START_S, "s")


@pytest.mark.parametrize(
    "moments",
    [
        [f"{START_S + k}000" for k in range(3)],
        [f"{START_S + k}000000" for k in range(3)],
        [f"{START_S + k}000000000" for k in range(3)],
        ["2025-06-15T15:06:42Z", "2025-06-15T17:06:43+02:00", "2025-06-15 15:06:44"],
    ],
)
def test_times_may_be_unix_time_of_any_unit_or_iso(tmp_path, moments):
    lines = ["time,rtt_ms", *(f"{moment},40" for moment in moments)]
    found = read_series(written(tmp_path, "\n".join(lines)))
    expected = START_S + np.arange(3)
    assert found.t_utc.tolist() == expected.astype("datetime64[s]").astype("M8[ns]").tolist()
    assert bool(found.issues) == ("T" in moments[0])  # one time without a zone


def test_a_column_may_say_what_was_lost(tmp_path):
    lines = ["time,rtt_ms,lost", f"{START_S},40,0", f"{START_S + 1},40,true", f"{START_S + 2},41,0"]
    assert read_series(written(tmp_path, "\n".join(lines))).lost.tolist() == [False, True, False]


def test_irtt_tells_nanoseconds_and_what_was_lost(tmp_path):
    def trip(k, lost="false"):
        send = {"client": {"send": {"wall": (START_S + k) * 10**9}}}
        delay = {} if lost != "false" else {"rtt": 38_000_000}
        return {"seqno": k, "lost": lost, "timestamps": send, "delay": delay}

    trips = [trip(0), trip(1, "true_up"), trip(2)]
    found = read_series(written(tmp_path, json.dumps({"version": {}, "round_trips": trips})))
    assert (found.form, found.lost.tolist()) == ("irtt", [False, True, False])
    assert found.rtt_s[0] == 0.038
    assert found.t_utc[2] == np.datetime64(START_S + 2, "s")


def history(current, valid=True, **beside):
    latency = [30.0 + k for k in range(10)]
    drop = [0.0] * 9 + [1.0]
    ring = {"current": str(current), "popPingLatencyMs": latency, "popPingDropRate": drop}
    return json.dumps({"apiVersion": "9", "dishGetHistory": ring, **beside})


def test_a_dishs_ring_is_unrolled_from_the_oldest_to_the_newest_sample(tmp_path):
    found = read_series(written(tmp_path, history(23, timestamp="2026-06-14T12:00:09Z")))
    order = [3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    expected_s = np.array([0.030 + k / 1e3 for k in order])
    expected_s[6] = np.nan  # sample 9 was dropped whole
    np.testing.assert_allclose(found.rtt_s, expected_s)
    assert found.t_utc[0] == np.datetime64("2026-06-14T12:00:00")
    assert found.t_utc[-1] == np.datetime64("2026-06-14T12:00:09")


def test_a_dish_that_just_started_has_fewer_samples(tmp_path):
    at_utc = np.datetime64("2026-06-14T12:00:09")
    found = read_series(written(tmp_path, history(4)), read_utc=at_utc)
    np.testing.assert_allclose(found.rtt_s, [0.030, 0.031, 0.032, 0.033])


def test_a_history_without_the_time_of_reading_is_refused(tmp_path):
    with pytest.raises(InputError, match='when it was read; add "read_utc": "2026-06-14T12'):
        read_series(written(tmp_path, history(23)))


def test_gaps_and_clock_jumps_are_counted_and_rows_put_in_order(tmp_path):
    lines = [*rows(50), *rows(50, start_s=START_S + 100), *rows(20, start_s=START_S + 50)]
    found = read_series(written(tmp_path, "\n".join(lines)))
    assert (found.gaps, found.clock_jumps, len(found)) == (2, 1, 120)
    assert found.gap_s == pytest.approx(45.1 + 48.1, abs=1e-3)
    assert (np.diff(found.t_utc) >= np.timedelta64(0)).all()
    assert [issue.split(",")[0] for issue in found.issues] == [
        "2 gaps in which nothing was sent",
        "the clock goes back 1 times; the rows were put in order",
    ]


def test_some_bad_rows_are_left_out_and_told(tmp_path):
    lines = rows(50)
    lines[7], lines[9] = "what a night", "12.5\t3\t44"
    found = read_series(written(tmp_path, "\n".join(lines)))
    assert (len(found), found.bad_rows) == (48, 2)
    assert found.issues[0] == '2 rows left out, the first in line 8: "what a night"'


def test_a_packed_file_is_the_same_file(tmp_path):
    text = "\n".join(rows()).encode()
    plain = read_series(written(tmp_path, text))
    packed = read_series(written(tmp_path, gzip.compress(text), "pings.gz"))
    assert packed.sha256 == plain.sha256
    np.testing.assert_array_equal(packed.rtt_s, plain.rtt_s)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", r"the file is empty; expected `ping -D` text"),
        (b" \n\n", r"the file is empty"),
        (b"\x00\x01\x02", r"not a text file"),
        ("time,rtt_ms\n".encode("utf-16"), r"UTF-16 text; save the file as UTF-8"),
        (b"\x1f\x8bnothing", r"the gzip data is damaged"),
        (gzip.compress(b"1750000002 1 40\n" * 1000, mtime=0)[:30], r"ends too early"),
        (b"a,b\n1,2\n", r"line 1: found columns a, b; expected one of time, such as timestamp"),
        (b"time,b\n1,2\n", r"line 1: found columns time, b; expected one of RTT, such as rtt_ms"),
        (b"12\n13\n14\n", r'line 1: found "12", and 3 of 3 rows cannot be read; expected'),
        (b"time,rtt_ms\n0.0,40\n0.1,41\n", r'line 2: found "0.0", and 2 of 2 rows'),
        (b"time,rtt_ms\n1750000002,forty\n", r'line 2: found "forty", and 1 of 1 rows'),
        (b"1750000002 1 -1\n1750000003 2 -1\n", r"2 rows and fewer than 2 answers in them"),
        (b"{", r"line 1: the JSON text breaks"),
        (b'{"status": 1}', r"JSON without round_trips \(irtt\) or popPingLatencyMs"),
        (b"[[1, 2]]", r"JSON without round_trips"),
        (b"time,rtt_ms\n", r"0 rows and fewer than 2 answers"),
    ],
)
def test_what_is_no_series_is_refused_in_one_line(tmp_path, content, problem):
    with pytest.raises(InputError, match=problem) as refusal:
        read_series(written(tmp_path, content))
    assert "\n" not in str(refusal.value)


def test_a_wrong_unit_is_refused_with_the_name_that_tells_it(tmp_path):
    seconds = ["time,rtt", *(f"{START_S + k},0.041" for k in range(9))]
    with pytest.raises(InputError, match=r"0.041 ms, too little .* name its column rtt_s"):
        read_series(written(tmp_path, "\n".join(seconds)))
    nanoseconds = ["time,rtt_ms", *(f"{START_S + k},41000000" for k in range(9))]
    with pytest.raises(InputError, match=r"too much for a satellite; .* rtt_us or rtt_ns"):
        read_series(written(tmp_path, "\n".join(nanoseconds)))


def test_files_beyond_the_limits_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(series_formats, "MAX_ROWS", 50)
    with pytest.raises(InputError, match="100 lines; at most 50 are read: split the file"):
        read_series(written(tmp_path, "\n".join(rows())))
    monkeypatch.setattr(series_module, "MAX_UNPACKED_BYTES", 1000)
    packed = written(tmp_path, gzip.compress("\n".join(rows()).encode()))
    with pytest.raises(InputError, match=r"more than .* MiB unpacked; split the file"):
        read_series(packed)


def test_gzip_files_laid_end_to_end_are_read_whole(tmp_path):
    pieces = [gzip.compress(("\n".join(rows(9, start_s=START_S + at)) + "\n").encode())
              for at in (0, 100)]  # fmt: skip
    assert len(read_series(written(tmp_path, b"".join(pieces)))) == 18
    with pytest.raises(InputError, match="the gzip data is damaged"):
        read_series(written(tmp_path, pieces[0] + b"junk"))


def test_a_round_trip_that_never_ends_is_left_out_and_told(tmp_path):
    lines = ["time,rtt_ms", *(f"{START_S + k},40" for k in range(9)), f"{START_S + 9},1e308"]
    found = read_series(written(tmp_path, "\n".join(lines)))
    assert (len(found), found.bad_rows, found.rtt_s.max()) == (9, 1, 0.040)
    assert "1 round trips of more than 1,000 s left out" in found.issues


def test_small_json_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(json_size, "MAX_HOLDERS", 50)
    with pytest.raises(InputError, match=r"52 JSON lists and objects .* split the file") as refusal:
        read_series(written(tmp_path, b'{"round_trips": [' + b"{}," * 49 + b"{}]}"))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ('"current": Infinity, "popPingLatencyMs": [40, 41]', "current is no number"),
        ('"current": 2, "popPingLatencyMs": [40, {}]', None),
        ('"current": 2, "popPingLatencyMs": [40, 41], "popPingDropRate": {"a": 1}', None),
        ('"current": 2, "popPingLatencyMs": [40, 41], "popPingDropRate": 5', None),
    ],
)
def test_a_history_of_another_shape_is_read_or_refused_without_a_crash(tmp_path, changes, problem):
    path = written(tmp_path, f'{{"time": "2026-06-14T12:00:09Z", {changes}}}'.encode())
    if problem is None and "{}]" not in changes:
        assert len(read_series(path)) == 2
        return
    with pytest.raises(InputError, match=problem or "fewer than 2 answers"):
        read_series(path)


def test_numbers_that_no_float_holds_are_bad_rows(tmp_path):
    trips = [
        {"timestamps": {"client": {"send": {"wall": wall}}}, "delay": {"rtt": rtt}}
        for wall, rtt in ((10**400, 40_000_000), (1_750_000_002 * 10**9, 10**400))
    ]
    with pytest.raises(InputError, match="2 of 2 rows cannot be read"):
        read_series(written(tmp_path, json.dumps({"round_trips": trips}).encode()))
    line = "[1750000002.1] 64 bytes from 1.1.1.1: icmp_seq=1 ttl=63 time={} ms"
    lines = [line.format("40.1"), *(line.format(odd) for odd in ("4..7", ".", "1.2.3"))]
    with pytest.raises(InputError, match="3 of 4 rows cannot be read"):
        read_series(written(tmp_path, "\n".join(lines)))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.txt: no such file"):
        read_series(tmp_path / "none.txt")


def test_published_series_have_their_known_losses_and_quantiles(reference_data):
    """The figures of the calibration study, which read the files by other programs."""
    half_a_tenth_of_a_millisecond_s = 5e-5
    folder = reference_data / "measurements"
    for name, packets, loss, quantiles_s in (
        (
            "mmsys24_2023-09/no-isl-ping-gw-seattle-230911-170535-0.1s-60min.txt.gz",
            36_000, 0.025, (0.0247, 0.0428, 0.0866),
        ),
        (
            "leoviz_2025-05-29/ping-10ms-2025-05-29-23-20-13.txt.gz",
            8_882, 0.152, (0.0221, 0.0337, 0.110),
        ),
    ):  # fmt: skip
        found = read_series(folder / name)
        assert len(found) == packets
        assert found.lost.mean() == pytest.approx(loss, abs=5e-4)
        np.testing.assert_allclose(
            np.quantile(found.rtt_s[found.answered], (0.05, 0.5, 0.95)),
            quantiles_s,
            atol=half_a_tenth_of_a_millisecond_s,
        )


def test_a_dishs_status_table_and_pings_of_the_same_time_agree(reference_data):
    """Two instruments of one vehicle: the dish's own pings and those of a computer behind it."""
    status = read_series(reference_data / LEOVIZ / "GRPC_STATUS-2025-05-29-23-20-13.csv.gz")
    pings = read_series(reference_data / LEOVIZ / "ping-10ms-2025-05-29-23-20-13.txt.gz")
    medians_s = [np.nanmedian(each.rtt_s) for each in (status, pings)]
    two_milliseconds_s = 2e-3
    assert abs(medians_s[0] - medians_s[1]) < two_milliseconds_s
    assert abs(status.t_utc[0] - pings.t_utc[0]) < np.timedelta64(1, "s")


def test_another_run_of_ping_in_the_same_file_goes_on(tmp_path):
    later = [
        f"[{START_S + 60 + k / 10:.6f}] 64 bytes from a: icmp_seq={k} ttl=63 time=30 ms"
        for k in range(1, 11)
    ]
    lines = [*ping_lines(*range(1, 2_001)), *later]
    found = read_series(written(tmp_path, "\n".join(lines)))
    assert (len(found), found.lost.sum(), found.bad_rows) == (2_010, 0, 0)


def test_a_number_out_of_all_order_is_a_bad_row_and_no_million_losses(tmp_path):
    lines = [*ping_lines(*range(1, 20)), *ping_lines(99_999_999), *ping_lines(20, 21)]
    found = read_series(written(tmp_path, "\n".join(lines)))
    assert (len(found), found.lost.sum(), found.bad_rows) == (21, 0, 1)


def test_times_that_nobody_can_mean_are_bad_rows(tmp_path):
    rows_ = [f"{START_S + k},40" for k in range(5)]
    lines = ["time,rtt_ms", *rows_, "0001-01-01T00:00:00Z,40", "1e30,40"]
    assert read_series(written(tmp_path, "\n".join(lines))).bad_rows == 2


@settings(max_examples=100, deadline=None)
@given(
    where=st.integers(0, 900),
    cut=st.integers(0, 40),
    put=st.sampled_from([b"-1", b"nan", b"1e400", b"\n", b"{", b"\xff", b"icmp_seq=9", b",", b""]),
    form=st.sampled_from(["ping", "csv", "columns"]),
)
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path_factory, where, cut, put, form):
    csv = ["time,rtt_ms", *(f"{START_S + k},40" for k in range(40))]
    lines = {"ping": ping_lines(*range(1, 40)), "csv": csv, "columns": rows(40)}[form]
    text = "\n".join(lines).encode()
    path = tmp_path_factory.mktemp("damaged") / "pings.txt"
    path.write_bytes(text[:where] + put + text[where + cut :])
    problem = ""
    try:
        found = read_series(path)
    except InputError as refusal:
        problem = str(refusal)
    assert "\n" not in problem
    if problem:
        return
    assert (found.rtt_s[found.answered] > 0.0).all()
    assert (np.diff(found.t_utc) >= np.timedelta64(0)).all()
