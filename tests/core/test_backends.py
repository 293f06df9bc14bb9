"""Which backend suits which machine, what the locks ask for, and what pip's output means."""

import re

import pytest

from blender_gid.core import backends
from blender_gid.core.backends import BACKENDS, Card, detect, parse_cards, pins
from blender_gid.core.pip_output import PipProgress, explain

SMI = """NVIDIA GeForce RTX 4070, 580.65.06, 8.9
NVIDIA-SMI has failed because it couldn't communicate with the driver
Quadro P2000, 580.65.06, 6.1
"""


@pytest.mark.parametrize(
    ("card", "system", "backend"),
    [
        (("RTX 4070", 580, (8, 9)), "linux", "cuda"),
        (("RTX 5090", 581, (12, 0)), "win32", "cuda"),
        (("RTX 4070", 550, (8, 9)), "linux", "cuda126"),  # CUDA 13 needs driver 580
        (("GTX 1080", 580, (6, 1)), "win32", "cuda126"),  # CUDA 13 knows no Pascal
        (("RTX 2060", 526, (7, 5)), "win32", "cpu"),  # CUDA 12 needs 528 under Windows,
        (("RTX 2060", 526, (7, 5)), "linux", "cuda126"),  # and 525 under Linux
        (("RTX 5090", 572, (12, 0)), "linux", "cpu"),  # CUDA 12.6 knows no Blackwell
        (("GTX 770", 470, (3, 0)), "linux", "cpu"),
    ],
)
def test_nvidias_cards_by_driver_and_generation(card, system, backend):
    found, why = detect(system, cards=[Card(*card)])
    assert found == backend and card[0] in why


def test_the_best_of_several_cards_counts_and_chatter_is_passed_over():
    cards = parse_cards(SMI)
    assert [card.capability for card in cards] == [(8, 9), (6, 1)]
    assert detect("linux", cards=cards)[0] == "cuda"


def test_machines_without_nvidia(tmp_path):
    assert detect("darwin", "arm64")[0] == "mps"
    assert detect("darwin", "x86_64")[0] == "cpu"
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "properties").write_text("cpu_cores_count 16\ngfx_target_version 0\n")
    assert detect("linux", cards=[], kfd=tmp_path)[0] == "cpu"
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "properties").write_text("cpu_cores_count 0\ngfx_target_version 110000\n")
    assert detect("linux", cards=[], kfd=tmp_path)[0] == "rocm"
    assert detect("win32", cards=[], kfd=tmp_path)[0] == "cpu"


def test_every_backend_has_a_lock_that_names_each_package_exactly():
    direct = {"torch", "numpy", "opencv-python-headless", "safetensors", "av", "OpenEXR", "pillow", "tqdm"}
    for backend in BACKENDS.values():
        text = backend.lock.read_text() + (backends.LOCKS / "engine.txt").read_text()
        lines = [line for line in text.splitlines() if line and not line.startswith(("#", "-r ", "-c "))]
        assert all(re.match(r"[\w.-]+==[\d.]+", line) for line in lines)
        assert direct | {"pip"} <= set(pins(backend.lock))
    assert len({pins(backend.lock)["torch"] for backend in BACKENDS.values()}) == 1  # the same engine everywhere


def test_locks_of_one_system_only(tmp_path, monkeypatch):
    lock = tmp_path / "l.txt"
    lock.write_text('a==1  # a\n-c other.txt\nb.c==2.0+cpu; sys_platform == "linux"\n')
    monkeypatch.setattr(backends.sys, "platform", "win32")
    assert pins(lock) == {"a": "1"}
    monkeypatch.setattr(backends.sys, "platform", "linux")
    assert pins(lock) == {"a": "1", "b.c": "2.0+cpu"}


def test_pips_lines_become_progress():
    progress = PipProgress({"torch": "2.13.0", "numpy": "2.4.6"})
    seen = []
    for line in (
        "Looking in links: /w",
        "Collecting torch==2.13.0 (from -r lock.txt (line 4))",
        "  Downloading torch-2.13.0.whl (190 MB)",
        "Progress 0 of 190000000",
        "Progress 95000000 of 190000000",
        "Progress 190000000 of 190000000",
        "Collecting numpy==2.4.6",
        "Progress 0 of 0",
        "Installing collected packages: numpy, torch",
    ):
        progress.read(line)
        seen.append(progress.fraction)
    assert seen == sorted(seen) and seen[4] > 0.3 and seen[-1] == pytest.approx(0.8)
    assert progress.message == "Unpacking the packages"


@pytest.mark.parametrize(
    ("output", "offline", "sentence"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            False,
            "disk is",
        ),
        ("WARNING: Retrying (Retry(total=0)) after ConnectTimeoutError\nERROR: No matching", False, "network"),
        ("ERROR: No matching distribution found for av==18.1.0", False, "no av==18.1.0 for this system"),
        ("ERROR: No matching distribution found for av==18.1.0", True, "folder holds no av==18.1.0"),
        ("ERROR: Could not install: [WinError 5] Access is denied: 'c10.dll'", False, "Close other Blenders"),
        ("", False, "without a word"),
    ],
)
def test_pips_failures_become_sentences(output, offline, sentence):
    what, action = explain(output, offline)
    assert sentence in f"{what} {action}" and "Error" not in action
