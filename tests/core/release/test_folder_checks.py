"""Whatever is done to a released file is found, and the file is named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.release.folder_checks import check_folder
from tests.core.release.releases import new_key, small_release


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return new_key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def files(key):
    return small_release(key)


def found(files, key):
    return {(finding.file, finding.kind) for finding in check_folder(files, key.public if key else None)}


def test_whole_release_is_without_findings(files, key):
    assert sorted(files) == [
        "bundle.bin",
        "manifest.json",
        "manifest.sig",
        "model_card.md",
        "release.json",
        "release.sig",
        "sbom.json",
    ]
    assert found(files, key) == found(files, None) == set()


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_one_altered_byte_anywhere_names_its_file_and_no_other(files, key, data):
    name = data.draw(st.sampled_from(sorted(files)))
    at = data.draw(st.integers(0, len(files[name]) - 1))
    mask = data.draw(st.integers(1, 255))
    content = bytearray(files[name])
    content[at] ^= mask
    damaged = {**files, name: bytes(content)}
    for trusted in (key, None):
        assert {finding.file for finding in check_folder(damaged, trusted.public if trusted else None)} == {name}


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_truncated_file_is_named(files, key, data):
    name = data.draw(st.sampled_from(sorted(files)))
    length = data.draw(st.integers(1, len(files[name]) - 1))
    findings = check_folder({**files, name: files[name][:length]}, key.public)
    assert {finding.file for finding in findings} == {name}
    # What has no length to compare with is no longer what it should be.
    assert findings[0].kind == ("altered" if name.startswith("release.") else "truncated")


def test_every_empty_file_is_found_as_such(files, key):
    for name in files:
        assert (name, "empty") in found({**files, name: b""}, key)


def test_every_missing_file_is_found_as_such(files, key):
    for name in files:
        assert (name, "missing") in found({each: files[each] for each in files if each != name}, key)


def test_added_file_is_found_as_such(files, key):
    assert found({**files, "notes.txt": b"?"}, key) == {("notes.txt", "added")}


def test_swapped_files_are_found_as_such(files, key):
    swapped = {**files, "sbom.json": files["model_card.md"], "model_card.md": files["sbom.json"]}
    assert found(swapped, key) == {("sbom.json", "swapped"), ("model_card.md", "swapped")}


def test_old_signed_manifest_with_a_new_bundle_is_a_replay(files, key):
    old = small_release(key, b"weights of before")
    replayed = {**files, "manifest.json": old["manifest.json"], "manifest.sig": old["manifest.sig"]}
    assert ("manifest.json", "replayed") in found(replayed, key)
    assert {file for file, _ in found(replayed, key)} == {"manifest.json", "manifest.sig"}


def test_old_signed_bundle_is_a_replay(files, key):
    old = small_release(key, b"weights of before")
    assert ("bundle.bin", "replayed") in found({**files, "bundle.bin": old["bundle.bin"]}, key)


def test_old_release_file_accounts_for_none_of_the_new_ones(files, key):
    old = small_release(key, b"WEIGHTS")
    replayed = {**files, "release.json": old["release.json"], "release.sig": old["release.sig"]}
    assert {("manifest.json", "replayed"), ("bundle.bin", "altered")} <= found(replayed, key)


def test_other_key_is_found_as_such(files, tmp_path):
    assert found(files, new_key(tmp_path)) == {("release.sig", "key"), ("bundle.bin", "key")}


def test_release_signed_again_by_another_key_is_consistent_and_not_trusted(key, tmp_path):
    forged = small_release(new_key(tmp_path))
    assert found(forged, None) == set()
    assert ("release.sig", "key") in found(forged, key)


def test_bundle_of_another_key_is_found_as_such(files, tmp_path):
    forged = small_release(new_key(tmp_path))
    assert ("bundle.bin", "key") in found({**files, "bundle.bin": forged["bundle.bin"]}, None)


def test_development_release_is_whole_and_has_no_signature():
    files = small_release(None)
    assert not any(name.endswith(".sig") for name in files)
    assert found(files, None) == set()


def test_development_release_is_no_release_to_whoever_has_a_key(key):
    assert found(small_release(None), key) == {("release.json", "unsigned")}


def test_signatures_cannot_be_taken_away(files, key):
    unsigned = small_release(None)
    stripped = {name: files[name] for name in files if not name.endswith(".sig")}
    assert ("release.sig", "missing") in found(stripped, key)
    assert ("release.json", "unsigned") in found({**stripped, "release.json": unsigned["release.json"]}, key)
