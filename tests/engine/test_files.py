"""Flows in files: what comes back is what was saved, and what is refused is said in words."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from flowviz.flows import Flow, catalog, load, save
from flowviz.flows.distributions import StudentT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flow.safetensors"


def shaken(flow: Flow) -> Flow:
    """Weights that no start has."""
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, dtype=parameter.dtype))
    return flow.eval()


@pytest.mark.parametrize("name", catalog.names())
def test_what_is_loaded_is_what_was_saved(name: str, path: Path) -> None:
    family = catalog.entry(name)
    dim = next(d for d in (4, 3, 2, *range(5, 99)) if family.allows(d))
    flow = shaken(catalog.make(name, dim, seed=3))
    before = torch.random.get_rng_state()
    save(flow, path)
    again = load(path)
    assert torch.equal(torch.random.get_rng_state(), before), "the global generator moved"
    assert again.recipe == flow.recipe and not again.training
    kept, found = flow.state_dict(), again.state_dict()
    assert kept.keys() == found.keys() and all(torch.equal(kept[n], found[n]) for n in kept)
    z = torch.linspace(-1, 1, 3 * dim).reshape(3, dim)
    way = Flow.inverse if family.fast_inverse else Flow.forward
    with torch.no_grad():
        assert torch.equal(way(again, z)[0], way(flow, z)[0])


def test_options_dtype_and_scales_come_back(path: Path) -> None:
    x, c = 1e3 + 50 * torch.randn(64, 3).double(), torch.randn(64, 2).double()
    options = {"hidden": (8, 9), "bins": 5, "context": 2}
    flow = catalog.make("rq_spline_coupling", dim=3, layers=2, **options).double()
    flow = shaken(flow.standardised(x, c))
    save(flow, str(path))
    again = load(str(path))
    assert torch.equal(again.log_prob(x, c), flow.log_prob(x, c))
    save(again, path)
    assert torch.equal(load(path).log_prob(x, c), flow.log_prob(x, c))
    assert list(path.parent.iterdir()) == [path], "nothing else is left behind"


def test_flows_that_are_not_of_the_catalogue(path: Path) -> None:
    made = catalog.make("maf", seed=0)
    with pytest.raises(ValueError, match=r"put together by hand.*flow\.state_dict"):
        save(Flow(made.base, made.bijections), path)
    made.base = StudentT(2)
    with pytest.raises(ValueError, match=r"no longer what catalog.make\('maf'\) made"):
        save(made, path)
    with pytest.raises(TypeError, match="flow must be a Flow, got Linear"):
        save(torch.nn.Linear(2, 2), path)  # type: ignore[arg-type]
    assert not path.exists()


def test_files_that_are_not_of_save(path: Path) -> None:
    flow = catalog.make("real_nvp", layers=1, seed=0)
    save(flow, path)
    whole = path.read_bytes()

    def refused(words: str) -> None:
        with pytest.raises(ValueError, match=words):
            load(path)

    for part in (whole[:-7], whole[:20], whole[:3], b"", b"\xff" * 64):
        path.write_bytes(part)
        refused("is damaged, or no safetensors file")
    torch.save(flow.state_dict(), path)
    refused("pickled file, which can run code .* only the safetensors files")
    path.write_bytes(pickle.dumps(Bomb()))
    refused("pickled file")
    save_file(flow.state_dict(), path)
    refused("does not say what flow its weights are of")
    header = {"name": "real_nvp", "dim": 2, "layers": 1, "options": {}, "dtype": "float32"}
    for change, words in (
        ({"name": "real_nvq"}, "unknown flow 'real_nvq'.* Did you mean 'real_nvp'"),
        ({"layers": 2}, "not what flowviz.flows.save wrote: Missing key"),
        ({"options": {"hidden": [8]}}, "not what flowviz.flows.save wrote: .*size mismatch"),
        ({"options": 3}, "not what"),
        ({"dtype": "nonsense"}, "not what"),
        ({"more": 3}, "not what"),
    ):
        text = json.dumps({**header, **change})
        save_file(flow.state_dict(), path, {"flowviz": text})
        refused(words)
    save_file(flow.state_dict(), path, {"flowviz": "[1"})
    refused("not what")
    with pytest.raises(FileNotFoundError):
        load(path.parent / "none")


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return pytest.fail, ("the file was unpickled",)


def test_a_save_that_fails_leaves_the_file_that_was_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = catalog.make("plu", seed=0)
    save(flow, path)
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> None:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space"):
        save(shaken(flow), path)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]
