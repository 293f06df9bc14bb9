"""A real Blender to test in: the one that BLENDER names, else the PATH's, else Debian's in a folder of its own.

    python real_blender.py --prepare      find one, or fetch Debian's: root on Linux, minutes, about 2 GB
    python real_blender.py PROGRAM ...    run a program of Debian's folder: blender, Xvfb

Debian's programs see this machine's files at their own paths, but for the system's (/usr, /etc, /var …), which are
Debian's, and the whole of this machine as /host. They run in a mount namespace: what is mounted for them vanishes
with them. Standard library alone.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SUITE = "trixie"  # Blender 4.3 on Python 3.13
PACKAGES = ("blender", "python3-numpy", "xvfb")
MIRROR = "http://deb.debian.org/debian"
ADVICE = "Name a Blender (4.2 or newer): BLENDER=/path/to/blender"

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "blender_gid"
DEBIAN = CACHE / f"blender-{SUITE}"
READY = DEBIAN / ".ready"  # holds the recipe that the folder was made from, once it is whole
RECIPE = " ".join((SUITE, *PACKAGES))
# The top folders that are Debian's own inside; everything else is this machine's.
OWN = {"bin", "boot", "etc", "host", "lib", "lib32", "lib64", "libx32", "lost+found", "sbin", "usr", "var"}

# The engine's Python stays this machine's, with this machine's libraries, also if it lies in /usr.
ENGINE_PYTHON = "/usr/local/bin/engine-python"
ENGINE_PYTHON_SCRIPT = '#!/bin/sh\nexec chroot /host "$HOST_ENGINE_PYTHON" "$@"\n'

# $1: the folder; $2: directory to start in; $3: how many paths to bind follow; then the command.
ENTER = """
set -e
debian=$1 start=$2 count=$3
shift 3
mount --rbind / "$debian/host"
while [ "$count" -gt 0 ]; do
    mkdir -p "$debian$1"
    mount --rbind "$1" "$debian$1"
    shift
    count=$((count - 1))
done
exec chroot "$debian" /usr/bin/env -C "$start" "$@"
"""


class Missing(Exception):
    """Why there is no real Blender here: a sentence."""


def named() -> str | None:
    """The Blender that a person chose or installed. Missing if BLENDER names none."""
    chosen = os.environ.get("BLENDER")
    if chosen and not shutil.which(chosen):
        raise Missing(f"BLENDER={chosen} is no program.")
    return shutil.which(chosen or "blender")


def ready() -> bool:
    """Whether Debian's folder is whole and can be entered."""
    return os.name == "posix" and READY.is_file() and READY.read_text() == RECIPE and not unfit()


def command(program: str) -> list[str]:
    """The command line that runs one of Blender's or X's programs here. Missing where there is none."""
    if program == "blender" and (own := named()):
        return [own]
    if program != "blender" and (own := shutil.which(program)):
        return [own]
    if ready():
        return [sys.executable, str(Path(__file__).resolve()), program]
    raise Missing(f"There is no {program} here. {unfit() or 'Run dev.py test, which fetches it.'}")


def unfit() -> str:
    """Why this machine can't run Debian's Blender; empty if it can."""
    if not sys.platform.startswith("linux"):
        return "Debian's Blender runs on Linux only."
    if os.geteuid() != 0:
        return "Debian's Blender needs root."
    if (
        not shutil.which("unshare")
        or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode
    ):
        return "Debian's Blender needs mount namespaces (unshare --mount), which are not allowed here."
    return ""


def prepare() -> str:
    """Find or fetch a Blender; says which. Missing where none can be had."""
    if own := named():
        return own
    if ready():
        return f"Debian's, in {DEBIAN}"
    if reason := unfit():
        raise Missing(reason)
    import fcntl  # not on Windows

    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready():
            fetch()
    return f"Debian's, in {DEBIAN}"


def fetch() -> None:
    """Make Debian's folder: whole under its name, or not at all."""
    if not shutil.which("debootstrap"):
        raise Missing("debootstrap is not installed.")
    part, log = DEBIAN.with_suffix(".part"), CACHE / "debootstrap.log"
    for folder in (part, DEBIAN):
        remove(folder)
    print(f"Fetching Debian's Blender to {DEBIAN}, some minutes (log: {log})", flush=True)
    include = f"--include={','.join(PACKAGES)}"
    debootstrap = ["debootstrap", "--variant=minbase", include, SUITE, str(part), mirror()]
    with open(log, "wb") as output:  # what debootstrap mounts must not outlive it: hence unshare
        code = subprocess.run(["unshare", "--mount", *debootstrap], stdout=output, stderr=output).returncode
    if code:
        last = log.read_text(errors="replace").strip().splitlines()[-1:] or [f"exit code {code}"]
        raise Missing(f"debootstrap failed: {last[0]}. Everything is in {log}.")
    shutil.rmtree(part / "var/cache/apt/archives", ignore_errors=True)
    (part / "host").mkdir()
    shim = part / ENGINE_PYTHON.lstrip("/")
    shim.write_text(ENGINE_PYTHON_SCRIPT)
    shim.chmod(0o755)
    (part / READY.name).write_text(RECIPE)
    part.rename(DEBIAN)


def remove(folder: Path) -> None:
    """Delete a folder of ours, but never through a live mount: behind it lie other people's files."""
    if re.search(rf" {re.escape(str(folder))}[/ ]", Path("/proc/self/mounts").read_text()):
        raise Missing(f"Something is still mounted in {folder}: unmount it first.")
    if folder.exists():
        shutil.rmtree(folder)


def mirror() -> str:
    """The Debian mirror that this machine's apt uses."""
    sources = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for source in sources:
        text = source.read_text(errors="replace") if source.is_file() else ""
        lines = [line for line in text.splitlines() if line.startswith(("deb ", "URIs:"))]
        found = re.search(r"https?://\S+/debian/?(?=\s|$)", "\n".join(lines))
        if found:
            return found[0]
    return MIRROR


def enter(program: list[str]) -> None:
    """Become a program of Debian's folder."""
    tops = [p for p in Path("/").iterdir() if p.is_dir() and not p.is_symlink() and p.name not in OWN]
    elsewhere = [p for p in (ROOT, Path(tempfile.gettempdir()).resolve()) if p.parts[1] in OWN]
    shared = [str(p) for p in (*tops, *elsewhere)]
    environ = dict(
        os.environ,
        PATH="/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        LC_ALL="C.UTF-8",
        LIBGL_ALWAYS_SOFTWARE="1",
    )
    environ.pop("LD_LIBRARY_PATH", None)
    if python := environ.get("GID_ENGINE_PYTHON"):
        environ |= {"GID_ENGINE_PYTHON": ENGINE_PYTHON, "HOST_ENGINE_PYTHON": python}
    script = ["sh", "-c", ENTER, "enter", str(DEBIAN), os.getcwd(), str(len(shared)), *shared, *program]
    os.execvpe("unshare", ["unshare", "--mount", *script], environ)


def main(arguments: list[str]) -> int:
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    if arguments != ["--prepare"]:
        enter(arguments)
    try:
        print(f"Real Blender: {prepare()}", flush=True)
    except (Missing, OSError) as error:
        print(f"SKIPPED: the tests in a real Blender. {error} {ADVICE}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
