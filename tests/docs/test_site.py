"""The site says what the code says, of every key and every command, and is built without a warning."""

import os
import re
import subprocess
import sys

import pytest
import yaml

from docs.generate.commands import exit_codes_page, help_of, names
from docs.generate.config_keys import blocks, without_meaning
from docs.generate.wording import attributes, meaning_of
from stages.core.config import compose, validate
from stages.core.schema.base import Section
from tests.pipeline.imports import ROOT

#: Endings by which a reader tells a unit; such a key without one in its row would be a hole in the table.
UNITS = ("_s", "_hz", "_g", "_rpm", "_mm", "_deg", "_bytes", "_logits", "_windows")


@pytest.fixture(scope="module")
def rows():
    return {row.key: row for block in blocks() for row in block.rows}


def test_every_key_has_a_meaning():
    assert without_meaning() == []


def test_every_number_whose_name_says_a_unit_has_it_in_its_row(rows):
    numbers = [row for row in rows.values() if re.match(r"(integer|number|pair)", row.type)]
    assert len(numbers) > 100
    assert [row.key for row in numbers if row.key.endswith(UNITS) and not row.unit] == []


@pytest.mark.parametrize("task", sorted(path.stem for path in (ROOT / "conf/task").glob("*.yaml")))
def test_every_key_of_every_task_is_listed(rows, task, tmp_path):
    params = tmp_path / "params.yaml"
    params.write_text(yaml.safe_dump({"task": task}))
    config = validate(compose(params, ROOT / "conf"), task).model_dump(mode="json", by_alias=True)
    patterns = {pattern_of(row) for row in rows.values()}
    whole = re.compile("|".join(patterns))
    assert [key for key in keys_of(config) if not whole.fullmatch(key)] == []


def pattern_of(row):
    """A mapping may have any name below it; the keys of its sections are listed."""
    any_name = r"(\.[^.]+)?" if row.type.startswith("mapping") else ""
    return re.escape(row.key).replace("<name>", "[^.]+") + any_name


def keys_of(value, prefix=""):
    for key, item in value.items():
        if isinstance(item, dict) and item:
            yield from keys_of(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def test_rows_have_type_range_unit_default_and_meaning(rows):
    row = rows["train.lr"]
    assert (row.type, row.default) == ("number > 0, ≤ 1", "`0.004`")
    assert row.meaning.startswith("Peak learning rate")
    assert rows["window.length"].unit == "samples"
    assert rows["runtime.late"].type == "`drop_oldest`, `skip_if_late`"
    assert rows["capture.sample_rate_hz"].unit == "Hz"
    assert rows["train.augment"].default == "`null`"
    assert rows["split.by"].type.count("`")  # of the last alternative
    assert rows["board.<name>.budget.load"].default == "`0.9`"


def test_default_of_a_key_is_what_the_default_task_has(tmp_path):
    params = tmp_path / "params.yaml"
    params.write_text("task: vibration\n")
    composed = compose(params, ROOT / "conf")
    said = {}
    for block in blocks():
        for row in block.rows:
            said[row.key] = said.get(row.key, "") + row.default
    leaves = {key: value for key, value in leaves_of(composed) if key in said and "in `conf/" not in said[key]}
    assert len(leaves) > 100
    assert [key for key, value in leaves.items() if f"`{as_yaml(value)}`" not in said[key]] == []


def leaves_of(value, prefix=""):
    for key, item in value.items():
        yield from leaves_of(item, f"{prefix}{key}.") if isinstance(item, dict) and item else [(f"{prefix}{key}", item)]


def as_yaml(value):
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).strip().removesuffix("\n...")


def test_a_key_without_a_word_is_found():
    class Bare(Section):
        """A section.

        Attributes
        ----------
        said : int
            What it is.
        """

        said: int
        not_said: int

    assert [meaning_of(Bare, name) for name in Bare.model_fields] == ["What it is.", ""]


def test_attributes_of_several_names_and_lines_are_read():
    text = """Head.

    Attributes
    ----------
    a, b : int
        Both of
        them.
    c : str

    Raises
    ------
    x
    """
    assert attributes(text) == {"a": "Both of them.", "b": "Both of them.", "c": ""}


def test_every_module_that_is_run_is_a_command_of_the_reference():
    runnable = {path.stem for path in (ROOT / "stages").glob("*.py") if "__main__" in path.read_text()}
    assert runnable == set(names())


@pytest.mark.slow
def test_help_is_what_the_command_says_when_it_is_called():
    command = [sys.executable, "-m", "stages.capture", "--help"]
    environment = {**os.environ, "COLUMNS": "100"}
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert help_of(["capture"]) == said.replace("usage: capture.py", "usage: python -m stages.capture")
    assert "digitise them as the sensor would" in said


def test_exit_codes_are_those_that_the_readme_names():
    codes = {int(code) for code in re.findall(r"^\| (\d) ", exit_codes_page(), re.MULTILINE)}
    assert codes == {0, 2, 3, 4, 5, 6}


@pytest.mark.slow
def test_site_is_built_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 30
    fetched = [
        re.findall(r'<(?:link|script|img)[^>]+(?:href|src)="(https?:[^"]+)"', page.read_text()) for page in pages
    ]
    assert [address for of_page in fetched for address in of_page] == []
