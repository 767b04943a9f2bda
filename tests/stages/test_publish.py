"""Where a key may come from, and where it may go."""

import subprocess

import pytest

from stages import publish
from stages.core.errors import AuditFailed, ConfigError
from tests.core.release.releases import new_key, small_release


def test_key_is_taken_from_the_file_before_the_environment(tmp_path, monkeypatch):
    public = publish.generate(tmp_path / "file")
    other = publish.generate(tmp_path / "variable")
    monkeypatch.setenv(publish.KEY_VARIABLE, (tmp_path / "variable").read_text())
    assert publish.signing_key(tmp_path / "file").public == public
    assert publish.signing_key(None).public == other


def test_without_a_key_nothing_is_signed(monkeypatch):
    monkeypatch.delenv(publish.KEY_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match="there is no key to sign with"):
        publish.signing_key(None)


def test_wrong_key_in_the_environment_is_not_repeated(monkeypatch):
    monkeypatch.setenv(publish.KEY_VARIABLE, "tailgate-secret-key:0123456789abcdef")
    with pytest.raises(ConfigError, match=f"^{publish.KEY_VARIABLE}: it is not such a key") as caught:
        publish.signing_key(None)
    assert "0123456789abcdef" not in str(caught.value)


def test_key_is_made_only_where_git_does_not_look(tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    for place in (tree / "key", tree / "a/new/folder/key"):
        with pytest.raises(ConfigError, match="it is in a work tree of git"):
            publish.main_of(["keygen", str(place)])
    assert [path.name for path in tree.iterdir()] == [".git"]
    publish.main_of(["keygen", str(tmp_path / "key")])
    assert {path.name for path in tmp_path.glob("key*")} == {"key", "key.pub"}


def test_verify_needs_nothing_but_folder_and_public_key(tmp_path, capsys):
    key = new_key(tmp_path)
    folder = tmp_path / "release"
    folder.mkdir()
    for name, content in small_release(key).items():
        (folder / name).write_bytes(content)
    (public,) = tmp_path.glob("*.pub")
    publish.main_of(["verify", str(folder), "--key", str(public)])
    assert "7 files as they were signed by" in capsys.readouterr().out
    (folder / "sbom.json").write_bytes(b"")
    with pytest.raises(AuditFailed, match=r"1 finding\(s\), of sbom\.json"):
        publish.main_of(["verify", str(folder), "--key", str(public)])
    assert capsys.readouterr().out.startswith("empty  sbom.json: ")
