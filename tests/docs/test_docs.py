"""What the documentation names exists."""

import re

import pytest
import yaml

from tests.pipeline.imports import ROOT, read_dag

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PLACES = ("stages", "conf", "firmware", "tests", "docs")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    # Pages below reference/ are made when the site is built, which finds links to those that are not.
    local = [target for target in targets if "://" not in target and not target.startswith("reference/")]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_source_files_named_in_code_spans_exist(page):
    spans = re.findall(r"`([^`\s]+)`", page.read_text(encoding="utf-8"))
    named = [span for span in spans if span.split("/")[0] in PLACES and "/" in span]
    own = [
        span for span in named if "*" not in span and "mine" not in span and not span.startswith("firmware/generated")
    ]
    assert [span for span in own if not (ROOT / span).exists()] == []


def test_readme_names_only_make_targets_that_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z-]+)", (ROOT / "README.md").read_text()))
    assert {"run", "test"} <= named <= targets


def test_release_page_lists_every_stage_and_its_folders():
    page = (ROOT / "docs/release.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\w+) \| (`.*) \|$", page, re.MULTILINE))
    for stage, definition in read_dag()["stages"].items():
        outs = [next(iter(out)) if isinstance(out, dict) else out for out in definition["outs"]]
        assert all(out in rows[stage] for out in outs), stage


def test_readme_example_of_params_is_valid(tmp_path):
    from stages.core.config import compose, validate

    example = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    params = tmp_path / "params.yaml"
    params.write_text(example.group(1))
    config = validate(compose(params, ROOT / "conf"), "params.yaml")
    chosen = yaml.safe_load(example.group(1))["overrides"]
    assert (config.train.epochs, list(config.board)) == (chosen["train.epochs"], chosen["board"])
