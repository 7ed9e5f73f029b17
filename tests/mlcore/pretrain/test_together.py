"""Each of two processes holds half of a batch; what they compute is compared with one that holds it whole."""

import pytest
import torch
from torch import distributed, multiprocessing, nn

from mlcore.pretrain.iter_norm import IterNorm
from mlcore.pretrain.together import gathered, processes, summed, synchronised

SIZE = 6


def images():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(2 * SIZE, 4, 3, 2, dtype=torch.float64, generator=draw) * torch.arange(1, 5)[:, None, None] + 2


def network():
    torch.manual_seed(1)
    layers = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(24, 4), nn.BatchNorm1d(4), IterNorm(4, 2)
    return nn.Sequential(*layers).double().train()


def loss_of(rows):
    """No mean over rows: it needs all of them."""
    return (rows.T @ rows).square().sum() + rows.sum(dim=0).cos().sum()


def state(model, loss):
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    return {"loss": loss.detach(), **gradients, **dict(model.named_buffers())}


def whole():
    model = network()
    loss = loss_of(model(images()))
    loss.backward()
    return state(model, loss)


def half(rank, folder):
    """As a process of a training: its half through the network, the loss of all, gradients averaged."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    try:
        model = nn.parallel.DistributedDataParallel(synchronised(network()))
        loss = loss_of(gathered(model(images()[rank * SIZE : (rank + 1) * SIZE])))
        loss.backward()
        torch.save(state(model.module, loss), f"{folder}/{rank}.pt")
        x = torch.full((3,), float(rank + 1), requires_grad=True)
        (summed(x) * (rank + 1)).sum().backward()
        torch.save({"processes": processes(), "sum": summed(x).detach(), "gradient": x.grad}, f"{folder}/sum{rank}.pt")
    finally:
        distributed.destroy_process_group()


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    multiprocessing.spawn(half, (str(folder),), nprocs=2)
    return [
        (torch.load(folder / f"{rank}.pt", weights_only=True), torch.load(folder / f"sum{rank}.pt", weights_only=True))
        for rank in range(2)
    ]


def test_two_halves_have_the_loss_the_gradients_and_the_statistics_of_the_whole(halves):
    expected = whole()
    for found, _ in halves:
        assert found.keys() == expected.keys()
        for name in expected:
            torch.testing.assert_close(found[name], expected[name], msg=lambda said, name=name: f"{name}: {said}")


def test_a_sum_is_of_all_processes_and_so_is_its_gradient(halves):
    for _, found in halves:
        assert found["processes"] == 2
        assert found["sum"].tolist() == [3.0] * 3
        assert found["gradient"].tolist() == [3.0] * 3  # 1 + 2: each process weighed the same sum


def test_alone_nothing_changes():
    x = torch.randn(3, 2)
    assert processes() == 1
    assert gathered(x) is x
    assert summed(x) is x
    alone, model = whole(), synchronised(network())
    loss = loss_of(model(images()))
    loss.backward()
    for name, value in state(model, loss).items():
        torch.testing.assert_close(value, alone[name])


def test_in_evaluation_a_synchronised_network_is_the_same():
    model = network()
    model(images())
    expected = model.eval()(images())
    torch.testing.assert_close(synchronised(model)(images()), expected)
