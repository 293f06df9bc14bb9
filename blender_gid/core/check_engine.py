"""Run by the engine's Python, not imported: `check_engine.py LOCK_JSON BACKEND`. Needs no package.

Checks versions, every file of every package against its record, that all of it starts, the weights' hashes, and
that the backend computes. LOCK_JSON is a table of package → version. Prints one JSON object as its last line:
{"problem": sentence or "", "damaged": [packages], "device": …, "torch": …}.
"""

import hashlib
import importlib
import json
import sys
from importlib import metadata
from pathlib import Path

# Module → its package, in the order of their dependence.
MODULES = {
    "numpy": "numpy",
    "torch": "torch",
    "cv2": "opencv-python-headless",
    "av": "av",
    "OpenEXR": "OpenEXR",
    "PIL": "pillow",
    "safetensors": "safetensors",
    "tqdm": "tqdm",
}


def main(lock, backend):
    damaged = damaged_packages(json.loads(lock))
    if damaged:
        names = ", ".join(damaged[:4]) + (" …" if len(damaged) > 4 else "")
        return {"problem": f"Missing or damaged: {names}.", "damaged": damaged}
    for module, package in MODULES.items():
        try:
            importlib.import_module(module)
        except Exception as error:  # a library that can't be loaded raises anything
            return {"problem": f"{package} does not start: {str(error)[:300]}.", "damaged": [package]}
    if bad := damaged_weights():
        problem = f"{bad} of the motion prior is missing or damaged: install the add-on again."
        return {"problem": problem, "damaged": []}
    import torch

    device, problem = compute(torch, backend)
    return {"problem": problem, "damaged": [], "device": device, "torch": torch.__version__}


def damaged_packages(lock):
    """Packages that are not there in the locked version, or whose files are gone or of another size."""
    damaged = []
    for name, version in lock.items():
        try:
            package = metadata.distribution(name)
            whole = package.version.partition("+")[0] == version.partition("+")[0]
            whole = whole and all(intact(package, file) for file in package.files or ())
        except metadata.PackageNotFoundError:
            whole = False
        if not whole:
            damaged.append(name)
    return damaged


def intact(package, file):
    if file.suffix == ".pyc":
        return True
    path = Path(package.locate_file(file))
    try:
        return file.size is None or path.stat().st_size == file.size
    except OSError:
        return False


def damaged_weights():
    """The name of a weights file that does not match its hash, or ""."""
    import gid_engine

    folder = Path(gid_engine.__file__).parent / "prior" / "weights"
    try:
        record = json.loads((folder / "sha256.json").read_text(encoding="utf-8"))
        for name, expected in record.items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
                return name
    except (OSError, ValueError):
        return "The list of weights, or a file that it names,"
    return ""


def compute(torch, backend):
    """(device that a small sum was computed on, sentence if the backend's own could not)."""
    wanted = {"cuda126": "cuda", "rocm": "cuda"}.get(backend, backend)
    if wanted == "cpu":
        return "cpu", ""
    available = torch.cuda.is_available() if wanted == "cuda" else torch.backends.mps.is_available()
    if not available:
        return "cpu", f"PyTorch {torch.__version__} finds no graphics card: update its driver, or choose CPU."
    try:
        assert float(torch.ones(64, device=wanted).sum()) == 64
    except Exception as error:
        return "cpu", f"The graphics card can't compute: {str(error).splitlines()[0][:300]}."
    return wanted, ""


if __name__ == "__main__":
    answer = main(*sys.argv[1:])
    print("\n" + json.dumps(answer))
    raise SystemExit(1 if answer["problem"] else 0)
