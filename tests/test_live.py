"""What a person does at the live window: pulls, pokes, keys; scripted, recorded, and once in a real window."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from gid_engine.cli import main
from gid_engine.errors import GidError
from gid_engine.jobs import Take
from gid_engine.live import Event, Stage, load_events
from gid_engine.live import stage as stage_module
from gid_engine.media import read_frames
from gid_engine.motion import Modes, Score, save_motion

WIDTH, HEIGHT = 96, 64


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A speckled photo whose middle sways, as photo and motion file."""
    folder = tmp_path_factory.mktemp("live é")
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 1.5)
    cv2.imencode(".png", picture)[1].tofile(folder / "plant.png")
    bump = np.exp(-(np.linspace(-2, 2, 16)[:, None] ** 2) - np.linspace(-2, 2, 24) ** 2)
    weight = (rng.normal(size=(5, 2, 1, 1)) + 1j * rng.normal(size=(5, 2, 1, 1))) * 0.004
    frequency = np.arange(1, 6) / 5
    modes = Modes(weight * bump, frequency, np.full(5, 0.15), (WIDTH, HEIGHT))
    save_motion(folder / "plant.motion.safetensors", modes)
    return folder / "plant.png", folder / "plant.motion.safetensors"


@pytest.fixture
def take(files):
    return Take.open(*files, Score(loop_frames=0))


def pull(stage, to, steps=5, start=(0.5, 0.5)):
    stage.handle(Event(0, "press", *start))
    for i in range(1, steps + 1):
        stage.advance(0.05)
        place = (a + (b - a) * i / steps for a, b in zip(start, to, strict=True))
        stage.handle(Event(0, "move", *place))


def test_starts_as_the_photo_and_comes_back_to_it(take):
    stage = Stage(take)
    assert np.array_equal(stage.frame(), take.photo.pixels)
    pull(stage, (0.56, 0.5))
    stage.handle(Event(0, "key", key="w"))
    assert not np.array_equal(stage.frame(), take.photo.pixels)
    stage.handle(Event(0, "key", key="r"))
    assert np.array_equal(stage.frame(), take.photo.pixels) and stage.score == take.score


def test_what_is_pulled_follows_the_pointer_and_springs_back(take):
    stage = Stage(replace(take, score=Score(loop_frames=0, amplitude=0.0)))
    before = stage.frame()
    pull(stage, (0.54, 0.5))
    pulled = stage.frame()
    # The patch that was under the pointer is found 0.04 of the width farther right.
    patch = before[26:38, 42:54]
    at = cv2.minMaxLoc(cv2.matchTemplate(pulled[26:38], patch, cv2.TM_CCOEFF_NORMED))[3]
    assert at[0] == pytest.approx(42 + 0.04 * WIDTH, abs=1.5)
    stage.handle(Event(0, "release", 0.54, 0.5))
    assert np.array_equal(stage.frame(), pulled)
    stage.advance(1.0)
    assert not np.array_equal(stage.frame(), pulled)
    stage.advance(120)
    assert np.array_equal(stage.frame(), before)


def test_a_click_without_a_pull_does_nothing(take):
    stage = Stage(take)
    stage.handle(Event(0, "press", 0.5, 0.5))
    stage.handle(Event(0, "release", 0.5, 0.5))
    assert stage.score == take.score


def test_a_poke_goes_the_way_the_pointer_came(take):
    stage = Stage(take)
    for y in (0.2, 0.35, 0.5):
        stage.handle(Event(0, "move", 0.5, y))
    stage.handle(Event(0, "press", 0.5, 0.5, "right"))
    (poke,) = stage.score.impulses
    assert poke.direction[0] == 0 and poke.direction[1] > 0


def test_keys_pause_amplify_and_blow(take):
    stage = Stage(take)
    stage.handle(Event(0, "key", key="space"))
    stage.advance(2)
    assert stage.seconds == 0
    stage.handle(Event(0, "key", key="space"))
    stage.advance(2)
    for key in ("+", "+", "w"):
        stage.handle(Event(0, "key", key=key))
    amplitude, wind = stage.score.amplitude, stage.score.wind.strength
    # No jump: what was until now stays, the new value comes by and by.
    assert amplitude.at(60) == wind.at(60) + 1 == 1 and amplitude.at(75) == pytest.approx(1.25**2)
    assert 0 < wind.at(75) < 1 == wind.at(90)
    stage.advance(2)
    stage.handle(Event(0, "key", key="w"))
    assert stage.score.wind.strength.at(1000) == 0 and stage.score.wind.strength.at(100) == 1


def test_the_saved_score_renders_what_was_seen(take):
    stage = Stage(take)
    stage.advance(0.5)
    pull(stage, (0.55, 0.45))
    stage.handle(Event(0, "release", 0.55, 0.45))
    stage.advance(0.25)
    stage.handle(Event(0, "press", 0.4, 0.5, "right"))
    stage.handle(Event(0, "key", key="-"))
    stage.advance(1.0)
    again = replace(take, score=Score.from_dict(stage.score.to_dict()))
    np.testing.assert_array_equal(stage.frame(), again.renderer.render(again.q(stage.seconds * 30)))


def test_wild_events_never_end_the_show(take):
    rng = np.random.default_rng(1)
    stage = Stage(take, (48, 32, 16))
    for _ in range(120):
        kind = rng.choice(["press", "move", "release", "key"])
        key = rng.choice(["space", "w", "+", "-", "r", "s", "F1", ""])
        stage.handle(Event(0, kind, *rng.uniform(-1, 2, 2), button=rng.choice(["left", "right"]), key=key))
        stage.advance(float(rng.choice([0, 0.01, 0.3])))
        frame = stage.frame()
    assert frame.shape == (32, 48, 3)
    assert Score.from_dict(stage.score.to_dict()) == stage.score


def test_a_slow_computer_gets_a_coarser_picture(take, monkeypatch):
    monkeypatch.setattr(stage_module, "QUALITIES", ((192, 96, 24), (80, 48, 16), (64, 32, 12)))
    assert Stage.fitted(take, 90, 100.0).size == (90, 60)
    coarse = Stage.fitted(take, 90, 0.0)
    assert coarse.size == (64, 43) and coarse.frame().shape == (43, 64, 3)
    assert np.array_equal(coarse.frame(), Stage(take, (64, 32, 12)).frame())  # trying left nothing behind


SCRIPT = [
    {"time": 0.1, "kind": "press", "x": 0.5, "y": 0.5},
    {"time": 0.2, "kind": "move", "x": 0.56, "y": 0.5},
    {"time": 0.3, "kind": "release", "x": 0.56, "y": 0.5},
    {"time": 0.4, "kind": "key", "key": "w"},
]


def test_a_script_becomes_a_video_and_a_score(files, tmp_path, capsys):
    events, video, score = tmp_path / "e.json", tmp_path / "o.mp4", tmp_path / "s.json"
    events.write_text(json.dumps(SCRIPT[::-1]))
    assert (
        main(["live", *map(str, files), "--events", str(events), "--record", str(video), "--save", str(score)])
        == 0
    )
    frames = list(read_frames(video))
    assert len(frames) == 1 + round(3.4 * 30) and frames[0].shape == (HEIGHT, WIDTH, 3)
    moved = [np.abs(f.astype(int) - frames[0]).mean() for f in frames]
    assert moved[9] > 2 * moved[3]  # at the pull's end, and before it begins
    (drag,) = Score.load(score).drags
    assert (drag.frame_start, drag.frame_release) == (3, 9) and drag.offset == pytest.approx((0.06, 0))
    assert Score.load(score).wind.strength.at(100) == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "JSON"),
        ("{}", "list"),
        ("[3]", "event 0"),
        ('[{"time": 0}]', "event 0"),
        ('[{"time": 0, "kind": "press", "z": 1}]', "event 0"),
        ('[{"time": -1, "kind": "press"}]', "time of event 0"),
        ('[{"time": NaN, "kind": "press"}]', "time of event 0"),
        ('[{"time": 1e9, "kind": "press"}]', "time of event 0"),
        ('[{"time": 0, "kind": "move"}, {"time": 0, "kind": "move", "x": "a"}]', "x of event 1"),
        ('[{"time": 0, "kind": "hug"}]', "kind of event 0"),
        ('[{"time": 0, "kind": ["press"]}]', "kind of event 0"),
        ('[{"time": 0, "kind": "key", "key": "q"}]', "key of event 0"),
    ],
)
def test_wrong_events_are_named(tmp_path, text, named):
    path = tmp_path / "e.json"
    path.write_text(text)
    with pytest.raises(GidError, match=named):
        load_events(path)


def test_options_that_lack_each_other(files, tmp_path, capsys):
    assert main(["live", *map(str, files), "--record", str(tmp_path / "o.mp4")]) == 2
    assert "--events" in capsys.readouterr().err
    assert main(["live", *map(str, files), "--record", str(tmp_path), "--events", "no.json"]) == 2


def test_without_a_toolkit_or_a_screen_a_sentence_says_so(files, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tkinter", None)
    assert main(["live", *map(str, files)]) == 2
    assert "tkinter" in capsys.readouterr().err
    monkeypatch.undo()
    if sys.platform.startswith("linux"):
        pytest.importorskip("tkinter")
        monkeypatch.delenv("DISPLAY", raising=False)
        assert main(["live", *map(str, files)]) == 2
        assert "no screen" in capsys.readouterr().err


HANDS = """
import sys, tkinter
from gid_engine.cli import main

def act(root, steps):
    name, details = steps[0]
    canvas = root.winfo_children()[0]
    (root if name.startswith("<Key") else canvas).event_generate(name, **details)
    if steps[1:]:
        root.after(150, act, root, steps[1:])

class Tk(tkinter.Tk):
    def mainloop(self):
        self.focus_force()
        self.after(300, act, self, [
            ("<Motion>", dict(x=40, y=32)), ("<ButtonPress-1>", dict(x=48, y=32)), ("<Motion>", dict(x=54, y=32)),
            ("<ButtonRelease-1>", dict(x=54, y=32)), ("<ButtonPress-3>", dict(x=40, y=30)),
            ("<ButtonRelease-3>", dict(x=40, y=30)), ("<Key-w>", {}), ("<Key-plus>", {}), ("<Key-s>", {}),
            ("<Key-Escape>", {}),
        ])
        super().mainloop()

tkinter.Tk = Tk
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(not shutil.which("xvfb-run"), reason="needs Xvfb")
def test_in_a_real_window(files, tmp_path):
    pytest.importorskip("tkinter")
    score = tmp_path / "s.json"
    command = ["xvfb-run", "-a", sys.executable, "-c", HANDS, "live", *map(str, files), "--save", str(score)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    saved = Score.load(score)
    assert len(saved.drags) == len(saved.impulses) == 1
    assert saved.drags[0].offset[0] == pytest.approx(6 / WIDTH) and saved.amplitude.values[-1] == 1.25
    assert saved.wind.strength.values[-1] == 1
