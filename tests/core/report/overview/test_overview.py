"""The page and the screen say the verdict, why, what ships and what it costs, in figures worked out by hand."""

import re
from functools import cache
from html.parser import HTMLParser

import pytest
from rich.console import Console

from stages.core.release.comparison import Change
from stages.core.report.overview.facts import nodes, tightest
from stages.core.report.overview.page import render_overview, render_refusal
from stages.core.report.overview.screen import render_screen
from tests.core.report.overview.example import history, limit, overview, refused, rows


class Text(HTMLParser):
    """The words of a page, without style and drawings."""

    def __init__(self, page):
        super().__init__()
        self.skipped, self.words = 0, []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.skipped += tag in {"style", "svg"}

    def handle_endtag(self, tag):
        self.skipped -= tag in {"style", "svg"}

    def handle_data(self, data):
        if not self.skipped:
            self.words.append(data)

    def __str__(self):
        return re.sub(r"[ \n]+", " ", " ".join(self.words))


@cache
def plain():
    """The page of the example as it is."""
    return render_overview(overview())


def screen(of, width=100):
    console = Console(width=width, force_terminal=False)
    with console.capture() as caught:
        console.print(render_screen(of))
    return caught.get()


def test_page_begins_with_verdict_why_what_ships_and_what_it_costs():
    text = str(Text(plain()))
    head = text[: text.index("The gate")]
    assert "Passed the gate: qat ships." in head
    assert "it holds all 3 limits" in head
    assert "auc_drop of broken with 0.004, allowed at most 0.005" in head
    assert "Refused: ptq , auc_drop of broken is 0.01, not at most 0.005." in head
    assert "87.5 % caught" in head
    assert "0.25 points fewer caught" in head
    assert "closest to its limit: flash, 75 %" in head  # 30 000 of 40 000 bytes


def test_refused_page_begins_with_that_and_with_every_limit_that_broke():
    page = render_refusal(refused())
    text = str(Text(page))
    head = text[: text.index("The gate")]
    assert "Refused by the gate: nothing ships." in head
    assert "none of ptq, qat, float holds all 3 limits" in head
    assert "Refused: qat , auc_drop of broken is 0.007, not at most 0.005." in head
    assert re.search(r"limit not held by broken auc .* float broken auc_drop .* ptq, qat worn", text)
    assert "float 1 of 3 limits not held auc of broken 0.75" in head
    assert "ships)" not in text
    assert page.count('<svg class="plot"') == 2 * 3 + 1  # three precisions of each output, float among them, and losses
    for name in re.findall(r'<a href="#([^"]*)"', page):
        assert page.count(f'id="{name}"') == 1


def test_page_of_a_run_shows_how_long_stages_took_and_which_were_reused():
    page = render_overview(overview(), history())
    section = page.split('<section id="dag">')[1]
    assert "3.2 s, reused</text>" in section
    assert "1 min 15 s</text>" in section
    assert section.count("reused</text>") == 1
    assert "python -m stages.report" not in section
    assert "python -m stages.report" in plain()


def test_page_of_a_run_says_what_changed_first_settings_and_test_figures():
    found = (
        Change("release", "release_id", "1+a", "1+b"),
        Change("config", "model/blocks/0/width", 8, 4),
        Change("scores", "broken/auc", 0.9875, 0.9625),
        Change("scores", "broken/brier", 0.1, 0.2),
        Change("code", "stages/train.py", "a" * 64, "b" * 64),
    )
    text = str(Text(render_overview(overview(), history(*found))))
    head = text[: text.index("The gate")]
    assert "What changed since release 1a2b3c4 model/blocks/0/width 8 → 4 broken: AUC 0.9875 → 0.9625, worse" in head
    assert "All differences : config 1, scores 2, code 1 The commit of that release: Halve the <stem>" in head
    assert "stages/train.py" in text[text.index("Changes since") :]


def test_page_of_a_run_says_when_no_test_figure_changed():
    text = str(Text(render_overview(overview(), history(Change("code", "a.py", "a", "b")))))
    assert "On test as many are caught and flagged as before." in text


def test_page_says_what_makes_its_figures_worth_less():
    page, warned = plain(), render_overview(overview(leaky=True, simulated=True))
    for words in ("The split is leaky", "The recordings are simulated"):
        assert words not in page
        assert words in warned


def test_page_has_every_figure_with_words_for_who_cannot_see_it():
    page = plain()
    assert page.count("<svg") == 2 * 3 + 2 + 1 + 1  # three histograms an output, ROC and DET, losses, DAG
    assert page.count("<svg") == len(re.findall(r'<svg [^>]*role="img" aria-label="[^"]{20,}"', page))
    assert page.count("<img") == len(re.findall(r'<img [^>]*alt="[^"]{20,}"', page)) == 5


def test_page_does_without_a_picture_of_flags_where_none_varies():
    pictures = {name: data for name, data in overview().pictures.items() if name != "flags"}
    assert render_overview(overview(pictures=pictures)).count("<img") == 4


def test_page_names_no_other_file_and_writes_what_it_is_given_as_text():
    page = plain()
    assert not re.findall(r'(?:src|href)="(?!data:|#)|@import|<script|url\((?!#)', page)
    assert "&lt;the loop&gt;" in page
    assert "<the loop>" not in page


def test_page_is_the_same_bytes_each_time():
    assert render_overview(overview()) == plain()


def test_drawings_take_their_colours_from_the_page():
    page = plain()
    drawings = "".join(re.findall(r'<svg class="plot".*?</svg>', page, flags=re.DOTALL))
    assert not re.findall(r"(?:fill|stroke): #", drawings)
    assert {"var(--class-0)", "var(--class-2)", "var(--accent)", "var(--ink)"} <= set(
        re.findall(r"var\([^)]*\)", drawings)
    )
    defined = set(re.findall(r"(--[a-z0-9-]+):", page))
    assert set(re.findall(r"var\((--[a-z0-9-]+)\)", page)) <= defined


def test_figures_have_no_exponent_and_a_dash_where_there_is_none():
    text = str(Text(plain()))
    assert "\u22120.0000625 \u22120.25 … 0.5" in text
    assert "12\u202f345" in text
    assert not re.search(r"\d[eE][+-]?\d", text.replace("f00d", ""))
    assert "nan" not in text.lower()


def test_layers_and_instructions_are_in_the_order_of_execution():
    of = overview()
    assert of.instructions("m4") == [
        ("take", 9),
        ("model", 400),
        ("decide", 5),
        ("model: stem", 300),
        ("model: head", 100),
    ]
    section = render_overview(of).split('<section id="layers">')[1].split("</section>")[0]
    assert section.index("<td>stem") < section.index("<td>head")


def test_a_float_release_has_nothing_to_lose_in_layers():
    gate = {**overview().gate, "selected": "float"}
    assert "float is not quantised" in render_overview(overview(gate=gate))


def test_only_agreements_of_what_ships_are_counted():
    assert [row["windows"] for row in overview().agreements] == [8]


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        (rows(0.004), "auc_drop"),  # 80 % of 0.005; compression uses 5 % of 0.2
        (rows(0.0), "compression"),
        (
            [limit("compression", 1.2, minimum=0.8, maximum=1.25), limit("auc_drop", 0.003, maximum=0.005)],
            "compression",
        ),
        (
            [limit("separation_retention", 0.82, minimum=0.8), limit("auc_drop", 0.003, maximum=0.005)],
            "separation_retention",
        ),
        (
            [limit("fpr_drift", -0.004, minimum=-0.005, maximum=0.005), limit("auc_drop", 0.003, maximum=0.005)],
            "fpr_drift",
        ),
    ],
)
def test_tightest_is_what_uses_most_of_the_loss_that_is_allowed(judged, expected):
    assert tightest(judged)["metric"] == expected


def test_nothing_is_tightest_where_no_loss_is_limited():
    assert tightest([]) is None
    assert tightest([limit("auc", 0.9, minimum=0.8), limit("codes_above_threshold", 17, minimum=16)]) is None


def test_nodes_of_a_dag_read_what_others_wrote_as_dependency_or_parameter():
    stages = {
        "configure": {"outs": ["config.yaml"]},
        "capture": {"params": [{"config.yaml": ["seed"]}], "outs": [{"sessions": {"cache": True}}]},
        "train": {"deps": ["sessions", "code.py"], "params": [{"config.yaml": None}]},
    }
    listed = [{"stage": "capture", "bytes": 3}, {"stage": "capture", "bytes": 4}]
    found = nodes(stages, listed)
    assert [(node.name, node.reads, node.files, node.n_bytes) for node in found] == [
        ("configure", (), 0, 0),
        ("capture", (0,), 2, 7),
        ("train", (0, 1), 0, 0),
    ]


def test_screen_begins_with_the_verdict_and_fits():
    lines = screen(overview()).splitlines()
    assert "PASSED THE GATE" in lines[0]
    assert "qat ships" in lines[0]
    assert "Closest to its limit: auc_drop 0.004, allowed at most 0.005." in lines[2]
    assert lines[3] == "Refused: ptq, auc_drop of broken."
    assert len(lines) <= 24
    assert max(map(len, screen(overview(), 80).splitlines())) <= 80
    (flash,) = [line for line in lines if line.startswith("m4: flash")]
    assert flash.split() == ["m4:", "flash", "30,000", "40,000", "█" * 9 + "░" * 3, "75%"]


def test_screen_says_leaky_in_capitals():
    assert "LEAKY" in screen(overview(leaky=True))
    assert "LEAKY" not in screen(overview())
