import warnings
from datetime import UTC, datetime, timedelta

import numpy as np
import obspy
import pytest

from mlcore.waveform import read, scan
from tests.mlcore.recordings import AT_150_HZ, ETNA, GAPS, MONTSERRAT, REFTEK, STRONG_MOTION, STRONG_MOTION_GZ, real


@pytest.mark.parametrize(
    ("path", "station", "rate_hz", "samples", "recorded"),
    [
        (MONTSERRAT, ".MBGA.J", 75.19, 3675, "ZNE"),
        (MONTSERRAT, ".MBLG.J", 75.19, 3675, None),
        (ETNA, "ETNA.EMFO.", 100, 6000, "Z"),
        (STRONG_MOTION, ".MEMA.", 250, 5750, "ZNE"),
        (STRONG_MOTION_GZ, ".STN.", 250, 8250, "ZNE"),
        (AT_150_HZ, ".CER.00", 150, 10650, "ZNE"),
        (REFTEK, ".KW1.", 200, 6878, "ZNE"),
        (GAPS, "BW.BGLD.", 200, 54376, "E"),
    ],
)
def test_real_recordings_are_read_as_obspy_reads_them(path, station, rate_hz, samples, recorded):
    result = read(path, station=station)
    assert (result.station_id, result.sampling_rate_hz, result.samples) == (station, rate_hz, samples)
    if recorded:
        assert "".join(c for c in "ZNE" if result.recorded(c)) == recorded
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stream = obspy.read(str(path)).select(station=station.split(".")[1])
    for trace in stream:
        if trace.stats.channel[:-1] == result.band_code and trace.stats.channel[-1] in "ZNE":
            row = "ZNE".index(trace.stats.channel[-1])
            first = round(
                (trace.stats.starttime.datetime.replace(tzinfo=UTC) - result.starttime).total_seconds() * rate_hz
            )
            np.testing.assert_array_equal(result.data[row, first : first + trace.stats.npts], trace.data)


def test_gaps_hidden_from_headers_alone_are_found():
    assert {h.channel: (h.samples, h.gaps) for h in scan(REFTEK)} == {
        "EH0": (6800, 1),
        "EH1": (6800, 1),
        "EH2": (6800, 1),
    }
    assert [h.gaps for h in scan(GAPS)] == [3]


@pytest.mark.real_data
def test_an_hour_of_sac_files_is_read_by_span():
    folder = real("luhu/2020.088.13/waveforms")
    start = datetime(2020, 3, 28, 13, tzinfo=UTC)
    paths = sorted(folder.glob("*LH01*"))
    station = scan(paths[0])[0].station_id
    result = read(paths, station=station, starttime=start, endtime=start + timedelta(minutes=1))
    assert result.data.shape == (3, 6000)
    assert result.mask.all()
    assert result.starttime == start


@pytest.mark.real_data
@pytest.mark.parametrize(("folder", "files"), [("mass_movements", 40), ("sechilienne", 3)])
def test_real_event_files_are_read_whole(folder, files):
    for path in sorted(real(f"{folder}/waveforms").iterdir())[:files]:
        headers, result = scan(path), read(path)
        assert result.station_id == headers[0].station_id
        assert result.mask.any(axis=1).sum() == len({h.channel[-1] for h in headers} & set("ZNE12"))
