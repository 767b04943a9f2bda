"""Keys stay with their owner, and a signature is one key's on one content."""

import os
import stat

import pytest

from stages.core.errors import ArtifactError, ConfigError
from stages.core.release.signing import (
    generate,
    parse_secret,
    read_public,
    read_secret,
    signature_file,
    signer,
    verifies,
)


def test_key_file_is_readable_to_its_owner_alone(tmp_path):
    umask = os.umask(0)
    try:
        public = generate(tmp_path / "key")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert read_public(tmp_path / "key.pub") == public == read_secret(tmp_path / "key").public


def test_key_that_others_can_read_is_refused(tmp_path):
    generate(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(ConfigError, match="its permissions are 0640, so others"):
        read_secret(tmp_path / "key")


def test_key_is_never_written_over(tmp_path):
    generate(tmp_path / "key")
    with pytest.raises(ConfigError, match="it exists already"):
        generate(tmp_path / "key")


def test_what_is_no_key_is_refused_without_repeating_it(tmp_path):
    generate(tmp_path / "key")
    text = (tmp_path / "key").read_text()
    for wrong in (text[:-10], text.upper(), text.replace(":", ":zz"), ""):
        with pytest.raises(ConfigError, match="it is not such a key") as caught:
            parse_secret(wrong, "the environment")
        assert text[30:60] not in str(caught.value)


def test_key_shows_itself_in_no_text(tmp_path):
    generate(tmp_path / "key")
    secret = (tmp_path / "key").read_text().strip().partition(":")[2]
    key = read_secret(tmp_path / "key")
    assert secret[:32] not in f"{key!r} {key} {key.__class__.__name__}"
    assert bytes.fromhex(secret[:32]).hex() not in repr(vars(key).keys())


def test_signature_is_of_one_key_and_one_message(tmp_path):
    generate(tmp_path / "a")
    generate(tmp_path / "b")
    a, b = read_secret(tmp_path / "a"), read_secret(tmp_path / "b")
    signature = a.sign(b"message")
    assert verifies(signature, a.public, b"message")
    assert not verifies(signature, b.public, b"message")
    assert not verifies(signature, a.public, b"massage")


def test_same_key_and_content_give_the_same_signature_file(tmp_path):
    generate(tmp_path / "a")
    key = read_secret(tmp_path / "a")
    made = signature_file("manifest.json", b"{}", key)
    assert made == signature_file("manifest.json", b"{}", key)
    assert signer(made, "manifest.json", b"{}") == key.public


def test_signature_of_one_file_is_none_of_another(tmp_path):
    generate(tmp_path / "a")
    made = signature_file("manifest.json", b"{}", read_secret(tmp_path / "a"))
    with pytest.raises(ArtifactError, match=r"^release\.sig: it says of the file that it signs what is not so"):
        signer(made, "release.json", b"{}")


def test_a_key_may_be_made_in_a_folder_that_is_not_there(tmp_path):
    file = tmp_path / "config/tailgate/key"
    assert generate(file) == read_secret(file).public
    assert file.parent.stat().st_mode & 0o777 == 0o700
