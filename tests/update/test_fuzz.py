"""Whatever bytes arrive or lie in flash, nothing is read beyond them and nothing runs that is not signed."""

from __future__ import annotations

import re

import pytest

from tests.update.fuzz import CORPUS, build, run, seeds

EXECUTIONS = 8000


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory):
    return build(tmp_path_factory.mktemp("fuzz"))


def test_the_corpus_has_every_seed_as_the_format_is_now():
    made = seeds()
    assert {name: (CORPUS / name).read_bytes() for name in made} == made


def test_nothing_breaks_or_is_taken_without_a_signature(fuzzer):
    done = run(fuzzer, EXECUTIONS)
    assert done.returncode == 0, done.stderr[-3000:]
    executions, inputs = map(int, re.findall(r"(\d+) executions, (\d+) inputs", done.stdout)[0])
    assert (executions, inputs) == (EXECUTIONS, len(list(CORPUS.iterdir())))


def test_the_same_seed_gives_the_same_run(fuzzer):
    assert run(fuzzer, 500, seed=3).stdout == run(fuzzer, 500, seed=3).stdout
