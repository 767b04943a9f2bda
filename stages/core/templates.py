"""Jinja2 as every template of the product wants it."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def environment(package: str) -> Environment:
    """Return an environment for the `templates` folder of a package: a missing value is an error, not a gap.

    Parameters
    ----------
    package : str
        For example ``"stages.core.cgen"``.
    """
    return Environment(
        loader=PackageLoader(package),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  C and Markdown, written from our own data; not markup for a browser
    )
