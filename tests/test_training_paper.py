"""Training of the paper's model, small: volumes, codec, slices, coordination."""

import numpy as np
import pytest
import torch

from gid_engine.errors import GidError
from gid_engine.prior.paper.slices import FrequencyAttention
from gid_engine.prior.weights import load_part
from gid_engine.training import dataset, paper


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Volumes and the codec trained on them for a moment."""
    folder = tmp_path_factory.mktemp("paper")
    patch = pytest.MonkeyPatch()
    patch.setattr(paper, "SHARD", 6)
    paper.write_volumes(folder / "volumes", dataset.Material(), "small", 1, seed=0)
    patch.undo()
    paper.train_codec(folder / "volumes", folder, minutes=0.03, batch=8)
    return folder


def test_volumes_are_normalised_and_kept(run):
    pool = paper.VolumePool(run / "volumes", "small")
    photo, volume = pool.volumes(np.random.default_rng(0), 3)
    assert photo.shape == (3, 3, 40, 64) and volume.shape == (3, 15, 4, 40, 64)
    assert photo.min() >= -1 and photo.max() <= 1
    # s_f is a 95th percentile of what moves: few coefficients are above 1, and not by far.
    assert 0.5 < np.percentile(np.abs(pool.volume[np.abs(pool.volume) > 1e-2]), 97) < 2
    before = [p.stat().st_mtime_ns for p in (run / "volumes").iterdir()]
    paper.write_volumes(run / "volumes", dataset.Material(), "small", 1, seed=0)
    assert before == [p.stat().st_mtime_ns for p in (run / "volumes").iterdir()]


def test_codec_whitens_what_it_ships(run):
    tensors, facts = load_part(run / "codec.safetensors")
    assert facts["preset"] == "small" and int(facts["step"]) > 0
    assert not torch.equal(tensors["whiten"], torch.eye(4))


def test_two_stages(run):
    first = paper.train_slices(run / "volumes", run, minutes=0.02, batch=1)
    second = paper.train_slices(run / "volumes", run, minutes=0.02, batch=1, coordinated=True)
    assert np.isfinite(first.losses + second.losses).all() and first.step and second.step
    kept, learnt = first.ema.state_dict(), second.model.state_dict()
    name = "enter.weight"  # frozen in stage 2, and stored in half precision between
    torch.testing.assert_close(learnt[name], kept[name], atol=1e-3, rtol=1e-2)
    across = [m for m in second.model.modules() if isinstance(m, FrequencyAttention)]
    assert any(m.out.weight.abs().max() > 0 for m in across)


def test_without_volumes_it_says_so(tmp_path):
    with pytest.raises(GidError, match="volumes"):
        paper.train_codec(tmp_path, tmp_path, minutes=0.01)
