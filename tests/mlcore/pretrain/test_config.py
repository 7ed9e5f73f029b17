from pathlib import Path

import pytest

from mlcore.errors import BadConfiguration
from mlcore.pretrain.config import Evaluation, Method, Pool, Pretraining, Spectrogram, Training, Views

RECIPES = sorted((Path(__file__).parents[3] / "mlcore/pretrain/recipes").glob("*.toml"))


def test_defaults_are_the_papers():
    recipe = Pretraining()
    method, training = recipe.method, recipe.training
    assert (method.invariance, method.variance, method.covariance, method.neighbouring) == (10, 10, 10, 13)
    assert (method.target_std, method.epsilon, method.projector) == (1, 1e-4, 4096)
    assert (method.iterations, method.groups, method.tnc) == (5, 64, "modified")
    assert (training.learning_rate, training.batch_size, training.epochs) == (1e-3, 128, 300)
    assert recipe.spectrogram.samples(1000.0) == (80, 10)  # 0.08 s, 12.5 %
    assert (recipe.spectrogram.height, recipe.views.crop_share, recipe.views.shift_share) == (128, 0.1, 0.25)
    assert (recipe.encoder.name, recipe.pool.window_samples) == ("resnet34", 16_000)
    assert (recipe.evaluation.encoder_learning_rate, recipe.evaluation.classifier_learning_rate) == (5e-4, 1e-3)


def test_each_method_comes_with_its_own_papers_values():
    vicreg, twins, vibcreg = Method.of("vicreg"), Method.of("barlow_twins"), Method.of("vibcreg")
    assert (vicreg.invariance, vicreg.variance, vicreg.covariance, vicreg.target_std) == (25, 25, 1, 1)
    assert (twins.redundancy, twins.projector, twins.iter_norm, vicreg.iter_norm) == (0.005, 512, False, False)
    assert (vibcreg.tnc, vibcreg.projector, vibcreg.iter_norm) == ("none", 4096, True)
    assert Method.of("vicreg", projector=1024).projector == 1024


def test_a_recipe_is_the_same_after_toml(tmp_path):
    recipe = Pretraining(method=Method.of("barlow_twins", redundancy=0.01), views=Views(crop="random", crop_share=0.4))
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    assert Pretraining.from_toml(tmp_path / "recipe.toml") == recipe


def test_a_file_that_only_names_a_method_gets_that_methods_values(tmp_path):
    (tmp_path / "recipe.toml").write_text('[method]\nname = "vicreg"\n')
    assert Pretraining.from_toml(tmp_path / "recipe.toml").method == Method.of("vicreg")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_that_come_along_can_be_read(path):
    Pretraining.from_toml(path)


def test_the_recipe_of_aknes_is_the_default_written_out():
    aknes = next(path for path in RECIPES if path.stem == "aknes")
    assert Pretraining.from_toml(aknes) == Pretraining()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"method": {"colour": 1}}, "method has no setting 'colour'. Known settings: name, invariance"),
        ({"method": {"name": "simclr"}}, "method.name is 'simclr', but must be one of"),
        ({"method": "vicreg"}, "method is 'vicreg', but must be a table"),
        ({"method": {"name": "vnibcreg", "tnc": "none"}}, "which is VIbCReg"),
        ({"method": {"projector": 100}}, "projector is 100, which 64 groups do not divide"),
        ({"method": {"invariance": -1}}, "method.invariance is -1.0, but must be from 0 to 1,000,000"),
        ({"views": {"crop": "random"}}, "views.crop is 'random'. Choose crop = 'neighbouring', or tnc = 'none'"),
        ({"views": {"crop_share": 0.5}}, "Choose crop_share up to 0.286"),
        ({"spectrogram": {"window_s": 20.0}}, "from 2 to the 16000 samples"),
        ({"spectrogram": {"window_s": 3.0}, "views": {"cut": "samples"}}, "from 2 to the 1600 samples of a crop"),
        ({"spectrogram": {"overlap": 1.0}}, "overlap is 1, but must be from 0 to below 1"),
        ({"spectrogram": {"band_hz": [5.0]}}, "spectrogram.band_hz has 1 values, but must have 2"),
        ({"spectrogram": {"band_hz": [5.0, 600.0]}}, "spectrogram.band_hz is 5–600 Hz, but must rise from 0 or above"),
        ({"spectrogram": {"image": "stft"}}, "image is 'stft', which needs"),
        ({"pool": {"band_hz": [8.0, 1.0]}}, "pool.band_hz is 8–1 Hz"),
        ({"pool": {"step_s": 1e-6}}, "less than one sample"),
        ({"training": {"batch_size": 1}}, "at least 2 windows"),
        ({"encoder": {"name": "vgg"}}, "encoder.name is 'vgg', but must be one of"),
        ({"evaluation": {"shares": [0.9]}}, "evaluation.shares has 0.9"),
        ({"evaluation": {"seeds": []}}, "evaluation.seeds is empty"),
        ({"evaluation": {"seeds": [-1]}}, "evaluation.seeds has -1"),
        ({"training": {"epochs": -1}}, "training.epochs is -1, but must be from 1 to 10,000"),
        ({"training": {"epochs": 10**25}}, "but must be from 1 to 10,000"),
        ({"training": {"batch_size": 0}}, "training.batch_size is 0, but variances need at least 2"),
        ({"training": {"batch_size": 10**9}}, "memory holds at most 65,536"),
        ({"training": {"learning_rate": float("nan")}}, "training.learning_rate is nan, but must be a finite number"),
        ({"training": {"learning_rate": 0}}, "training.learning_rate is 0.0, but must be above 0"),
        ({"training": {"learning_rate": 1e30}}, "training.learning_rate is 1e+30, but must be from 0 to 10.0"),
        ({"training": {"seed": 2**63}}, "but must be from 0 to 2,147,483,647"),
        ({"views": {"crop_share": 1.5}}, "views.crop_share is 1.5, but must lie between 0 and 1"),
        ({"views": {"shift_share": 1e30}}, "views.shift_share is 1e+30, but must be from 0 to 1"),
        ({"method": {"projector": 0}}, "method.projector is 0, but must be from 2 to 16,384"),
        ({"method": {"projector": 64 * 10**9}}, "but must be from 2 to 16,384"),
        ({"method": {"groups": 0}}, "method.groups is 0, but must be from 1"),
        ({"method": {"iterations": 10**9}}, "method.iterations is 1000000000, but must be from 1 to 100"),
        ({"encoder": {"width": 1e9}}, "encoder.width is 1000000000.0, but must be from 0 to 8"),
        (
            {"encoder": {"name": "stft_cnn", "kernels": 10**9}},
            "encoder.kernels is 1000000000, but must be from 0 to 4,096",
        ),
        ({"encoder": {"name": "stft_cnn", "kernels": 4096}}, "a last block of 16384 kernels, but at most 4096"),
        ({"encoder": {"name": "stft_cnn", "blocks": 60}}, "encoder.blocks is 60, but must be from 1 to 8"),
        ({"pool": {"components": ["ZNE"]}}, "pool.components has 'ZNE', but a component is one capital letter"),
        ({"pool": {"components": ["Z", "Z"]}}, "must name each component once"),
        ({"pool": {"step_s": 1e30}}, "pool.step_s is 1e+30, but must be from 0 to 86,400"),
        ({"pool": {"filter_order": 10**18}}, "but must be from 1 to 20"),
        ({"pool": {"maximum_gap": 1.5}}, "pool.maximum_gap is 1.5, but must be from 0 to 1"),
        ({"pool": {"band_hz": [1.0, 500.0]}}, "to below 500 Hz, half the sampling rate. Narrow it"),
        ({"pool": {"band_hz": [1e-9, 20.0]}}, "pool.band_hz is 1e-09–20 Hz, but must rise from 0.001 Hz"),
        ({"spectrogram": {"band_hz": [30.0, 31.0]}}, "holds no frequency of an image, whose rows are 12.5 Hz apart"),
        ({"spectrogram": {"height": 10**18}}, "but must be from 0 to 4,096"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_what_to_do(values, said):
    with pytest.raises(BadConfiguration) as caught:
        Pretraining.from_dict(values)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"spectrogram": {"window_s": 15.0}}, "pool.window_s is 16 s, 1 columns of an image: too few"),
        ({"pool": {"window_s": 0.1}}, "columns of an image: too few for crops of"),
        ({"views": {"crop": "random"}, "method": {"name": "vibcreg"}, "spectrogram": {"window_s": 15.0}}, ""),
        ({}, ""),
    ],
)
def test_a_window_must_have_room_for_its_views(values, said):
    recipe = Pretraining.from_dict(values)
    if not said:
        recipe.require_room()
        return
    with pytest.raises(BadConfiguration, match=said):
        recipe.require_room()


@pytest.mark.parametrize("section", [Pool, Spectrogram, Views, Method, Training, Evaluation])
def test_sections_are_frozen(section):
    with pytest.raises(AttributeError):
        section().anything = 1
