"""The paper's model: its sizes, its parts, its sampler and its guidance."""

import numpy as np
import pytest
import torch

from gid_engine.motion.spectrum import denormalise, normalise
from gid_engine.prior.paper import PRESETS, Diffusion, SliceCodec, SliceUNet, ddim, loop_energy
from gid_engine.prior.paper.codec import gradient_loss
from gid_engine.prior.paper.diffusion import guided
from gid_engine.prior.paper.slices import FrequencyAttention

K = 4


def build(preset, bands=K, coordinated=False):
    p = PRESETS[preset]
    sizes = p.unet_width, p.unet_widths, p.blocks, p.image_channels, p.attention_levels
    return SliceCodec(p.codec_width, p.codec_widths), SliceUNet(bands, *sizes, coordinated=coordinated)


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_the_paper_s_sizes():
    """Built without memory: 256×160 volumes, latents of 64×40×4, a U-Net of some hundreds of millions."""
    with torch.device("meta"):
        codec, unet = build("paper", bands=16, coordinated=True)
        slices = torch.empty(16, 4, 160, 256)
        latents = codec.latents(slices)
        assert latents.shape == (16, 4, 40, 64) and codec.decode(latents).shape == slices.shape
        noise = unet(latents, torch.empty(16), torch.empty(16), torch.empty(1, 3, 160, 256))
    assert noise.shape == latents.shape
    # Base 128 × (1, 4, 8) with two blocks a level, and a VAE of base 128 × (1, 2, 4).
    assert 2e8 < parameters(unet) < 8e8 and 5e6 < parameters(codec) < 5e7


@pytest.fixture
def slices():
    """Smooth random slices, normalised as the paper does: [8, 4, 24, 32]."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.normal(size=(8, 4, 3, 4)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(coarse, (24, 32), mode="bicubic")
    spectrum = (smooth[:, :2] + 1j * smooth[:, 2:]).numpy()
    parts = normalise(spectrum, np.ones(8, np.float32))
    np.testing.assert_allclose(denormalise(parts, np.ones(8, np.float32)), spectrum, atol=1e-4)
    return torch.from_numpy(np.concatenate([parts[0], parts[1]], 1).astype(np.float32))


def test_codec_learns_and_its_latents_are_white(slices):
    torch.manual_seed(0)
    codec, _ = build("small")
    optimiser = torch.optim.Adam(codec.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = codec.loss(slices)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    codec.fit_whitening(slices)
    points = codec.latents(slices).detach().movedim(1, -1).reshape(-1, 4).double()
    np.testing.assert_allclose(points.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(points.T @ points / len(points), np.eye(4), atol=2e-3)
    mean = codec.encode(slices)[0]
    torch.testing.assert_close(codec.decode(codec.latents(slices)), codec.decoder(mean), atol=1e-3, rtol=1e-3)


def test_gradient_loss_sees_edges_alone():
    a = torch.zeros(1, 4, 16, 16)
    assert gradient_loss(a, a + 1) == 0
    b = a.clone()
    b[..., 8:] = 1
    assert gradient_loss(a, b) > 0


def test_coordination_starts_as_nothing_and_trains_alone():
    torch.manual_seed(0)
    _, alone = build("small")
    _, together = build("small", coordinated=True)
    missing, unexpected = together.load_state_dict(alone.state_dict(), strict=False)
    assert not unexpected and all("place" in m or "qkv" in m or "out" in m or "norm" in m for m in missing)
    for unet in (alone, together):  # the last layer starts at zero: let something through
        torch.nn.init.normal_(unet.leave[-1].weight, std=0.1, generator=torch.Generator().manual_seed(1))
    latents, time, band = torch.randn(2 * K, 4, 8, 12), torch.full((2 * K,), 300), torch.arange(2 * K) % K
    photo = torch.rand(2, 3, 32, 48)
    torch.testing.assert_close(alone(latents, time, band, photo), together(latents, time, band, photo))
    trained = list(together.coordinate())
    assert trained and sum(p.numel() for p in trained) == sum(
        parameters(m) for m in together.modules() if isinstance(m, FrequencyAttention)
    )
    assert {id(p) for p in together.parameters() if p.requires_grad} == {id(p) for p in trained}


def test_bands_hear_of_one_another_only_when_coordinated():
    torch.manual_seed(0)
    layer = FrequencyAttention(16, K)
    torch.nn.init.normal_(layer.out.weight)
    x = torch.randn(2 * K, 16, 3, 3)
    other = x.clone()
    other[0] += torch.randn(16, 3, 3)  # band 0 of the first volume
    changed = (layer(other) - layer(x)).abs().amax((1, 2, 3)) > 1e-6
    assert changed[:K].all() and not changed[K:].any()


def test_ddim_finds_a_known_distribution():
    """For Gaussian data of mean 0.5 and deviation 0.3 the ideal ε is known; samples must have both."""
    diffusion = Diffusion()

    def ideal(x, time):
        signal = diffusion.signal[time].view(-1, 1, 1, 1)
        clean = (signal.sqrt() * 0.09 * x + (1 - signal) * 0.5) / (signal * 0.09 + 1 - signal)
        return (x - signal.sqrt() * clean) / (1 - signal).sqrt()

    noise = torch.randn(1, 1, 100, 100, generator=torch.Generator().manual_seed(0))
    sample = ddim(diffusion, ideal, noise)
    assert sample.mean() == pytest.approx(0.5, abs=0.02)
    assert sample.std() == pytest.approx(0.3, rel=0.05)  # 250 steps of a first-order method are a little narrow
    assert torch.equal(sample, ddim(diffusion, ideal, noise))


def test_guidance_weighs_the_photo():
    yes, no = (lambda x, t: x + 1), (lambda x, t: x)
    x = torch.zeros(1, 1, 2, 2)
    assert (guided(yes, no, 1.75)(x, None) == 2.75).all() and guided(yes, no, 0) is yes


def test_self_guidance_slows_the_seam():
    """Samples of noise alone, guided by the energy of the seam, have a gentler seam than unguided ones."""
    diffusion = Diffusion()

    def ideal(x, time):  # data: unit Gaussian
        return x * (1 - diffusion.signal[time].view(-1, 1, 1, 1)).sqrt()

    def energy(clean):
        return loop_energy(clean.view(1, K, 4, 6, 8), frames=30)

    noise = torch.randn(K, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    free = ddim(diffusion, ideal, noise, steps=40)
    held = ddim(diffusion, ideal, noise, steps=40, energy=energy, energy_weight=200, recurrence=2,
                generator=torch.Generator().manual_seed(1))  # fmt: skip
    assert energy(held) < 0.8 * energy(free)


def test_loop_energy_of_a_single_turn():
    """One band, x = cos: the step from the last frame to the first is that of any frame to the next there."""
    volume = torch.zeros(1, 1, 4, 1, 1)
    volume[:, :, 0] = 1
    first, last = 1.0, np.cos(2 * np.pi * 149 / 150)
    acceleration = abs((last - np.cos(2 * np.pi * 148 / 150)) - (np.cos(2 * np.pi / 150) - 1))
    assert loop_energy(volume).item() == pytest.approx(((first - last) + acceleration) / 2, rel=1e-2)
