"""`python -m stages.report` makes a page of what is in the work tree, and of nothing that does not belong together."""

import json
import runpy
import sys

import pytest
import yaml


@pytest.fixture
def report(released, monkeypatch, tmp_path):
    """Run the command in the released workspace and return the page."""

    def run():
        monkeypatch.chdir(released.path)
        monkeypatch.setattr(sys, "argv", ["report", "--out", str(tmp_path / "report.html")])
        monkeypatch.delitem(sys.modules, "stages.report", raising=False)
        runpy.run_module("stages.report", run_name="__main__", alter_sys=True)
        return (tmp_path / "report.html").read_text(encoding="utf-8")

    return run


def test_page_of_a_release_is_the_release_s_own_but_for_what_only_this_machine_knows(released, report):
    own = (released.path / "models/release/report.html").read_text(encoding="utf-8")
    page = report()
    assert "<b>Passed the gate:</b>" in page
    assert page.split('<section id="dag">')[0] == own.split('<section id="dag">')[0]
    assert "<code>python -m stages.report</code> shows it" in own
    assert "<code>python -m stages.report</code> shows it" not in page


def test_page_after_a_refusal_says_so(released, report):
    path = released.path / "models/quantize/gate.json"
    content = path.read_text()
    gate = json.loads(content)
    (released.path / "models/quantize/gate.json").write_text(json.dumps(gate | {"selected": None}))
    try:
        page = report()
    finally:
        path.write_text(content)
    assert "<b>Refused by the gate:</b> nothing ships." in page
    assert yaml.safe_load((released.path / "params.yaml").read_text())["task"] in page


def test_page_is_refused_where_the_release_was_made_of_other_files(released, report, capsys):
    path = released.path / "models/validate/metrics.json"
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    try:
        with pytest.raises(SystemExit) as caught:
            report()
    finally:
        path.write_bytes(content)
    assert caught.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "models/validate/metrics.json: it is not the file that release 0.1.0+" in said
    assert "Run `dvc repro`" in said
