"""From a file, a hash of it or one inside of it, to the run that made it."""

import hashlib
import sys
from pathlib import Path

import pytest

from stages import find
from stages.core.bundle.format import pack, to_sign
from stages.core.errors import ArtifactError, ConfigError
from stages.core.release.registry import register
from stages.core.stage import exit_with
from stages.core.tracking import delivery, spool
from stages.core.tracking.lookup import Clue, clues, search
from tests.core.bundle.examples import CONTENT, IDENTITY
from tests.core.tracking.records import stage_record

MODEL = "c5" * 32
#: As firmware has it: text, its end, 32 bytes.
IMAGE = b"\x7fELF code tailgate model:\0" + bytes.fromhex(MODEL) + b"weights"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def recorded(client):
    """A conversion, and a build of what it made."""
    hashes = {"model_version": MODEL, "graph_hash": "6a" * 32}
    spool.put(stage_record("convert", 1, outputs={"models/convert/model.onnx": MODEL}, hashes=hashes), {})
    spool.put(stage_record("build", 2, outputs={"models/build/native/app.elf": sha256(IMAGE)}), {})
    delivery.deliver()


def answers(found):
    return [(each.clue.what, each.stage, each.made, each.parent) for each in found]


def test_image_leads_to_the_run_that_built_it_and_to_the_one_that_converted_its_model(recorded, place):
    (place / "app.bin").write_bytes(IMAGE)
    pipeline = "vibration c0ffeec"
    assert answers(search(clues("app.bin"))) == [
        ("file", "build", "models/build/native/app.elf", pipeline),
        ("model version in the image", "convert", "model_version", pipeline),
        ("model version in the image", "convert", "models/convert/model.onnx", pipeline),
    ]


def test_image_that_was_altered_still_leads_to_its_model(recorded, place):
    (place / "app.bin").write_bytes(IMAGE + b"\xff" * 100)
    assert {each.stage for each in search(clues("app.bin"))} == {"convert"}


def test_signed_bundle_leads_to_the_bundle_as_it_was_released_and_to_its_model(place):
    unsigned = pack(IDENTITY, CONTENT)
    signed = to_sign(unsigned) + bytes(range(64))
    (place / "bundle.bin").write_bytes(signed)
    assert clues("bundle.bin") == [
        Clue(sha256(signed), "file"),
        Clue(sha256(unsigned), "bundle before it was signed"),
        Clue("11" * 32, "model version in the bundle"),
    ]


def test_hash_that_a_contract_states_leads_to_the_conversion(recorded):
    assert answers(search([Clue("6a" * 32, "hash")])) == [("hash", "convert", "graph_hash", "vibration c0ffeec")]


@pytest.mark.parametrize("digits", [MODEL[:8], MODEL[:63]])
def test_beginning_of_a_hash_is_enough(recorded, digits):
    assert {each.made for each in search([Clue(digits, "hash")])} == {"models/convert/model.onnx", "model_version"}


def test_file_that_was_handed_over_leads_to_the_registered_release(client):
    tags = {"manifest_sha256": "aa" * 32}
    register("vibration", "git:/c0ffee", tags, {"bundle.bin": b"signed"})
    (found,) = search([Clue(sha256(b"signed"), "file")])
    assert (found.stage, found.made, found.commit) == ("registry", "bundle.bin", "c0ffee")
    assert found.parent == "tailgate-vibration, version 1"


def test_command_prints_the_run_and_what_is_known_of_it(recorded, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["find", MODEL.upper()])
    find.main()
    printed = capsys.readouterr().out
    words = ("models/convert/model.onnx", "convert", "vibration", "c0ffeec0ffee", "2023-11-14 22:13:21", "FINISHED")
    assert [word for word in words if word not in printed] == []


def test_command_sends_what_waits_before_it_looks(client, monkeypatch, capsys):
    spool.put(stage_record(outputs={"x": MODEL}), {})
    monkeypatch.setattr(sys, "argv", ["find", MODEL])
    find.main()
    assert "train" in capsys.readouterr().out


def test_hash_that_no_run_made_is_one_paragraph_and_exit_code_2(recorded, place, monkeypatch, capsys):
    (place / "foreign.bin").write_bytes(b"foreign")
    monkeypatch.setattr(sys, "argv", ["find", "foreign.bin"])
    with pytest.raises(SystemExit) as ended:
        exit_with(find.main)
    said = " ".join(capsys.readouterr().err.split())
    assert ended.value.code == 2
    assert said.startswith(f"error: foreign.bin: no run on record made it (file {sha256(b'foreign')[:12]}). Expected")


def test_what_is_neither_file_nor_hash_is_refused(place):
    for what in ("models/nowhere.bin", "c5c5c5c", "c5" * 33, "not a hash"):
        with pytest.raises(ConfigError, match="there is no such file, and it is no hash"):
            clues(what)


def test_place_without_a_record_is_said_and_no_database_is_made(place):
    with pytest.raises(ConfigError, match="no record is kept there yet"):
        search([Clue(MODEL, "hash")])
    assert list(Path().iterdir()) == []


def test_record_that_does_not_answer_is_said_with_its_address_and_without_a_password(place, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somebody:secret@127.0.0.1:9")
    with pytest.raises(ArtifactError, match="it does not answer") as refused:
        search([Clue(MODEL, "hash")])
    assert refused.value.where == "http://127.0.0.1:9"
    assert "secret" not in str(refused.value)
