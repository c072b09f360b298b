"""The pages of a report in a real browser: they load nothing, report no error, work by keyboard, dark and narrow."""

import base64
import gzip
import io
import json
import os
import re
import shutil

import numpy as np
import pytest
from fake_dynamics import Fake

from rnndyn.errors import InputError
from rnndyn.report import explore, gallery, report
from rnndyn.sweep import read_study, sweep
from rnndyn.sweep.run import clear

STUDY = """
title = "Does one unit settle?"
question = "Which weight and bias do what?"
[cell]
kind = "Elman"
units = 1
[axes]
w = { start = -4.0, stop = 4.0, num = 33 }
b = { start = -5.0, stop = 5.0, num = 21 }
[weights]
weight_hh = [["w"]]
bias_hh = ["b"]
[run]
steps = 70
[measure.lyapunov]
[measure.gradient]
horizon = 20
[measure.attractors]
[[figure]]
variable = "exponents"
theory = ["tanh_fold", "tanh_flip"]
[[figure]]
variable = "attractors"
[[figure]]
kind = "curve"
variable = "exponents"
x = "w"
"""
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PAIR = """
title = "Two sections"
question = "What do they say together?"
answer = "In the small one {small.rest} of the units rest."
sections = ["small.toml", "late.toml"]
"""
SMALL = (
    STUDY.split("[[figure]]")[0].replace("num = 33", "num = 5").replace("num = 21", "num = 5")
    + """
[[figure]]
variable = "attractors"
[[number]]
label = "Units at rest"
id = "rest"
variable = "attractors"
below = 2
"""
)
SIZES = {"wide": (1280, 800), "narrow": (390, 844)}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return (folder of reports, dataset) of a sweep with quick stand-ins for the kernels."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "unit.toml").write_text(STUDY, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        Fake().install(patch)
        patch.setattr(explore, "LATTICE", 5)
        dataset = sweep(folder / "unit.toml", directory=folder / "reports/unit", progress=False).load()
        report(dataset, folder / "reports/unit")
        for name, text in (("pair", PAIR), ("small", SMALL), ("late", SMALL)):  # the late one is not computed
            (folder / f"{name}.toml").write_text(text, encoding="utf-8")
        sweep(folder / "small.toml", directory=folder / "reports/pair/small", progress=False)
        report(read_study(folder / "pair.toml"), folder / "reports/pair")
    return folder / "reports", dataset


def unpack(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


def test_the_map_page_holds_the_numbers_of_the_sweep(site):
    folder, dataset = site
    source = (folder / "unit/map.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', source, re.DOTALL)[1])
    for axis, name in zip(data["axes"], "wb", strict=True):
        np.testing.assert_array_equal(unpack(axis["values"]), dataset[name].values.astype("f4"))
    first, second = data["layers"]
    largest = dataset["exponents"].isel(exponent=0).values
    np.testing.assert_array_equal(unpack(first["values"]).reshape(33, 21), largest.astype("f4"))
    np.testing.assert_array_equal(unpack(second["values"]).reshape(33, 21) == 1, dataset["attractors"].values == 2)
    assert data["lattice"]["shape"] == [5, 5]
    places = [unpack(data["lattice"][axis]) for axis in "xy"]
    chosen = dataset["exponents"].isel(exponent=0).sel(w=places[0], b=places[1]).values
    np.testing.assert_array_equal(unpack(data["spectrum"]["values"]).reshape(5, 5), chosen.astype("f4"))
    lags = data["profile"]["lags"]
    profile = unpack(data["profile"]["values"]).reshape(5, 5, len(lags))
    at_horizon = dataset["log_norms"].isel(lag=0).sel(w=places[0], b=places[1]).values
    np.testing.assert_allclose(profile[..., lags.index(20)], at_horizon, rtol=1e-6)
    orbit = unpack(data["orbit"]["values"]).reshape(5, 5, len(data["orbit"]["steps"]))
    grid = np.tanh(places[0][:, None, None] * orbit[..., :-1] + places[1][None, :, None])
    np.testing.assert_allclose(orbit[..., 1:], grid, atol=1e-5)


def test_every_page_is_one_small_file(site):
    folder, _ = site
    for page in folder.rglob("*.html"):
        assert page.stat().st_size < 3_000_000
        source = page.read_text(encoding="utf-8")
        assert not re.search(r"""(src|href|srcset)=["'](https?:)?//|@import|url\((?!#)""", source), page
        assert str(folder) not in source


def test_the_tables_hold_the_numbers_of_the_figures(site):
    folder, dataset = site
    import pandas

    source = (folder / "unit/index.html").read_text(encoding="utf-8")
    tables = re.findall(r'href="data:application/gzip;base64,([^"]*)" download="unit_(\w+).csv.gz"', source)
    assert [name for _, name in tables] == ["map", "map_attractors", "curve_exponents"]
    table, _, curve = (
        pandas.read_csv(io.BytesIO(gzip.decompress(base64.b64decode(data))), keep_default_na=False)
        for data, _ in tables
    )
    assert list(table.columns) == ["w", "b", "exponents", "error", "status"]
    shown = dataset["exponents"].isel(exponent=0)
    np.testing.assert_allclose(table["exponents"].astype(float), shown.values.ravel(), rtol=5.1e-5)
    assert set(table["status"][np.abs(table["w"]) > 3.9]) == {"DIVERGED"}
    assert len(curve) == 33
    np.testing.assert_allclose(curve["exponents"].astype(float), shown.isel(b=10).values, rtol=5.1e-5)


def test_the_gallery_shows_what_is_there(tmp_path, site):
    folder, _ = site
    reports = tmp_path / "reports"
    shutil.copytree(folder / "unit", reports / "whole", ignore=shutil.ignore_patterns("*.zarr"))
    shutil.copytree(reports / "whole", reports / "damaged")
    (reports / "damaged/card.json").write_text("{", encoding="utf-8")
    (reports / "no_report").mkdir()
    page = gallery(reports).read_text(encoding="utf-8")
    assert page.count('href="whole/index.html"') == page.count('href="damaged/index.html"') == 1
    assert page.count("data:image/png") == 1
    assert "Does one unit settle?" in page
    assert "no_report" not in page
    (reports / "index.html").write_text("my own page", encoding="utf-8")
    with pytest.raises(InputError, match="not a gallery"):
        gallery(reports)
    assert (reports / "index.html").read_text(encoding="utf-8") == "my own page"


def test_a_fresh_start_takes_the_whole_report_away(tmp_path, site):
    folder, _ = site
    shutil.copytree(folder / "unit", tmp_path / "unit")
    (tmp_path / "unit/mine.txt").write_text("kept", encoding="utf-8")
    clear(tmp_path / "unit")
    assert {path.name for path in (tmp_path / "unit").iterdir()} == {"manifest.json", "mine.txt"}


def with_figures(dataset, count):
    """Return a dataset whose study names the first figures only."""
    study = json.loads(dataset.attrs["study"])
    study["figure"] = study["figure"][-count:]
    return dataset.assign_attrs(study=json.dumps(study))


def test_a_new_report_leaves_nothing_of_the_old(tmp_path, site, monkeypatch):
    _, dataset = site
    Fake().install(monkeypatch)
    monkeypatch.setattr(explore, "LATTICE", 2)
    report(with_figures(dataset, 1), tmp_path)
    old = {path.name for path in tmp_path.iterdir()}
    assert old == {"index.html", "map.html", "curve.png", "curve.svg", "thumbnail.png", "card.json"}
    (tmp_path / "mine.txt").write_text("kept", encoding="utf-8")

    def gone(*_, **__):
        raise InputError("there is no file noise.npy")

    monkeypatch.setattr(explore, "points", gone)  # a file of the user's own that is gone costs the map page only
    page = report(with_figures(dataset, 2), tmp_path).read_text(encoding="utf-8")
    new = {path.name for path in tmp_path.iterdir()}
    assert new == (old - {"curve.png", "curve.svg", "map.html"}) | {
        "mine.txt",
        "map.png",
        "map.svg",
        "curve_exponents.png",
        "curve_exponents.svg",
    }
    assert "map.html" not in page
    assert "could not be made: there is no file noise.npy" in page


@pytest.fixture(scope="module")
def browser():
    """Return a headless Chromium."""
    if CHROMIUM is None:
        pytest.skip("no chromium: install Debian's package of that name to test the pages in a browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install '.[test]'")
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox"] if hasattr(os, "getuid") and os.getuid() == 0 else []
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, site):
    """Return a function that opens a page; at the end no page may have complained or asked for anything."""
    contexts, troubles = [], []

    def open_page(name, size="wide", scheme="light"):
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: re.match("file:|data:|blob:", request.url) or troubles.append(request.url))
        page.goto(address(name))
        return page

    def address(name):
        return (site[0] / name).as_uri()

    open_page.address = address
    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_pages_fit_and_their_figures_are_described(visit, size, scheme):
    import matplotlib.image

    page = visit("index.html", size, scheme)
    for name in ("index.html", "unit/map.html", "pair/index.html", "pair/small/index.html", "unit/index.html"):
        page.goto(visit.address(name))
        # thumbnails are lazy, and the page counts as loaded before they are
        page.evaluate("Promise.all([...document.images].map(i => (i.loading = 'eager', i.decode())))")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        figures = "[...document.images].filter(i => !i.closest('nav'))"
        pictures = f"{figures}.map(i => [i.alt, i.naturalWidth, i.currentSrc === i.src])"
        for words, width, plain in page.evaluate(pictures):
            assert len(words) > 40
            assert width >= 360
            assert plain is (scheme == "light" or name == "index.html")
        pixels = matplotlib.image.imread(io.BytesIO(page.screenshot()))[..., :3]
        assert pixels.std() > 0.05
        assert (np.median(pixels[:, :8]) < 0.3) == (scheme == "dark")  # beside thumbnails, which are always white


def test_the_first_screen_says_what_was_found(visit):
    page = visit("unit/index.html")
    for found in (page.locator("h1"), page.locator(".question"), page.locator(".answer"), page.locator("img").first):
        box = found.bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 800
    assert "nearby states meet" in page.locator(".answer").inner_text()


def test_the_page_has_one_heading_and_named_tables(visit):
    page = visit("unit/index.html")
    assert page.locator("h1").count() == 1
    headings = page.locator("h2").all_inner_texts()
    for part in ("Key numbers", "Where care is needed", "State of the computation", "How it was computed"):
        assert part in headings
    assert page.locator("th:not([scope])").count() == 0


def test_from_a_page_to_its_section_and_back(visit):
    page = visit("pair/index.html")
    assert page.locator("h1").count() == 1
    assert "Units at rest" in page.locator("section#small table").inner_text()
    assert page.locator("section#late").inner_text().split("\n")[0] == "Late"
    assert "Not finished: nothing so far." in page.locator("section#late").inner_text()
    page.locator("nav.contents a").first.click()
    assert page.url.endswith("#small")
    top = page.locator("section#small h2").bounding_box()["y"]
    assert 0 <= top < 200
    page.locator("section#small a.button").click()
    page.wait_for_url("**/pair/small/index.html")
    page.locator("text=← Two sections").click()
    page.wait_for_url("**/pair/index.html")


def test_a_table_is_saved_as_plain_csv(visit):
    page = visit("unit/index.html")
    with page.expect_download() as saved:
        page.locator("a[data-csv]").first.click()
    assert saved.value.suggested_filename == "unit_map.csv"
    with open(saved.value.path(), encoding="utf-8") as file:
        assert file.readline() == "w,b,exponents,error,status\n"
        assert len(file.readlines()) == 33 * 21


def test_from_the_gallery_to_a_point_by_keyboard_alone(visit, site):
    page = visit("index.html")

    def tab_to(selector):
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches({json.dumps(selector)})"):
                return
        raise AssertionError(f"{selector} cannot be reached by keyboard")

    tab_to("a[href='unit/index.html']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/unit/index.html")
    tab_to("a.button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/unit/map.html")
    tab_to("input[type=radio]")
    before = page.locator("#map image").get_attribute("href")
    page.keyboard.press("ArrowDown")
    assert page.locator("#map image").get_attribute("href") != before
    assert "two attractors" in page.locator("#key").inner_text()
    tab_to("#map")
    chosen = page.locator("#chosen")
    assert chosen.inner_text().startswith("Chosen: w = 2, b = 0:")
    orbit = page.locator("#orbit path").last.get_attribute("d")
    page.keyboard.press("ArrowLeft")
    assert chosen.inner_text().startswith("Chosen: w = 0, b = 0:")
    assert page.locator("#orbit path").last.get_attribute("d") != orbit
    page.keyboard.press("ArrowUp")
    assert chosen.inner_text().startswith("Chosen: w = 0, b = 2.5:")
    page.keyboard.press("Shift+ArrowRight")
    assert chosen.inner_text().startswith("Chosen: w = 4, b = 2.5:")
    expected = float(site[1]["exponents"].isel(exponent=0).sel(w=4.0, b=2.5))
    told = page.locator("#spectrum").get_attribute("aria-label")
    value = float(re.search(r"λ₁ = (\S+)", told)[1].replace("−", "-"))
    assert value == pytest.approx(expected, rel=6e-3)


def test_pointing_and_clicking_at_the_map(visit, site):
    page = visit("unit/map.html")
    box = page.locator("#map image").bounding_box()
    w, b = site[1]["w"].values, site[1]["b"].values

    def place(i, j):
        return box["x"] + box["width"] * (i + 0.5) / 33, box["y"] + box["height"] * (1 - (j + 0.5) / 21)

    for i, j in ((3, 4), (16, 10), (30, 20)):
        page.mouse.move(*place(i, j))
        words = page.locator("#hovered").inner_text().replace("−", "-")
        assert words.startswith(f"w = {w[i]:g}, b = {b[j]:g}\n")
        expected = float(site[1]["exponents"].isel(w=i, b=j, exponent=0))
        if np.isfinite(expected):
            assert float(re.search(r"λ₁ = (\S+)", words)[1]) == pytest.approx(expected, rel=6e-3)
        else:
            assert "λ₁ = -∞" in words
            assert "singular" in words
    page.mouse.click(*place(1, 19))
    assert page.locator("#chosen").inner_text().startswith("Chosen: w = −4, b = 5:")
    ring = page.locator("#map > circle").first.bounding_box()
    assert abs(ring["x"] + ring["width"] / 2 - place(0, 20)[0]) < 1
    assert abs(ring["y"] + ring["height"] / 2 - place(0, 20)[1]) < 1
