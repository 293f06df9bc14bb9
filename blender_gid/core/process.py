"""Child processes: they end with Blender, open no window, and know nothing of Blender's Python."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

# Variables of Blender's own Python that would lead another one astray.
_KEPT_OUT = ("PYTHON", "VIRTUAL_ENV", "CONDA_")
# Linux: the kernel kills the child with its parent (prctl 1, PR_SET_PDEATHSIG); holds through the exec.
_TIE = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 9)\n"
    "if os.getppid() == int(sys.argv[1]): os.execv(sys.executable, [sys.executable, *sys.argv[2:]])\n"
)


def clean_environment(engine_root: Path | None = None) -> dict[str, str]:
    """The environment of a child process: this one's without any trace of Blender's Python."""
    environment = {k: v for k, v in os.environ.items() if not k.upper().startswith(_KEPT_OUT)}
    environment |= {"PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1"}
    if engine_root is not None:
        environment["PYTHONPATH"] = str(engine_root)
    return environment


def start(command: list[str], **options) -> subprocess.Popen:
    """Start a Python (command[0]); options as for Popen. OSError where it can't be started."""
    if sys.platform == "win32":
        process = subprocess.Popen(command, creationflags=subprocess.CREATE_NO_WINDOW, **options)
        with contextlib.suppress(OSError, AttributeError):
            _tie_on_windows(process)
        return process
    if sys.platform == "linux":
        os.stat(command[0])  # the wrapper's own failure would come too late
        command = [command[0], "-S", "-E", "-c", _TIE, str(os.getpid()), *command[1:]]
    # A group of its own: with it, `end` also reaches what the child has started.
    return subprocess.Popen(command, start_new_session=True, **options)


def end(process: subprocess.Popen) -> None:
    """End a process by force, with all that it has started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill() if sys.platform == "win32" else os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def why_it_ended(code: int) -> str:
    """An exit code in words."""
    if code in (-9, 137):
        return "the system ended it, as it does when memory runs out"
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code:#x}" if code > 0xFFFF else f"exit code {code}"


def _tie_on_windows(process: subprocess.Popen) -> None:
    """Put the process into a job object that Windows closes, and all in it ends, when Blender ends."""
    import ctypes
    from ctypes import wintypes

    class Limits(ctypes.Structure):  # JOBOBJECT_EXTENDED_LIMIT_INFORMATION, its parts in their order
        _fields_ = (
            ("times", ctypes.c_int64 * 2),
            ("flags", wintypes.DWORD),
            ("working_set", ctypes.c_size_t * 2),
            ("active", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("classes", wintypes.DWORD * 2),
            ("io", ctypes.c_uint64 * 6),
            ("memory", ctypes.c_size_t * 4),
        )

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateJobObjectW.restype = wintypes.HANDLE
    kernel.CreateJobObjectW.argtypes = (ctypes.c_void_p, wintypes.LPCWSTR)
    kernel.SetInformationJobObject.argtypes = (wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD)
    kernel.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
    limits = Limits(flags=0x2000)  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
    job = kernel.CreateJobObjectW(None, None)
    kernel.SetInformationJobObject(job, 9, ctypes.byref(limits), ctypes.sizeof(limits))
    kernel.AssignProcessToJobObject(job, int(process._handle))
    process.gid_job = job  # open as long as Blender: the system closes it
