"""The Åknes data set in the layout its authors distribute."""

import shutil

import numpy as np
import obspy
import pytest

from mlcore.errors import BadConfiguration, UnusableWaveform
from mlcore.pretrain.aknes import read_aknes
from tests.mlcore.recordings import MONTSERRAT, real

NAME = "2007_034_45_117472.dat"


@pytest.mark.real_data
@pytest.mark.filterwarnings("ignore::UserWarning")  # obspy's, of SEG-2 headers
def test_the_real_file_is_read_as_24_channels_exactly_as_obspy_reads_them():
    folder = real("aknes")
    pool, skipped = read_aknes(folder)
    assert pool.windows.shape == (1, 24, 16_000)
    assert pool.sampling_rate_hz == 1000
    assert pool.recorded.all()
    assert pool.labels == ("Regional",)
    assert pool.facts[0].starttime.isoformat() == "2007-02-03T06:22:35+00:00"
    np.testing.assert_array_equal(pool.windows[0], [trace.data for trace in obspy.read(folder / NAME)])
    assert len(skipped) == 3428  # 3429 are listed
    assert "Unpack" in skipped[0].reason


@pytest.mark.real_data
def test_files_are_found_under_the_path_that_the_list_gives(tmp_path):
    place = tmp_path / "AknesDataFiles" / "DataSamples" / "Unlabeled"
    place.mkdir(parents=True)
    shutil.copy(real("aknes") / NAME, place / NAME)
    listed = rf"dataset\AknesDataFiles\DataSamples\Unlabeled\{NAME}"
    (tmp_path / "data_dir.csv").write_text(f"fname,event\n{listed},Unlabeled\n")
    pool, skipped = read_aknes(tmp_path)
    assert skipped == []
    assert pool.labels == ("",)
    assert len(pool.labelled()) == 0


def test_a_record_of_another_rate_is_said_and_left_out(tmp_path):
    shutil.copy(MONTSERRAT, tmp_path / "other.dat")
    (tmp_path / "data_dir.csv").write_text("fname,event\nother.dat,Rockfall\n")
    with pytest.raises(UnusableWaveform, match="no"):
        read_aknes(tmp_path)


def test_a_list_with_other_columns_is_refused(tmp_path):
    (tmp_path / "data_dir.csv").write_text("file,label\na.dat,Rockfall\n")
    with pytest.raises(BadConfiguration, match="fname and event"):
        read_aknes(tmp_path)
    with pytest.raises(BadConfiguration, match="cannot be read"):
        read_aknes(tmp_path / "elsewhere")
