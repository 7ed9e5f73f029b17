import threading

import pytest
import torch
from torch import nn

from mlcore.speed import ahead, has_bfloat16, laid_out, reduced_precision


def test_items_made_ahead_keep_their_order_and_come_from_another_thread():
    makers = []

    def items():
        for number in range(5):
            makers.append(threading.current_thread())
            yield number

    assert list(ahead(items())) == list(range(5))
    assert threading.main_thread() not in makers


def test_an_error_ahead_reaches_who_uses_the_items_and_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("no more")

    used = []
    with pytest.raises(ValueError, match="no more"):
        used.extend(item for item in ahead(items()))
    assert list(ahead([])) == []


def test_who_stops_early_leaves_no_thread_behind():
    before = threading.active_count()
    for item in ahead(range(100)):
        if item == 2:
            break
    assert threading.active_count() == before


def test_only_convolutional_networks_are_computed_in_reduced_precision_and_only_within():
    convolutional, dense = nn.Conv2d(1, 2, 3), nn.Linear(4, 2)
    with reduced_precision(convolutional):
        wanted = torch.bfloat16 if has_bfloat16() else torch.float32
        assert convolutional(torch.rand(1, 1, 8, 8)).dtype == wanted
    with reduced_precision(dense):
        assert dense(torch.rand(1, 4)).dtype == torch.float32
    assert convolutional(torch.rand(1, 1, 8, 8)).dtype == torch.float32


def test_laying_out_changes_no_value():
    x = torch.rand(2, 3, 4, 5)
    images = laid_out(x, nn.Sequential(nn.Conv2d(3, 2, 1)))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, x)
    assert laid_out(x[:, 0, 0], nn.Conv2d(3, 2, 1)).shape == (2, 5)
