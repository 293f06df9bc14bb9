"""A stand-in for the engine's process: speaks the protocol, writes real files, misbehaves on demand (GID_FAKE).

well; dies: ends in the middle of a job; chatty: garbage between the lines; refuses: answers with an error;
slow: waits for a cancel (slow:NAME: only when it renders NAME); deaf: waits and ignores a cancel; skips: leaves
out a frame; mute: ends before a word; full: no memory for the photo's own size; old: knows no new field.
"""

import json
import os
import queue
import sys
import threading
import time
from pathlib import Path

import numpy as np
from pictures import photo, write_png

HOW = os.environ.get("GID_FAKE", "well")
REFUSALS = {  # as the engine words them
    "refuses": ("weights_missing", "The weights are missing.", "Install the add-on again."),
    "full": (
        "out_of_memory",
        "The memory of this computer or its graphics card is not enough for this.",
        "Choose a smaller size, close other programs, or choose the CPU as the device.",
    ),
    "old": (
        "bad_request",
        "The verb render has no field 'shutter'.",
        "Update the add-on or the engine, so that both are of the same version.",
    ),
}
requests: queue.Queue = queue.Queue()


def say(**reply):
    print(json.dumps(reply), flush=True)


def listen():
    for line in sys.stdin:
        requests.put(json.loads(line))
    os._exit(0)  # EOF: Blender is gone


def misbehave(request):
    if HOW == "dies":
        print("RuntimeError: out of memory", file=sys.stderr, flush=True)
        os._exit(9)
    if HOW == "chatty":
        print("Loading…\n[1, 2]\n{not json\n\xff", flush=True)
        say(id=999, type="result")
        say(id=request["id"], type="progress", fraction=float("nan"), message=None)
    if HOW in REFUSALS:
        code, message, action = REFUSALS[HOW]
        if HOW == "full" and "proxy" in request:
            return False
        say(id=request["id"], type="error", code=code, message=message, action=action)
        return True
    while HOW in ("slow", "deaf") or HOW == f"slow:{request.get('name')}":
        time.sleep(0.01)
        if HOW != "deaf" and not requests.empty() and requests.get()["verb"] == "cancel":
            say(id=request["id"], type="error", code="cancelled", message="Cancelled.", action="")
            return True
    return False


def predict(request):
    from gid_engine.motion import save_motion

    assert Path(request["photo"]).is_file()
    modes = sway(seed=request["seed"])
    save_motion(request["out"], modes)
    return {"path": request["out"], "seconds": {}}


def observe(request):
    from gid_engine.motion import save_motion

    assert Path(request["clip"]).is_file()
    if "photo_out" in request:
        write_png(Path(request["photo_out"]), photo())
    save_motion(request["out"], sway())
    told = [f"{key} {request[key]}" for key in ("start", "seconds", "stabilise")]
    told += ["masked"] if Path(request.get("mask", "")).is_file() else []
    return {"path": request["out"], "notes": told, "seconds": {}}


def sway(seed=0, bands=3, h=12, w=18):
    from gid_engine.motion import Modes

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:h, 0:w] / w
    modes = np.zeros((bands, 2, h, w), np.complex64)
    for k in range(bands):
        turn = np.exp(2j * np.pi * rng.random())
        modes[k] = 0.03 / (k + 1) * turn * np.stack([np.sin(3 * x + k * y), 0.4 * np.cos(2 * y + k * x)])
    return Modes(modes, np.arange(1, bands + 1) / 5, np.full(bands, 0.05), (48, 32), seed=seed)


def render(request):
    folder = Path(request["out_dir"])
    channels = {2: 3, 6: 4}[Path(request["photo"]).read_bytes()[25]]  # the photo's colour type
    folder.mkdir(parents=True, exist_ok=True)
    first, last = request["frames"]["first"], request["frames"]["last"]
    for i, frame in enumerate(range(first, last + 1)):
        if HOW == "dies" and i == 2:
            os._exit(9)
        if HOW == "skips" and i == 2:
            continue
        write_png(
            folder / f"{request['name']}_{frame:04d}.png",
            photo(channels=channels, shift=5 * frame),
        )
        say(id=request["id"], type="progress", fraction=(i + 1) / (last - first + 1), message=f"Frame {frame}")
    return {"suffix": ".png", "first": first, "last": last, "rendered": last - first + 1, "skipped": 0}


def main():
    if HOW == "mute":
        return
    threading.Thread(target=listen, daemon=True).start()
    verbs = {
        "predict": predict,
        "observe": observe,
        "render": render,
        "hello": lambda r: {"version": "0.1.0", "torch": "2.0", "device": "cpu", "weights": True},
    }
    while True:
        request = requests.get()
        if request["verb"] == "shutdown":
            return
        say(id=request["id"], type="progress", fraction=0.1, message="Working")
        if request["verb"] != "render" or HOW != "dies":
            if misbehave(request):
                continue
        say(id=request["id"], type="result", **verbs[request["verb"]](request))


if __name__ == "__main__":
    main()
