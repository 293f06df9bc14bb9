"""The job's states against a real child process that speaks the protocol, line by line."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blender_gid.core import job as jobs
from blender_gid.core.client import EngineClient
from blender_gid.core.engine import GidError
from blender_gid.core.process import clean_environment

READ = "import sys, json, time\nrequest = json.loads(sys.stdin.readline())\n"
SAY = "def say(**reply): print(json.dumps({'id': request['id'], **reply}), flush=True)\n"


@pytest.fixture
def start(tmp_path):
    """Start a job with a worker whose code follows the reading of the request."""
    clients = []

    def begin(code):
        client = EngineClient([sys.executable, "-u", "-c", READ + SAY + code], tmp_path, tmp_path / "l" / "log")
        clients.append(client)
        return jobs.Job(client, "Testing", "predict", photo="d é.png")

    yield begin
    for client in clients:
        client.stop(patience=0)


def until(job, condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, job.state
        job.poll()
        time.sleep(0.005)


def ended(job):
    until(job, lambda: job.finished)
    return job.state


def test_progress_then_result(start):
    job = start(
        "say(type='progress', fraction=0.25, message='Looking')\nsys.stdin.readline()\n"
        "say(type='result', path=request['photo'])\n"
    )
    until(job, lambda: job.fraction == 0.25)
    assert (job.state, job.message) == ("RUNNING", "Looking")
    job._client.send("go on")
    assert ended(job) == "DONE" and job.result["path"] == "d é.png" and job.fraction == 1


def test_error_reply_becomes_sentences(start):
    job = start("say(type='error', code='disk_full', message='The disk is full.', action='Free some space.')")
    assert ended(job) == "FAILED"
    assert (job.error.code, str(job.error)) == ("disk_full", "The disk is full. Free some space.")


def test_error_of_a_request_that_could_not_be_read_ends_the_job(start):
    job = start(
        "print(json.dumps({'id': None, 'type': 'error', 'code': 'line_too_long', 'message': 'Too long.'}))"
    )
    assert ended(job) == "FAILED" and "Too long." in str(job.error)


def test_sudden_end_names_the_code_the_last_words_and_the_log(start):
    job = start("print('MemoryError', file=sys.stderr)\nraise SystemExit(3)")
    assert ended(job) == "FAILED"
    assert all(part in str(job.error) for part in ("exit code 3", "MemoryError", "log"))


def test_a_result_just_before_the_end_counts(start):
    assert ended(start("say(type='result')\nraise SystemExit(1)")) == "DONE"


@pytest.mark.parametrize(
    "line",
    ["", "[]", "null", "{", "x" * 100_000, '{"id": 1}', '{"id": 2, "type": "result"}', "[" * 50_000, "é\\xff"],
)
def test_lines_that_are_no_reply_are_passed_over(start, line):
    assert ended(start(f"print({line!r}, flush=True)\nsay(type='result')")) == "DONE"


@pytest.mark.parametrize("fraction", ["float('nan')", "float('inf')", "-3", "'half'", "None", "True"])
def test_progress_stays_within_the_bar(start, fraction):
    job = start(f"say(type='progress', fraction={fraction}, message='x')\nsay(type='result')")
    until(job, lambda: 0 <= job.fraction <= 1 and job.finished)


def test_cancel_is_sent_with_the_target_and_honoured(start):
    job = start(
        "say(type='progress', fraction=0.5, message='x')\n"
        "cancel = json.loads(sys.stdin.readline())\nassert cancel['target'] == request['id'], cancel\n"
        "say(type='error', code='cancelled', message='Cancelled.', action='')\ntime.sleep(60)"
    )
    until(job, lambda: job.fraction == 0.5)
    job.cancel()
    assert ended(job) == "CANCELLED" and job.error is None


def test_a_deaf_engine_is_ended_by_force(start, monkeypatch):
    monkeypatch.setattr(jobs, "CANCEL_PATIENCE", 0.05)
    job = start("say(type='progress', fraction=0.5, message='x')\ntime.sleep(60)")
    until(job, lambda: job.fraction == 0.5)
    job.cancel()
    assert job.state == "CANCELLING" and ended(job) == "CANCELLED" and not job._client.alive


def test_an_engine_that_is_still_starting_is_ended_at_once(start):
    job = start("time.sleep(60)")
    job.cancel()
    assert job.state == "CANCELLED" and not job._client.alive


def test_result_that_comes_after_the_cancel_is_kept(start):
    job = start(
        "say(type='progress', fraction=0.5, message='x')\nsys.stdin.readline()\nsay(type='result', path='m')"
    )
    until(job, lambda: job.fraction == 0.5)
    job.cancel()
    assert ended(job) == "DONE"


def test_abandoned_job_takes_its_process_along(start):
    job = start("time.sleep(60)")
    job.abandon()
    assert job.state == "CANCELLED" and job._client.exit_code is not None


def test_time_left_is_known_only_after_progress(start):
    job = start(
        "for i in (0, 1, 2):\n say(type='progress', fraction=0.1 + 0.3 * i, message='x')\n sys.stdin.readline()"
    )
    assert job.seconds_left is None
    until(job, lambda: job.fraction == 0.1)
    assert job.seconds_left is None  # the start of the engine says nothing about the work
    job._client.send("go on")
    until(job, lambda: job.fraction == 0.4)
    assert job.seconds_left > 0


def test_python_that_does_not_start(tmp_path):
    with pytest.raises(GidError, match="nothing-here"):
        EngineClient([str(tmp_path / "nothing-here")], tmp_path, tmp_path / "log")


def test_child_gets_nothing_of_blenders_python(monkeypatch, tmp_path):
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.setenv(name, "/astray")
    environment = clean_environment(tmp_path)
    assert "/astray" not in environment.values()
    assert environment["PYTHONPATH"] == str(tmp_path) and environment["PYTHONUTF8"] == "1"


def test_core_and_the_engines_motion_need_neither_bpy_nor_torch():
    code = (
        "import sys, json\n"
        "from blender_gid.core import client, controls, engine, installer, job, paths, photo_file, sequence\n"
        "print(json.dumps([m for m in ('bpy', 'torch', 'cv2') if m in sys.modules]))"
    )
    root = Path(__file__).resolve().parents[2]
    out = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert json.loads(out.stdout) == []
