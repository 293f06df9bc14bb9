"""Measures: their mathematics against independent implementations, and what they say of motion that is known."""

import json

import numpy as np
import pytest
import torch

from gid_engine.cli import main
from gid_engine.errors import GidError
from gid_engine.evaluation import loops
from gid_engine.evaluation.clips import as_modes, centre_crop, load_clip, rms_seen
from gid_engine.evaluation.distances import frechet_distance, kernel_distance, kid, sliding, windows
from gid_engine.evaluation.features import clip_features, frame_features, random_clip_features
from gid_engine.evaluation.page import Page
from gid_engine.evaluation.warp import remapped, rendered
from gid_engine.media import VideoWriter


def _features(seed: int, count: int = 300, width: int = 24) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(9).normal(size=(width, width))
    return rng.normal(size=(count, width)) @ mixing * (1 + 0.2 * seed) + 0.3 * seed


# --- distances ----------------------------------------------------------------------------------------------


def test_frechet_distance_is_that_of_scipy_and_torchmetrics():
    linalg = pytest.importorskip("scipy.linalg")
    a, b = _features(0), _features(1)
    root = linalg.sqrtm(np.cov(a, rowvar=False) @ np.cov(b, rowvar=False)).real
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(
        np.cov(a, rowvar=False) + np.cov(b, rowvar=False) - 2 * root
    )
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    fid = pytest.importorskip("torchmetrics.image.fid")
    moments = [torch.from_numpy(m) for x in (a, b) for m in (x.mean(0), np.cov(x, rowvar=False))]
    assert frechet_distance(a, b) == pytest.approx(float(fid._compute_fid(*moments)), rel=1e-6)


def test_frechet_distance_of_a_shift_is_its_square():
    a = _features(0)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(a, a + 0.5) == pytest.approx(24 * 0.25, rel=1e-9)


def test_frechet_distance_with_fewer_samples_than_features():
    a, b = _features(0, 10), _features(1, 12)
    mean = np.square(a.mean(0) - b.mean(0)).sum()
    assert mean < frechet_distance(a, b) < mean + a.var(0, ddof=1).sum() + b.var(0, ddof=1).sum()


def test_kernel_distance_is_that_of_torchmetrics():
    metrics = pytest.importorskip("torchmetrics.image.kid")
    a, b = _features(0), _features(1)
    assert kernel_distance(a, b) == pytest.approx(
        float(metrics.poly_mmd(*map(torch.from_numpy, (a, b)))), rel=1e-9
    )


def test_kid_of_one_distribution_is_zero_within_its_spread():
    rng = np.random.default_rng(3)
    mean, deviation = kid(rng.normal(size=(400, 8)), rng.normal(size=(400, 8)), subsets=50, size=100)
    assert abs(mean) < 2 * deviation
    assert kid(_features(0), _features(1), seed=4) == kid(_features(0), _features(1), seed=4)


@pytest.mark.parametrize("broken", [np.full((5, 4), np.nan), np.zeros((1, 4)), np.zeros((5, 3)), np.zeros(5)])
def test_features_that_cannot_be_compared_are_refused(broken):
    with pytest.raises(ValueError, match="features"):
        frechet_distance(np.zeros((5, 4)), broken)
    with pytest.raises(ValueError, match="features"):
        kid(broken, np.zeros((5, 4)))


def test_windows_and_sliding():
    assert windows(40, 16, 8) == [range(0, 16), range(8, 24), range(16, 32), range(24, 40)]
    assert windows(10, 16, 8) == []
    real = [_features(0, 40) for _ in range(3)]
    decay = [_features(0, 40) + drift for drift in (0, 0.5, 1)]
    first, second, third = sliding(real, decay)
    assert first < second < third


# --- motion -------------------------------------------------------------------------------------------------


def _volume(seed: int = 0, height: int = 36, width: int = 64) -> np.ndarray:
    rng = np.random.default_rng(seed)
    bump = np.exp(-np.square(np.linspace(-2, 2, width))[None] - np.square(np.linspace(-2, 2, height))[:, None] * 2)
    bands = (rng.normal(size=(15, 2)) + 1j * rng.normal(size=(15, 2))) / np.arange(1, 16)[:, None]
    return (0.004 * bands[:, :, None, None] * np.where(bump > 0.2, bump, 0)).astype(np.complex64)


def _photo(seed: int = 0, height: int = 144, width: int = 256) -> np.ndarray:
    import cv2

    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    noise = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.clip(128 + 40 * noise / noise.std(), 0, 255).astype(np.uint8)


def test_a_perfect_guess_has_no_error():
    volume = _volume()
    rms = loops.rms_map(volume)
    assert loops.end_point_error(volume, volume) == pytest.approx(0, abs=1e-4)
    assert loops.amplitude_correlation(rms, rms) == pytest.approx(1)
    assert loops.spectral_distance(volume, volume) == pytest.approx(np.zeros(15), abs=1e-6)
    assert loops.coherence_distance(volume, volume) == 0
    assert loops.static_leak(rms, rms) < 0.05


def test_the_phase_of_a_band_does_not_count():
    volume = _volume()
    turned = volume * np.exp(1j * np.arange(15))[:, None, None, None]
    assert loops.end_point_error(turned, volume) == pytest.approx(0, abs=1e-3)
    assert loops.end_point_error(0 * volume, volume) == pytest.approx(1)


def test_twice_the_motion_is_told_by_the_spectrum_alone():
    volume = _volume()
    # Energy × 4 in every band; the faintest here is 8 times what flow's noise has.
    assert loops.spectral_distance(2 * volume, volume) == pytest.approx(np.full(15, np.log(4)), rel=0.03)
    assert loops.amplitude_correlation(loops.rms_map(2 * volume), loops.rms_map(volume)) == pytest.approx(1)


def test_what_flow_cannot_tell_makes_no_distance():
    assert loops.spectral_distance(0 * _volume(), 1e-3 * _volume()).max() < 0.05
    # A still picture is far from one that moves, and not infinitely so.
    assert 3 < loops.spectral_distance(0 * _volume(), _volume()).max() < 20


def test_places_that_move_alone_are_not_coherent():
    volume = np.ones((15, 2, 36, 64), np.complex64)
    scattered = volume * np.exp(2j * np.pi * np.random.default_rng(0).random(volume.shape))
    assert np.nanmin(loops.coherence(volume)) == pytest.approx(1, abs=1e-5)
    # Random phases of about 4000 pairs: 1/√4000 ≈ 0.016 in the mean.
    assert np.nanmean(loops.coherence(scattered)) < 0.05


def test_motion_leaks_where_nothing_should_move():
    real = np.where(np.arange(64)[None] < 32, 2 / 512, 0.0) * np.ones((36, 1))
    made = np.where(np.arange(64)[None] < 32, 2 / 512, 0.5 / 512) * np.ones((36, 1))
    assert loops.static_leak(made, real) == pytest.approx(0.25)
    assert np.isnan(loops.static_leak(0 * made, real))


def test_a_loop_of_modes_has_no_seam_and_a_jump_is_one():
    photo = _photo()
    modes = as_modes(_volume(), photo)
    smooth = loops.seam_of_modes(modes)
    assert smooth["seam speed"] < 3  # the bands' harmonics: any frame may be the fastest, none is a jump
    film = remapped(photo, modes, 30.0, range(60))
    looped, cut = loops.seam_of_frames(np.concatenate([film, film[::-1]])), loops.seam_of_frames(film)
    assert cut["seam speed"] > 3 * looped["seam speed"]


def test_the_first_frame_is_the_photo():
    photo = _photo()
    modes = as_modes(_volume(), photo)
    assert np.isinf(loops.psnr(rendered(photo, modes, 30.0, [0])[0], photo))
    assert loops.psnr(rendered(photo, modes, 30.0, [40])[0], photo) < 40


# --- clips and networks -------------------------------------------------------------------------------------


def _write_clip(path, frames) -> None:
    with VideoWriter(path, (frames.shape[2], frames.shape[1]), 30) as video:
        for frame in frames:
            video.write(frame)


def test_the_motion_of_a_clip_is_found_again(tmp_path):
    photo, volume = _photo(), _volume()
    modes = as_modes(volume, photo)
    _write_clip(tmp_path / "sway_01.mp4", remapped(photo, modes, 30.0, range(150)))
    clip = load_clip(tmp_path / "sway_01.mp4")
    assert (clip.group, clip.fps, clip.photo.shape) == ("sway", 30.0, (144, 256, 3))
    import cv2

    truth = cv2.resize(loops.rms_map(volume), (128, 72))
    assert loops.amplitude_correlation(loops.rms_map(clip.modes.modes), truth) > 0.95


def test_flow_is_trusted_where_there_is_something_to_see():
    """The left half is texture and shifts by a pixel; in the dark right half there is the camera's noise alone."""
    rng, photo = np.random.default_rng(0), _photo()
    photo[:, 128:] = 12
    frames = np.stack([np.roll(photo, shift, 1) for shift in (0, 1, 0, -1) * 8])
    noisy = np.clip(frames + rng.normal(0, 2, frames.shape), 0, 255).astype(np.uint8)
    noisy[:, :, 128:] = np.clip(12 + rng.normal(0, 2, noisy[:, :, 128:].shape), 0, 255)
    trust = rms_seen(noisy)[1]
    assert trust[8:-8, 8:120].mean() > 0.8 and trust[8:-8, 138:].mean() < 0.2


def test_what_is_not_trusted_does_not_count():
    rng = np.random.default_rng(0)
    real, made = rng.random((2, 10, 20))
    made[:, :10] = 3 * real[:, :10] + 1
    weight = np.zeros((10, 20))
    weight[:, :10] = 1
    assert loops.amplitude_correlation(made, real, weight) == pytest.approx(1)
    assert loops.amplitude_correlation(made, real) < 0.9


@pytest.mark.parametrize("shape", [(3, 144, 256, 3), (3, 256, 144, 3), (3, 100, 256, 3)])
def test_the_crop_is_that_of_the_paper(shape):
    assert centre_crop(np.zeros(shape, np.uint8)).shape == (3, 128, 256, 3)


def test_clips_that_cannot_be_measured_are_told(tmp_path):
    with pytest.raises(GidError, match="no clip"):
        load_clip(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(GidError, match=r"text\.mp4"):
        load_clip(tmp_path / "text.mp4")
    _write_clip(tmp_path / "short.mp4", np.zeros((10, 64, 64, 3), np.uint8))
    with pytest.raises(GidError, match="10 frames"):
        load_clip(tmp_path / "short.mp4")


def test_random_features_are_the_same_in_every_run():
    frames = np.random.default_rng(0).integers(0, 256, (32, 128, 256, 3)).astype(np.uint8)
    spans = windows(32, 16, 8)
    first, second = (random_clip_features()(frames, spans) for _ in range(2))
    assert first.shape == (3, 128)
    assert np.array_equal(first, second)


def test_the_critic_tells_motion_from_stillness_and_disorder():
    photo = _photo()
    film = remapped(photo, as_modes(3 * _volume(), photo), 30.0, range(64))
    network, spans = clip_features(), windows(64, 16, 8)
    sway, more = network(centre_crop(film), spans)[:3], network(centre_crop(film), spans)[3:]
    still = network(centre_crop(np.repeat(film[:1], 64, 0)), spans)[:1]
    shuffled = network(centre_crop(film[np.random.default_rng(0).permutation(64)]), spans)
    centre = sway.mean(0)
    within = np.linalg.norm(more.mean(0) - centre)
    assert np.linalg.norm(still.mean(0) - centre) > 2 * within
    assert np.linalg.norm(shuffled.mean(0) - centre) > 2 * within


def _save_onnx(path, shape: list) -> None:
    """A network that averages everything but the colour."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    axes = onnx.numpy_helper.from_array(np.arange(2, len(shape)), "axes")
    node = onnx.helper.make_node("ReduceMean", ["pictures", "axes"], ["mean"], keepdims=0)
    pictures = onnx.helper.make_tensor_value_info("pictures", onnx.TensorProto.FLOAT, shape)
    mean = onnx.helper.make_tensor_value_info("mean", onnx.TensorProto.FLOAT, ["n", 3])
    graph = onnx.helper.make_graph([node], "mean", [pictures], [mean], [axes])
    opset = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def test_a_network_of_the_user(tmp_path):
    _save_onnx(tmp_path / "frames.onnx", ["n", 3, "h", "w"])
    _save_onnx(tmp_path / "clips.onnx", ["n", 3, "t", 32, 32])
    frames = np.zeros((20, 16, 16, 3), np.uint8)
    frames[..., 0] = 255
    # RGB in −1…1
    assert frame_features(tmp_path / "frames.onnx")(frames) == pytest.approx(np.tile([1, -1, -1], (20, 1)))
    made = clip_features(tmp_path / "clips.onnx")(frames, windows(20, 16, 4))
    assert made == pytest.approx(np.tile([1, -1, -1], (2, 1)))


def test_a_network_that_is_none_is_told(tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(GidError, match="no network"):
        frame_features(tmp_path / "none.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"junk")
    with pytest.raises(GidError, match=r"broken\.onnx"):
        clip_features(tmp_path / "broken.onnx")
    _save_onnx(tmp_path / "frames.onnx", ["n", 3, "h", "w"])
    with pytest.raises(GidError, match="3, T, H, W"):
        clip_features(tmp_path / "frames.onnx")


# --- report and command -------------------------------------------------------------------------------------


def test_a_page_holds_its_pictures(tmp_path):
    page = Page("Motion & more")
    page.heading("Rows")
    page.table(["", "a"], [["ours", "1 < 2"]])
    page.picture("plot.png", "A plot", b"\x89PNG")
    page.write(tmp_path, "motion")
    assert (tmp_path / "plot.png").read_bytes() == b"\x89PNG"
    assert "| ours | 1 < 2 |" in (tmp_path / "motion.md").read_text("utf-8")
    text = (tmp_path / "motion.html").read_text("utf-8")
    assert "1 &lt; 2" in text and "data:image/png;base64,iVBORw==" in text and "http" not in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["motion"], "no clips"),
        (["motion", "--data", "nowhere"], "nowhere"),
        (["motion", "--official", "nowhere"], "nowhere"),
        (["prior"], "No held-out photo"),
        (["prior", "--official", "nowhere"], "nowhere"),
    ],
)
def test_what_is_missing_is_told(arguments, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", *arguments]) == 2
    assert told in capsys.readouterr().err


class _KnowingPrior:
    """Moves the middle of any photo; stands in for the networks, which others test."""

    version = "test"

    def predict(self, photo, seed=0, mask=None, progress=None):
        return as_modes(_volume(seed), photo)


@pytest.mark.slow
def test_the_whole_report_from_a_folder_of_clips(tmp_path, monkeypatch):
    from gid_engine.evaluation import motion_quality

    monkeypatch.setattr(motion_quality.Prior, "load", lambda *_: _KnowingPrior())
    for number in range(2):
        photo = _photo(number)
        film = remapped(photo, as_modes(_volume(number), photo), 30.0, range(80))
        _write_clip(tmp_path / f"sway{number}_01.mp4", film)
    arguments = [
        "evaluate",
        "motion",
        "--quick",
        "--data",
        str(tmp_path),
        "--json",
        str(tmp_path / "figures.json"),
    ]
    assert main([*arguments, "--out", str(tmp_path / "report")]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    distances, motion = figures["distances"]["real clips"], figures["motion"]["real clips"]
    assert distances["ground-truth motion"]["FVD16"] < distances["static"]["FVD16"]
    assert motion["ground-truth motion"]["amplitude correlation"]["mean"] == pytest.approx(1)
    assert motion["ours"]["amplitude correlation"]["mean"] > 0.9
    assert motion["ours"]["rest frame psnr"] == "identical"
    assert "shuffled photo's motion" in (tmp_path / "report" / "motion.md").read_text("utf-8")
