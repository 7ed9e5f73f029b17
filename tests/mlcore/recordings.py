"""Where recordings for tests come from: our fixtures, what ships inside obspy, and real data if there is any."""

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import obspy
import pytest

from mlcore.traces import Waveform

FIXTURES = Path(__file__).parents[2] / "fixtures" / "recordings"
OBSPY = Path(obspy.__file__).parent / "io"
DATA = Path(os.environ.get("SEISLOOP_DATA", Path(__file__).parents[3] / "shared" / "data"))
START = datetime(2024, 5, 1, tzinfo=UTC)

MONTSERRAT = OBSPY / "seisan/tests/data/9701-30-1048-54S.MVO_21_1"
ETNA = OBSPY / "dmx/tests/data/131114_090600.dmx"
STRONG_MOTION = OBSPY / "kinemetrics/tests/data/BI008_MEMA-04823.evt"
STRONG_MOTION_GZ = OBSPY / "kinemetrics/tests/data/STNA.20020722.044649.evt.gz"
AT_150_HZ = OBSPY / "seisan/tests/data/2005-07-23-1452-04S.CER___030.mseed"
REFTEK = OBSPY / "reftek/tests/data/225051000_00008656"
GAPS = OBSPY / "mseed/tests/data/gaps.mseed"


def fixture(name: str) -> Path:
    return FIXTURES / f"{name}.mseed"


def real(path: str) -> Path:
    if not (DATA / path).exists():
        pytest.skip(f"real recordings are not at {DATA / path}")
    return DATA / path


def waveform(
    data: np.ndarray, rate_hz: float = 100.0, mask: np.ndarray | None = None, components: str = "ZNE"
) -> Waveform:
    """A waveform of data (components, samples)."""
    data = np.atleast_2d(np.asarray(data, dtype=float))
    return Waveform(
        network="XX",
        station="AAA",
        location="00",
        band_code="EH",
        components=tuple(components[: len(data)]),
        sampling_rate_hz=rate_hz,
        starttime=START,
        data=data,
        mask=np.ones(data.shape, dtype=bool) if mask is None else np.atleast_2d(mask),
    )
