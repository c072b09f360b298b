"""The templates of the pages, with the one style sheet they share."""

import functools
from importlib.resources import files
from typing import Any

__all__ = ["source", "template"]


@functools.cache
def template(name: str) -> Any:
    """Return a template of this folder; every page gets the style sheet as `css`. What is put in is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rnndyn.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["css"] = source("style.css")
    return environment.get_template(name)


def source(name: str) -> Any:
    """Return the text of a style sheet or script of ours, to be put into a page as it is."""
    import markupsafe

    return markupsafe.Markup((files("rnndyn.report") / name).read_text(encoding="utf-8"))
