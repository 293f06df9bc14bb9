"""What the engine can compute on: which packages each choice needs, and which of them suits this machine."""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .engine import ENGINE_ROOT

LOCKS = ENGINE_ROOT / "requirements"
_PYTORCH = "https://download.pytorch.org/whl/"
_PIN = re.compile(r'([\w.-]+)==([\w.+!]+)\s*(?:;\s*sys_platform\s*==\s*"(\w+)")?\s*$')


@dataclass(frozen=True)
class Backend:
    """One choice. index: where PyTorch publishes this build, "" for PyPI alone."""

    name: str
    index: str
    pypi_serves: bool  # PyPI's build of PyTorch does it too
    needed_gib: int  # while installing: packages, and pip's copies

    @property
    def lock(self) -> Path:
        return LOCKS / f"engine-{self.name}.txt"


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend("cpu", _PYTORCH + "cpu", pypi_serves=True, needed_gib=3),
        Backend("cuda", _PYTORCH + "cu130", pypi_serves=sys.platform == "linux", needed_gib=12),
        Backend("cuda126", _PYTORCH + "cu126", pypi_serves=False, needed_gib=12),
        Backend("rocm", _PYTORCH + "rocm7.2", pypi_serves=False, needed_gib=24),
        Backend("mps", "", pypi_serves=True, needed_gib=2),
    )
}


def pins(lock: Path) -> dict[str, str]:
    """Package → version that a lock asks for on this system, also by the locks that it includes (-r)."""
    found = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("-r "):
            found |= pins(lock.parent / line[3:].strip())
        elif (pin := _PIN.match(line)) and pin[3] in (None, sys.platform):
            found[pin[1]] = pin[2]
    return found


def fingerprint(lock: Path) -> str:
    """Differs where an installation by this lock would differ."""
    return hashlib.sha256(repr(sorted(pins(lock).items())).encode()).hexdigest()[:16]


# --- what this machine has --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Card:
    """A graphics card of NVIDIA's. driver: major version; capability: (major, minor)."""

    name: str
    driver: int
    capability: tuple[int, int]


def detect(
    system: str = sys.platform,
    machine: str | None = None,
    cards: list[Card] | None = None,
    kfd: Path = Path("/sys/class/kfd/kfd/topology/nodes"),
) -> tuple[str, str]:
    """(name of the backend that suits this machine, a sentence that says why). May take a second: nvidia-smi."""
    if system == "darwin":
        if (machine or platform.machine()) == "arm64":
            return "mps", "Apple's graphics are used."
        return "cpu", "This Mac has no Apple processor: PyTorch may have no build for it."
    cards = nvidia_cards() if cards is None else cards
    if cards:
        return _for_nvidia(max(cards, key=lambda card: card.capability), system)
    if system == "linux" and _has_amd_compute(kfd):
        return "rocm", "A graphics card of AMD's with ROCm was found."
    return "cpu", "No graphics card that PyTorch can use was found: the processor does it, slower."


def _for_nvidia(card: Card, system: str) -> tuple[str, str]:
    # CUDA 13 needs driver 580, CUDA 12 needs 525 (Windows: 528); 13 knows cards from 7.5 on, 12.6 up to 9.0.
    if card.driver >= 580 and card.capability >= (7, 5):
        return "cuda", f"{card.name} was found (driver {card.driver})."
    enough = 528 if system == "win32" else 525
    if card.driver >= enough and (5, 0) <= card.capability <= (9, 0):
        return "cuda126", f"{card.name} was found (driver {card.driver}): CUDA 12.6 suits it."
    if card.capability < (5, 0):
        return "cpu", f"{card.name} is too old for PyTorch: the processor does it, slower."
    return "cpu", f"{card.name} needs a newer driver than {card.driver}: update it to 580, then install again."


def nvidia_cards() -> list[Card]:
    """NVIDIA's cards by nvidia-smi, which comes with the driver."""
    program = shutil.which("nvidia-smi") or r"C:\Windows\System32\nvidia-smi.exe"
    query = [program, "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
    try:
        answer = subprocess.run(
            query,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=10,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return parse_cards(answer.stdout.decode(errors="replace"))


def parse_cards(table: str) -> list[Card]:
    """Cards from nvidia-smi's lines, such as "NVIDIA L4, 580.65.06, 8.9"; other lines are passed over."""
    cards = []
    for line in table.splitlines():
        if found := re.fullmatch(r"(.+), (\d+)[\d.]*, (\d+)\.(\d+)", line.strip()):
            cards.append(Card(found[1], int(found[2]), (int(found[3]), int(found[4]))))
    return cards


def _has_amd_compute(kfd: Path) -> bool:
    # A node of the kernel's compute driver is a processor or a card; cards have a graphics target.
    for properties in kfd.glob("*/properties"):
        try:
            if re.search(r"gfx_target_version [1-9]", properties.read_text()):
                return True
        except OSError:
            continue
    return False
