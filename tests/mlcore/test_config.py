import json
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.config import (
    Catalogue,
    Explanation,
    Network,
    Placement,
    PostProcessing,
    Preprocessing,
    Recipe,
    Training,
)
from mlcore.errors import BadConfiguration


def test_defaults_are_the_papers():
    p = Preprocessing()
    assert (p.window_samples, p.step_samples, p.nyquist_hz) == (3750, 250, 125)
    assert (p.band_hz, p.stft_length, p.stft_length - p.stft_hop) == ((5, 60), 128, 88)
    assert (Training().learning_rate, Training().epochs, Training().batch_size) == (0.0007, 100, 128)
    assert (PostProcessing().threshold, PostProcessing().median, PostProcessing().gaussian_length) == (0.5, 5, 15)


def test_a_recipe_survives_json():
    recipe = Recipe(preprocessing=Preprocessing(band_hz=(1, 8), sampling_rate_hz=20, stft_length=32, stft_hop=8))
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_a_recipe_is_read_from_toml_over_the_defaults(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text("[preprocessing]\nband_hz = [2, 20]\nsampling_rate_hz = 60\n[training]\nepochs = 3\n")
    recipe = Recipe.from_toml(path)
    assert recipe.preprocessing.band_hz == (2.0, 20.0)
    assert recipe.training == Training(epochs=3)
    assert recipe.network == Network()


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
lists = st.lists(texts, min_size=1, max_size=3).map(tuple)


@settings(max_examples=30)
@given(st.dictionaries(texts, lists, max_size=3), texts, st.floats(1e-12, 1e12), st.booleans())
def test_a_recipe_survives_toml_whatever_its_words_and_numbers(only, noise_class, rate, taper):
    recipe = Recipe(
        catalogue=Catalogue(only=only, noise_class=noise_class, noise_span_s=(-20.0, 39.0)),
        preprocessing=Preprocessing(taper=taper),
        training=Training(learning_rate=rate),
    )
    assert Recipe.from_dict(tomllib.loads(recipe.to_toml())) == recipe
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_catalogue_classes_are_counted_to_the_models(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(
        "[catalogue.classes]\nmass_movement = ['rockfall', 'debris flow']\n'quarry blast' = ['explosion']\n"
    )
    catalogue = Recipe.from_toml(path).catalogue
    assert catalogue.class_of == {
        "rockfall": "mass_movement",
        "debris flow": "mass_movement",
        "explosion": "quarry blast",
    }
    assert Catalogue().class_of == {}


def test_without_a_word_nothing_is_mapped_filtered_or_cut_as_noise_and_windows_lie_on_their_events():
    recipe = Recipe()
    assert recipe.catalogue == Catalogue(classes={}, only={}, without={}, noise_class="")
    assert recipe.placement == Placement(rule="span")
    assert (recipe.preprocessing.detrend, recipe.preprocessing.taper) == ("mean", True)


@pytest.mark.parametrize("content", [b"[preprocessing", b"\xff\xfe\x00", b"[network]\nwidht = 3"])
def test_a_broken_recipe_file_is_named(tmp_path, content):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(BadConfiguration, match=r"broken\.toml"):
        Recipe.from_toml(path)


def test_a_missing_recipe_file_is_named(tmp_path):
    with pytest.raises(BadConfiguration, match=r"none\.toml cannot be read"):
        Recipe.from_toml(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[preprocessing]\nband = [1, 2]", r"preprocessing has no setting 'band'. Known settings: sampling_rate_hz"),
        ("[preprocesing]\n", "recipe has no setting 'preprocesing'"),
        ("[training]\nepochs = 1.5", r"training\.epochs is 1\.5, but must be of type int"),
        ("[training]\nepochs = true", r"training\.epochs is True"),
        ("[training]\nepochs = 0", r"training\.epochs is 0, but must be above 0"),
        ("[training]\nlearning_rate = nan", r"training\.learning_rate is nan, but must be a finite number"),
        ("[training]\nlearning_rate = '1'", r"training\.learning_rate"),
        ("[training]\ntest_share = 0.6\nvalidation_share = 0.4", "leave no events"),
        ("[training]\nseed = -1", r"training\.seed"),
        ("[network]\ndropout = 1.5", r"network\.dropout"),
        ("network = 3", "network is 3, but must be a table"),
        ("[preprocessing]\nband_hz = [5, 200]", "Nyquist frequency 125 Hz"),
        ("[preprocessing]\nband_hz = [60, 5]", "must rise"),
        ("[preprocessing]\nband_hz = [5]", "has 1 values, but must have 2"),
        ("[preprocessing]\nband_hz = 5", "must be a list"),
        ("[preprocessing]\ncomponents = []", "at least one component"),
        ("[preprocessing]\ncomponents = ['Z', 'Z']", "each once"),
        ("[preprocessing]\ncomponents = ['EHZ']", "one capital letter"),
        ("[preprocessing]\nnormalise = 'peak'", "must be one of 'window', 'component'"),
        ("[preprocessing]\nstft_window = 'kaiser'", "must be one of 'boxcar'"),
        ("[preprocessing]\nstft_length = 5000", "longer than the window"),
        ("[preprocessing]\nstft_hop = 129", "would be ignored"),
        ("[preprocessing]\nstep_s = 0.001", "less than one sample"),
        ("[preprocessing]\nmaximum_gap = 2.0", "between 0 and 1"),
        ("[preprocessing]\ndetrend = 'none'", "must be one of 'mean', 'linear'"),
        ("[preprocessing]\ntaper = 1", r"preprocessing\.taper is 1, but must be of type bool"),
        ("[catalogue]\nclasses = ['slide']", r"catalogue\.classes is \['slide'\], but must be a table"),
        ("[catalogue]\nclasses = { slide = 'slide' }", r"catalogue\.classes\.slide is 'slide', but must be a list"),
        ("[catalogue]\nclasses = { slide = [3] }", r"catalogue\.classes\.slide is 3, but must be of type str"),
        ("[catalogue]\nclasses = { a = ['x'], b = ['x'] }", "counts 'x' to both 'a' and 'b'"),
        ("[catalogue]\nclasses = { '' = ['x'] }", "without a name"),
        ("[catalogue]\nonly = { source = [] }", r"catalogue\.only has an empty list for 'source'"),
        ("[catalogue]\nnoise_span_s = [9, 3]", r"catalogue\.noise_span_s is 9–3 s, but must rise"),
        ("[catalogue]\nnoise_class = 'noise'\nnoise_span_s = [0, 9]", "must hold a window of 15 s to be cut as noise"),
        ("[placement]\nrule = 'middle'", "must be one of 'span', 'onset'"),
        ("[placement]\nshort_s = 0", r"placement\.short_s is 0\.0, but must be above 0"),
        ("[placement]\nedge_s = -1", r"placement\.edge_s is -1\.0, but must not be negative"),
        ("[training]\nfolds = -1", r"training\.folds is -1"),
        ("[training]\nclass_balance = 'both'", "must be one of 'weights', 'sampling', 'none'"),
        ("[training]\nlabel_smoothing = 1", r"training\.label_smoothing is 1, but must be from 0 to below 1"),
        ("[training]\nnoise_mixing = 2", r"training\.noise_mixing is 2\.0, but must lie between 0 and 1"),
        ("[post_processing]\nmedian = 4", r"post_processing\.median is 4, but must be odd"),
        ("[explanation]\nbands_hz = [[5, 1]]", "must rise"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(text, named):
    with pytest.raises(BadConfiguration, match=named):
        Recipe.from_dict(tomllib.loads(text))


def test_sections_cannot_be_changed_behind_a_models_back():
    with pytest.raises(AttributeError):
        Explanation().bands_hz = ()  # type: ignore[misc]
