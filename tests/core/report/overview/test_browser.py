"""In a real browser the page asks for nothing, complains of nothing, shows all its figures, and fits a phone."""

import re

import pytest

from stages.core.report.overview.page import render_overview
from tests.browser import CHROMIUM, visit
from tests.core.report.overview.example import overview

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")

_PICTURES = "[...document.images].map(image => image.complete && image.naturalWidth > 0 && image.alt.length > 0)"
_DRAWINGS = "[...document.querySelectorAll('svg')].map(each => [each.getBoundingClientRect().width, each.ariaLabel])"
_COLOURS = "['body', 'section'].map(name => getComputedStyle(document.querySelector(name)).backgroundColor)"
_INK = "[...new Set([...document.querySelectorAll('svg.plot text')].map(each => getComputedStyle(each).fill))]"
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_LINKS = "[...document.querySelectorAll('nav')].map(nav => getComputedStyle(nav).display)"


def brightness(colour):
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    (folder / "report.html").write_text(render_overview(overview()), encoding="utf-8")

    async def look(page):
        found = {"pictures": await page.value(_PICTURES), "drawings": await page.value(_DRAWINGS)}
        for scheme in ("light", "dark"):
            await page.show(1280, scheme)
            found[scheme] = (await page.value(_COLOURS), await page.value(_INK))
        await page.show(360, "light")
        found["overflow"] = await page.value(_OVERFLOW)
        await page.show(800, "dark", media="print")
        found["print"] = (await page.value(_COLOURS), await page.value(_LINKS))
        return found | {"messages": page.messages, "requests": page.requests}

    return visit(folder / "profile", folder / "report.html", look)


def test_page_asks_for_nothing_and_complains_of_nothing(seen):
    assert [url for url in seen["requests"] if not url.startswith("data:")][1:] == []
    assert seen["requests"][0].startswith("file:")
    assert seen["messages"] == []


def test_page_shows_every_figure(seen):
    assert seen["pictures"] == [True] * 5
    assert len(seen["drawings"]) == 10
    assert all(width > 100 and label for width, label in seen["drawings"])


def test_page_is_light_or_dark_with_its_reader_and_so_are_its_drawings(seen):
    (page, card), ink = seen["light"]
    assert min(brightness(page), brightness(card)) > 230
    assert max(map(brightness, ink)) < 60
    (page, card), ink = seen["dark"]
    assert max(brightness(page), brightness(card)) < 40
    assert min(map(brightness, ink)) > 200


def test_page_is_no_wider_than_a_phone(seen):
    assert seen["overflow"] == 0


def test_printed_page_is_light_and_has_no_links_to_its_parts(seen):
    colours, navigation = seen["print"]
    assert brightness(colours[0]) == 255
    assert navigation == ["none"]
