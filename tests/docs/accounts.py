"""What executes each command of the documentation: a step of the tour, or another test, or CI."""

from __future__ import annotations

from dataclasses import dataclass

#: Pages whose scripts are run from the first to the last, by test_tour.py.
FOLLOWED = ("tutorial.md",)


@dataclass(frozen=True)
class Proof:
    """A file that executes a command, where in it (``file::test``, or a file of CI), and the words that do.

    A test may call the function behind a command with the same options.
    """

    place: str
    words: str


@dataclass(frozen=True)
class Step:
    """A command as the documentation has it, and how it is run after the tutorial.

    Attributes
    ----------
    documented : tuple of str
        What is run once.
    actual : str or None
        What is run instead, with `{release}`, `{session}` and `{folder}` for names that only this copy has.
    code : int
        What it ends with.
    """

    documented: tuple[str, ...]
    actual: str | None = None
    code: int = 0

    @property
    def script(self):
        return "\n".join(self.documented) if self.actual is None else self.actual


def _as_it_is(*commands):
    return [Step((each,)) for each in commands]


KEY = "~/.config/tailgate/key"
_CI = Proof(".ci/run", "make test")
_SWEEP = "tests/pipeline/test_sweep.py::test_a_sweep_computes_what_its_jobs_share_once_and_is_resumed_and_adopted"
_LAUNCHERS = "tests/pipeline/test_sweep_launchers.py::"
_CLUSTER = "tests/pipeline/test_sweep_launchers.py"
_SERVERS = "tests/core/tracking/servers.py"
_REBUILD = Proof("tests/pipeline/test_audit.py::test_rebuild_elsewhere_makes_the_same_bytes", "--rebuild")
_JUDGE = "tests/stages/test_judge.py::"
_QEMU = "qemu-system-arm -M mps3-an547 -display none -monitor none -icount shift=5,sleep=off -kernel"

ELSEWHERE = {
    "make setup": Proof("Makefile", "test: tools-of-tests setup"),
    "make run": Proof("tests/pipeline/workspace.py::repro", '"dvc", "repro"'),
    "make test": _CI,
    "make test-all": Proof("Makefile", "$(PYTEST)\n"),
    "make bench": Proof("tests/docs/test_tour.py::test_memory_and_speed_are_measured", "measure("),
    "make bench-kernels": Proof("tests/kernels/test_bench.py::test_the_networks", "measure("),
    "make docs": Proof("tests/docs/test_site.py::test_site_is_built_without_a_warning", '"mkdocs"'),
    "make fuzz": Proof("tests/update/test_fuzz.py::test_nothing_breaks", "run(fuzzer, EXECUTIONS)"),
    "python -m tests.update.fuzz --executions 20000": Proof(
        "tests/update/test_fuzz.py::test_nothing_breaks", "run(fuzzer, EXECUTIONS)"
    ),
    'pytest -s -m "not slow" tests/update/test_power_cut.py': _CI,
    "python -m stages.ablate --seeds 5": Proof("tests/stages/test_ablate.py::", "ablate.main("),
    "python -m stages.record --config data/config.yaml --out data/recordings": Proof(
        "tests/stages/test_record.py::test_a_second_recording_adds", "record.main("
    ),
    "python -m stages.judge --reference float.csv --candidate int8.csv": Proof(
        f"{_JUDGE}test_a_candidate_that_keeps_the_tail_passes", '"--reference", reference, "--candidate", candidate'
    ),
    "python -m stages.judge --reference float_id_0*.csv --candidate int8_id_0*.csv --header name score "
    "--anomalous '^anomaly' --unit 'id_\\d+'": Proof(
        f"{_JUDGE}test_the_published_int8_anomaly_detector", '"--anomalous", "^anomaly"'
    ),
    f"python -m stages.audit v1.0.0 --key {KEY}.pub --rebuild": _REBUILD,
    "python -m stages.audit v1.0.0 --key key.pub --rebuild": _REBUILD,
    "python -m stages.audit <release> --rebuild --keep build/rebuilt": _REBUILD,
    "python -m stages.audit v1.0.0 --key key.pub --rebuild --env TZ=Asia/Kathmandu --env LC_ALL=C "
    "--env OMP_NUM_THREADS=2 --env ATEN_CPU_CAPABILITY=default --env GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F": Proof(
        "tests/pipeline/test_audit.py::test_rebuild_elsewhere_makes_the_same_bytes", "--env="
    ),
    "python -m stages.compare diff OLD NEW [--trees OLD_TREE NEW_TREE]": Proof(
        "tests/stages/test_compare.py::", '"diff"'
    ),
    "make bench-sweeps": Proof("Makefile", "python -m tests.bench.sweeps"),
    "python -m stages.sweep -m train.lr=0.001,0.002 quantize.calibration.windows=512,1024": Proof(
        _SWEEP, "sweep(workspace, *words)"
    ),
    "python -m stages.sweep -m hydra/sweeper=optuna hydra.sweeper.n_trials=8 hydra.sweeper.n_jobs=2 "
    "hydra/launcher=joblib hydra.launcher.n_jobs=2 'model.stem.channels=choice(8,16,24)' "
    "'train.lr=interval(0.002,0.008)' 'quantize.score=choice(int8,int32)'": Proof(
        f"{_LAUNCHERS}test_a_search_finds_a_front", "sweep(workspace, *search"
    ),
    "python -m stages.sweep apply 3": Proof(_SWEEP, '"stages.sweep", "apply"'),
    "git clone <url of the git remote> tailgate && cd tailgate": Proof(_CLUSTER, '"git", "clone"'),
    "TAILGATE_NODE=$PWD PYTHONPATH=$PWD ray start --head --port 6379": Proof(_CLUSTER, '"--head", "--port"'),
    "TAILGATE_NODE=$PWD PYTHONPATH=$PWD ray start --address <head>:6379": Proof(_CLUSTER, '"--address", self.address'),
    "dvc remote add -d store <url>": Proof(_CLUSTER, "remote=store"),
    "python -m stages.sweep -m --remote origin train.lr=0.001,0.002 hydra/launcher=ray "
    "hydra.launcher.ray.init.address=<head>:6379": Proof(f"{_LAUNCHERS}test_two_nodes", "sweep(workspace, *words)"),
    "python -m stages.sweep show --remote origin": Proof(
        f"{_LAUNCHERS}test_two_nodes", 'look(workspace, "show", "--remote", "origin")'
    ),
    "python -m stages.sweep apply --remote origin": Proof(
        f"{_LAUNCHERS}test_two_nodes", 'look(workspace, "apply", "--remote", "origin")'
    ),
    "sudo apt-get install postgresql": Proof(".ci/toolchain", "postgresql"),
    "sudo -u postgres createuser tailgate": Proof(_SERVERS, '"createuser", "tailgate"'),
    "sudo -u postgres createdb --owner tailgate tailgate": Proof(
        _SERVERS, '"createdb", "--owner", "tailgate", "tailgate"'
    ),
    "sudo -u postgres psql -c \"ALTER USER tailgate PASSWORD 'secret'\"": Proof(
        _SERVERS, '"psql", "-c", "ALTER USER tailgate PASSWORD \'secret\'"'
    ),
    "MLFLOW_DISABLE_TELEMETRY=true mlflow server --host 127.0.0.1 --port 5000 --backend-store-uri "
    "postgresql+psycopg2://tailgate:secret@127.0.0.1/tailgate --serve-artifacts --artifacts-destination /srv/mlflow": (
        Proof(_SERVERS, '"mlflow", "server", "--backend-store-uri", database, "--serve-artifacts"')
    ),
    "export MLFLOW_TRACKING_URI=http://127.0.0.1:5000": Proof(
        "tests/core/tracking/test_server.py::server", '"MLFLOW_TRACKING_URI"'
    ),
}

#: In this order, in the workspace that the tutorial left: committed, signed, with an updated device.
STEPS = [
    *_as_it_is(
        "dvc status",
        "dvc repro",
        "dvc repro train",
        "dvc repro configure",
        "dvc repro --force configure",
        "dvc repro --single-item --force convert",
        "dvc metrics diff",
        "dvc params diff",
        "dvc plots diff",
        "git status --short",
        "pip install --dry-run --no-deps -r requirements.lock",
        "python -m json.tool data/split/proof.json",
        "python -m json.tool data/split/split.json",
        "python -m json.tool data/features/report.json",
        "python -m json.tool models/convert/contract.json",
        "python -m json.tool models/build/size.json",
        "python -m stages.debug",
        "python -m stages.debug --rung ptq",
    ),
    Step(("python -m stages.replay s0003", "python -m stages.replay <session>"), "python -m stages.replay {session}"),
    Step(
        ("python -m stages.replay s0003 --board mps3_an547 --fault all", "python -m stages.replay SESSION --fault all"),
        "python -m stages.replay {session} --board mps3_an547 --fault all",
    ),
    Step(
        ("python -m stages.replay <session> --board native",),
        "python -m stages.replay {session} --board native",
    ),
    Step(("python -m stages.replay <session> --fault slow",), "python -m stages.replay {session} --fault slow"),
    Step(
        ("python -m stages.replay <session> --fault saturation",),
        "python -m stages.replay {session} --fault saturation",
    ),
    Step(
        ("python -m stages.compare diff <release> <release>",),
        "python -m stages.compare diff releases/{release} releases/{release}",
    ),
    # A release may not follow itself.
    Step(
        (
            "python -m stages.compare gate releases/<new> --against releases/<old>",
            "python -m stages.compare gate NEW --against OLD",
        ),
        "python -m stages.compare gate releases/{release} --against releases/{release}",
        code=3,
    ),
    Step(
        (f"python -m stages.publish verify releases/<release> --key {KEY}.pub",),
        f"python -m stages.publish verify releases/{{release}} --key {KEY}.pub",
    ),
    Step(
        ("python -m stages.audit <release>", "python -m stages.audit releases/1.0.0+0123456789ab --key key.pub"),
        f"python -m stages.audit releases/{{release}} --key {KEY}.pub",
    ),
    # Nobody has a device there.
    Step(
        (
            "python -m stages.update /dev/ttyACM0 releases/<new>/bundle.bin",
            "python -m stages.update <port> releases/<release>/bundle.bin",
        ),
        "python -m stages.update /dev/ttyTailgate releases/{release}/bundle.bin",
        code=2,
    ),
    *_as_it_is(
        "cmake -G Ninja -S firmware -B build/device -DTG_BOARD=native -DTG_UPDATE_KEY=$HOME/.config/tailgate/key.pub",
        "ninja -C build/device update",
    ),
    Step(
        ("python -m stages.update exec:build/device/update.elf releases/<release id>/bundle.bin",),
        "python -m stages.update exec:build/device/update.elf releases/{release}/bundle.bin",
    ),
    Step(
        (
            f"{_QEMU} build/device/update.elf -serial tcp:127.0.0.1:4321,server,nowait",
            "python -m stages.update socket://127.0.0.1:4321 releases/<release id>/bundle.bin",
        ),
        f"{_QEMU} build/m55/update.elf -serial tcp:127.0.0.1:4321,server,nowait &\n"
        "trap 'kill %1' EXIT; sleep 3\n"
        "python -m stages.update socket://127.0.0.1:4321 releases/{release}/bundle.bin",
    ),
    *_as_it_is(
        "cmake -G Ninja -S firmware -B build/forward -DTG_BOARD=mps2_an386 -DTG_FORWARD_ONLY=ON "
        "-DCMAKE_TOOLCHAIN_FILE=$PWD/firmware/cmake/arm-none-eabi.cmake -DTG_FORWARD_CHANNELS=1 "
        "-DTG_FORWARD_SAMPLE_RATE_MILLIHZ=12800000 -DTG_FORWARD_COUNTS_PER_UNIT_MILLI=2048000",
        "ninja -C build/forward",
    ),
    *_as_it_is(
        f"python -m stages.publish sign --key {KEY}",
        f"python -m stages.publish sign --key {KEY} --tag v1.0.0",
    ),
    Step(
        (
            "mlflow ui --backend-store-uri sqlite:///mlflow.db",
            "MLFLOW_DISABLE_TELEMETRY=true mlflow ui --backend-store-uri sqlite:///mlflow.db",
        ),
        "export MLFLOW_DISABLE_TELEMETRY=true\ntimeout 12 mlflow ui --backend-store-uri sqlite:///mlflow.db --port 0",
        code=124,
    ),
    *_as_it_is("python -m stages.find --deliver"),
    *_as_it_is(
        "python -m stages.find models/build/mps3_an547/app.elf", "python -m stages.find models/release/bundle.bin"
    ),
    Step(
        ("python -m stages.find 3ed91b5e",),
        "python -m stages.find $(sha256sum models/convert/model.onnx | cut -c1-8)",
    ),
    Step(("python -m stages.find FILE",), "python -m stages.find models/release/manifest.json"),
    *_as_it_is("python -m stages.report"),
    # A sweep of what is in the cache already.
    Step(
        ("python -m stages.sweep show", "python -m stages.sweep best", "python -m stages.sweep pareto"),
        "python -m stages.sweep -m train.epochs=10\n{documented}",
    ),
    Step(("python -m stages.sweep -m train.lr=0.001,0.002",), "python -m stages.sweep -m train.epochs=10,10"),
    Step(
        ("pip install --no-deps -r requirements-sweep.lock",),
        "pip install --no-deps --dry-run -r requirements-sweep.lock",
    ),
    Step(
        (
            "pip install -r requirements.lock && pip install --no-deps -r requirements-sweep.lock",
            "pip install mlflow==3.17.2 psycopg2-binary==2.9.13",
        ),
        "pip install --no-deps --dry-run -r requirements.lock -r requirements-sweep.lock\n"
        "pip install --no-deps --dry-run mlflow==3.17.2 psycopg2-binary==2.9.13",
    ),
    Step(
        ("dvc exp run --temp -S '++overrides.train.lr=0.002'",),
        "dvc exp run --temp -S '++overrides.train.lr=0.002' features",
    ),
    Step(
        (
            "dvc exp run --temp -S task=vibration_mems",
            "dvc exp run --temp -S task=shock",
            "dvc exp run --temp -S task=…",
            "dvc exp run --temp",
        ),
        "dvc exp run --temp -S task=shock configure",
    ),
    *_as_it_is("dvc exp show"),
    Step(("dvc exp run -S task=recordings",)),
    Step(("git add -A && git commit",), "echo 1 > note; git add -A && git commit"),
    Step(("git add dvc.lock && git commit",), "echo '# 1' >> dvc.lock; git add dvc.lock && git commit"),
    *_as_it_is("dvc plots diff HEAD~1"),
    Step(
        ("dvc push && git push --follow-tags", "dvc pull"),
        "dvc remote add --default store {folder}/store\n"
        "git init -q --bare {folder}/origin; git remote add origin {folder}/origin\n"
        "git config push.autoSetupRemote true\n{documented}",
    ),
    Step(("dvc add",), "cp note recording.wav; dvc add recording.wav"),
    *_as_it_is("dvc gc --workspace --force"),
]
