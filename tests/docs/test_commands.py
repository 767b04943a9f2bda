"""Every command of the documentation is executed by something."""

import re

import pytest

from tests.docs.accounts import ELSEWHERE, FOLLOWED, STEPS, Proof
from tests.docs.pages import PAGES, commands, fences, lines_of
from tests.pipeline.imports import ROOT


def followed():
    pages = [page for page in PAGES if page.name in FOLLOWED]
    return {line for page in pages for fence in fences(page) if fence.language == "sh" for line in lines_of(fence.text)}


def accounted():
    return followed() | set(ELSEWHERE) | {command for step in STEPS for command in step.documented}


def contains(proof):
    """Whether the words are in the file, and in the test if one is named."""
    file, _, test = proof.place.partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    if test:
        text = re.search(rf"^( *)def {test}.*?(?=^\1(?:def|class|@)|\Z)", text, re.DOTALL | re.MULTILINE).group()
    return proof.words in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_executed_by_a_test_or_by_ci(page):
    assert [command for command in commands(page) if command not in accounted()] == []


@pytest.mark.parametrize("command", ELSEWHERE)
def test_what_executes_a_command_elsewhere_does(command):
    assert contains(ELSEWHERE[command])


def test_no_account_is_of_a_command_that_is_nowhere():
    written = {command for page in PAGES for command in commands(page)}
    assert sorted(accounted() - written) == []


def test_a_proof_that_does_not_hold_is_noticed():
    here = "tests/docs/test_commands.py"
    assert contains(Proof(f"{here}::followed", "FOLLOWED"))
    assert not contains(Proof(f"{here}::followed", "ELSEWHERE"))


def test_commands_are_taken_from_scripts_and_from_prose(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A\n```sh\nmake a   # why\nlong \\\n  --b\n\n# nothing\n```\n`dvc repro`, `conf/a`, `dvc`\n```\nno\n```\n"
    )
    assert commands(page) == ["make a", "long --b", "dvc repro"]
