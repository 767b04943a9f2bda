"""A PostgreSQL and an MLflow server of a test's own, on free ports of the loopback interface."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
POSTGRES = _PROGRAMS[-1].parent if _PROGRAMS else None
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def postgres():
    """Give the address of an empty database, made as docs/tracking.md says; as root, PostgreSQL is run by nobody."""
    is_root = os.geteuid() == 0
    user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []} if is_root else {}
    folder, port = Path(tempfile.mkdtemp(prefix="postgres-")), free_port()
    if is_root:
        shutil.chown(folder, "nobody")
    options = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **user}
    data = folder / "data"
    try:
        words = [POSTGRES / "initdb", "-D", data, "-U", "postgres", "--no-sync"]
        words += ["--auth-local", "trust", "--auth-host", "scram-sha-256"]
        subprocess.run(words, check=True, **options)
        words = [POSTGRES / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"]
        with ending(subprocess.Popen(words, **options), signal.SIGINT) as process:
            ready = [POSTGRES / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
            wait_for(process, lambda: subprocess.run(ready, check=False).returncode == 0)
            for program, *words in (
                ["createuser", "tailgate"],
                ["createdb", "--owner", "tailgate", "tailgate"],
                ["psql", "-c", "ALTER USER tailgate PASSWORD 'secret'"],
            ):
                where = ["-h", folder, "-p", str(port), "-U", "postgres"]
                subprocess.run([POSTGRES / program, *where, *words], check=True, **options)
            yield f"postgresql+psycopg2://tailgate:secret@127.0.0.1:{port}/tailgate"
    finally:
        shutil.rmtree(folder)


@contextmanager
def mlflow_server(database, artifacts, port):
    """Give the address of a server that passes files through."""
    words = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", database, "--serve-artifacts"]
    words += ["--artifacts-destination", artifacts, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    log = Path(artifacts).with_suffix(".log")
    with log.open("w") as file:
        process = subprocess.Popen(
            words, env={**os.environ, **_QUIET}, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    with ending(process, signal.SIGTERM):
        wait_for(process, lambda: _is_healthy(port))
        yield f"http://127.0.0.1:{port}"


def _is_healthy(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def wait_for(process, is_ready, seconds=180):
    deadline = time.monotonic() + seconds
    while not is_ready():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.3)


@contextmanager
def ending(process, how):
    """End a process, whose children end with it, when the block does."""
    try:
        yield process
    finally:
        process.send_signal(how)
        process.wait(timeout=60)
