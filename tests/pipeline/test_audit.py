"""A release of the whole pipeline is audited: whole it passes, and whatever is done to it names itself."""

import hashlib
import json
import re
import shutil
import stat
import subprocess

import numpy as np
import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from mlflow import MlflowClient

from stages import audit
from stages.core.errors import AuditFailed
from stages.core.release.sources import as_text, short
from tests.pipeline.workspace import TINY, Workspace

#: Of what a rebuild makes again, each kind once.
NATIVE = {"board": ["native"], "quantize.ladder": ["ptq"]}


class Published(Workspace):
    """A copy of a workspace, with fewer boards and rungs, whose release is signed, and tagged v1."""

    def __init__(self, released, path, key):
        self.path = path
        shutil.copytree(released.path, path, symlinks=True)
        self.choose({**TINY, **NATIVE})
        self.repro()
        self.git("add", "-A")
        self.git("commit", "-qm", "lock")
        self.run("stages.publish", "keygen", str(key))
        self.key = key
        self.public = key.with_name(key.name + ".pub")
        self.signing = self.run("stages.publish", "sign", "--key", str(key), "--tag", "v1", **IDENTITY, **RECORD)
        assert self.signing.returncode == 0, self.signing.stderr
        (self.folder,) = (path / "releases").iterdir()

    def git(self, *command):
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *command]
        return subprocess.run(command, cwd=self.path, check=True, capture_output=True, text=True).stdout

    def audit(self, *arguments):
        """Exit code and {(file, kind)} of an audit."""
        report = self.key.with_name("report.json")
        words = arguments or ("v1", "--key", self.public)
        given = [*map(str, words), "--root", str(self.path), "--json", str(report)]
        code = 0
        try:
            audit.main(audit.parser().parse_args(given))
        except AuditFailed as error:
            code = error.exit_code
        found = json.loads(report.read_text())["findings"]
        report.unlink()
        return code, {(each["file"], each["kind"]) for each in found}


RECORD = {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}
IDENTITY = {f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture(scope="module")
def published(released, tmp_path_factory):
    return Published(released, tmp_path_factory.mktemp("published") / "tree", tmp_path_factory.mktemp("keys") / "key")


@pytest.fixture
def restored(published):
    """Puts back what a test altered in files that git or DVC do not."""
    kept = {path: path.read_bytes() for path in published.path.rglob("*") if is_kept(published.path, path)}
    yield published
    for path, content in kept.items():
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)


def is_kept(root, path):
    return path.is_file() and path.relative_to(root).parts[0] in {"data", "models", "firmware", "conf", "stages"}


def test_release_audits_clean_by_folder_tag_and_manifest(published):
    key = ("--key", published.public)
    assert published.audit(published.folder, *key) == (0, set())
    assert published.audit("v1", *key) == (0, set())
    assert published.audit(published.path / "models/release/manifest.json") == (0, set())


def test_same_commit_signs_to_the_same_bytes(published, tmp_path):
    before = {file.name: file.read_bytes() for file in published.folder.iterdir()}
    published.git("tag", "-d", "v1")
    out = str(tmp_path / "again")
    again = published.run(
        "stages.publish", "sign", "--key", str(published.key), "--tag", "v1", "--out", out, **IDENTITY
    )
    assert again.returncode == 0, again.stderr
    assert {file.name: file.read_bytes() for file in (tmp_path / "again" / published.folder.name).iterdir()} == before


def test_one_altered_byte_of_any_artifact_names_it(restored):
    listed = json.loads((restored.folder / "manifest.json").read_bytes())["artifacts"]
    draw = np.random.Generator(np.random.PCG64(6))
    for index in draw.permutation(len(listed))[:8]:
        entry = listed[index]
        file = restored.path / entry["path"]
        content = bytearray(file.read_bytes())
        content[draw.integers(len(content))] ^= draw.integers(1, 256)
        whole = file.read_bytes()
        file.write_bytes(content)
        code, found = restored.audit()
        file.write_bytes(whole)
        if entry["path"] == "models/release/bundle.bin":
            assert (entry["path"], "altered") in found
        else:
            assert (code, found) == (6, {(entry["path"], "altered")})


def test_one_altered_byte_of_a_manifest_without_a_signature_is_found(restored):
    manifest = restored.path / "models/release/manifest.json"
    whole = manifest.read_bytes()
    for at in np.random.Generator(np.random.PCG64(7)).integers(len(whole), size=20):
        manifest.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert restored.audit(manifest) == (6, {("manifest.json", "altered")})


def test_missing_added_empty_and_truncated_artifacts_are_told_apart(restored):
    models = restored.path / "models"
    (models / "validate/metrics.json").unlink()
    (models / "validate/notes.json").write_text("{}")
    (models / "train/float.safetensors").write_bytes(b"")
    (models / "convert/weights.bin").write_bytes((models / "convert/weights.bin").read_bytes()[:-1])
    code, found = restored.audit()
    (models / "validate/notes.json").unlink()
    assert code == 6
    assert found == {
        ("models/validate/metrics.json", "missing"),
        ("models/validate/notes.json", "added"),
        ("models/train/float.safetensors", "empty"),
        ("models/convert/weights.bin", "truncated"),
    }


def test_altered_code_is_no_longer_the_commit_nor_what_the_stages_were_made_from(restored):
    code = restored.path / "stages/core/tail.py"
    code.write_text(code.read_text() + "# a remark\n")
    assert restored.audit()[1] == {
        ("stages/core/tail.py", "dirty"),
        ("stages/core/tail.py", "dag"),
        ("stages/core/tail.py", "lock"),
    }


def test_other_commit_than_the_bound_one_is_found(published):
    published.git("commit", "-q", "--allow-empty", "-m", "later")
    try:
        assert published.audit()[1] == {("release.json", "commit")}
    finally:
        published.git("reset", "-q", "--hard", "HEAD~1")


def test_lock_of_another_run_is_found(published):
    lock = published.path / "dvc.lock"
    content = yaml.safe_load(lock.read_text())
    content["stages"]["train"]["outs"][0]["md5"] = "0" * 32 + ".dir"
    whole = lock.read_text()
    lock.write_text(yaml.safe_dump(content))
    found = published.audit()[1]
    lock.write_text(whole)
    assert found == {("dvc.lock", "dirty"), ("models/train", "lock")}


def test_dirty_tree_is_not_signed(published, tmp_path):
    (published.path / "notes.txt").write_text("?")
    result = published.run("stages.publish", "sign", "--key", str(published.key), "--out", str(tmp_path / "out"))
    (published.path / "notes.txt").unlink()
    assert result.returncode == 6
    assert result.stdout == "dirty  notes.txt: it differs from the commit that is checked out\n"
    assert not (tmp_path / "out").exists()


def test_what_was_altered_since_it_was_made_is_not_signed(restored, tmp_path):
    (restored.path / "models/validate/metrics.json").write_text("{}")
    result = restored.run("stages.publish", "sign", "--key", str(restored.key), "--out", str(tmp_path / "out"))
    assert result.returncode == 6
    assert result.stdout.startswith("truncated  models/validate/metrics.json: ")
    assert not (tmp_path / "out").exists()


def test_registry_has_the_release_by_the_hash_of_its_manifest(published):
    client = MlflowClient(f"sqlite:///{published.path / 'mlflow.db'}")
    (entry,) = client.search_model_versions("name = 'tailgate-vibration'")
    manifest = (published.folder / "manifest.json").read_bytes()
    assert entry.tags["manifest_sha256"] == hashlib.sha256(manifest).hexdigest()
    assert entry.source == f"git:/{published.git('rev-parse', 'HEAD').strip()}"


def test_key_is_refused_in_the_work_tree_and_with_open_permissions(published, tmp_path):
    inside = published.run("stages.publish", "keygen", "conf/key")
    assert "it is in a work tree of git" in " ".join(inside.stderr.split())
    assert (inside.returncode, (published.path / "conf/key").exists()) == (2, False)
    opened = tmp_path / "key"
    shutil.copy(published.key, opened)
    opened.chmod(0o644)
    refused = published.run("stages.publish", "sign", "--key", str(opened), "--out", str(tmp_path / "out"))
    assert refused.returncode == 2
    assert "0644" in refused.stderr
    assert stat.S_IMODE(published.key.stat().st_mode) == 0o600


def test_key_is_nowhere_but_in_its_file(published):
    secret = published.key.read_text().strip().partition(":")[2]
    traces = [secret.encode()[:32], bytes.fromhex(secret)[:16]]
    printed = (published.signing.stdout + published.signing.stderr).encode()
    files = [path for path in published.path.rglob("*") if path.is_file()]
    assert any(path.name == "mlflow.db" for path in files)
    assert any("cache" in path.parts for path in files)
    assert not [trace for trace in traces if trace in printed]
    assert not [path for path in files if any(trace in path.read_bytes() for trace in traces)]


def test_development_release_says_so_everywhere(published, tmp_path):
    result = published.run("stages.publish", "sign", "--unsigned", "--out", str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert "not signed" in result.stdout
    (folder,) = tmp_path.iterdir()
    assert "A development release" in (folder / "model_card.md").read_text()
    assert json.loads((folder / "release.json").read_bytes())["signed"] is False
    assert published.audit(folder) == (0, set())
    assert published.audit(folder, "--key", published.public) == (6, {("release.json", "unsigned")})


def test_every_figure_of_the_card_is_where_it_says(published):
    rows = re.findall(
        r"^\| (.+?) \| (.+?) \| `(.+?)` \| `(.*?)` \|$", (published.folder / "model_card.md").read_text(), re.M
    )
    assert len(rows) > 35
    for what, figure, file, place in rows:
        value = yaml.safe_load((published.path / file).read_text())
        for part in place.split("/"):
            value = value[int(part) if isinstance(value, list) else part]
        if isinstance(value, dict):
            value = f"{as_text(value['low'])} .. {as_text(value['high'])}"
        assert figure == as_text(value), what


def test_comparison_of_models_in_the_card_is_that_of_the_metrics(published):
    card = (published.folder / "model_card.md").read_text()
    metrics = json.loads((published.path / "models/validate/metrics.json").read_bytes())["test"]
    rows = re.findall(r"^\| (ships|float|logistic|energy) \| (.+?) \| *$", card, re.M)
    assert [name for name, _ in rows] == ["ships", "float", "logistic", "energy"]
    for name, cells in rows:
        found = metrics["ptq" if name == "ships" else name]["anomalous"]
        names = ("auc", "tpr_at_threshold", "misses", "false_alarms", "false_alarms_per_hour")
        assert [cell.split(" [")[0] for cell in cells.split(" | ")] == [short(found[each]) for each in names]


def test_sbom_names_every_locked_package_and_every_image(published):
    components = json.loads((published.folder / "sbom.json").read_bytes())["components"]
    lock = (published.path / "requirements.lock").read_text().split()
    named = {f"{each['name']}=={each.get('version')}" for each in components}
    assert set(lock) <= named
    listed = json.loads((published.folder / "manifest.json").read_bytes())["artifacts"]
    images = {(each["path"], each["sha256"]) for each in listed if each["path"].endswith(".elf")}
    assert images
    assert images <= {(each["name"], each["hashes"][0]["content"]) for each in components if "hashes" in each}


def test_sbom_is_valid_by_the_schema_of_its_standard(published):
    text = (published.folder / "sbom.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_rebuild_elsewhere_makes_the_same_bytes(published):
    settings = [f"--env={each}" for each in ("TZ=Asia/Kathmandu", "LC_ALL=C", "OMP_NUM_THREADS=2")]
    again = ("v1", "--key", published.public, "--rebuild", *settings)
    assert published.audit(*again) == (0, set())
