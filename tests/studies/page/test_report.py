"""The page of a study: what it tells, that it asks nothing of anyone, and how it looks in a browser."""

import json
import re
import shutil
import sys
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from fastmlp.cli.commands import app
from fastmlp.studies import Verdict, load_study, run_study, write_report
from fastmlp.studies.page.report import _numbers, _Stated

EVIL = '</style><script>alert(1)</script><img src="https://example.org/x.png" onerror="alert(2)">&amp;'
STUDY = (
    """
title = 'Digits EVIL'
about = 'What `EVIL` does.\n\nA second paragraph.'
source = 'EVIL'
choices = ['EVIL, as `code`.']
data = {name = "digits", validation = 300}
base = {prepare = "image", max_iter = 3, batch_size = 32, hidden_layer_sizes = [8]}

[runs.width]
about = 'EVIL'
seeds = 3
list.narrow.hidden_layer_sizes = [4]
list.'a wide one EVIL'.hidden_layer_sizes = [32]

[runs.rates]
set.solver = "sgd"
list.mad.learning_rate_init = 1e30
list.sane.learning_rate_init = 0.1

[[tables]]
title = 'Width EVIL'
runs = "width"
show = ["train", "validation", "test", "train loss", "validation loss", "test loss", "best epoch", "epochs"]
note = 'EVIL'
published.test = {narrow = 0.123, 'a wide one EVIL' = 0.2}
[[tables]]
title = "Rates"
runs = "rates"

[[figures]]
kind = "curves"
title = 'Curves EVIL'
caption = 'EVIL'
runs = ["width", "rates"]
[[figures]]
kind = "curves"
title = "Side by side"
runs = ["width", "rates"]
side_by_side = true
[[figures]]
kind = "decision_boundary"
title = "Nothing to see"
runs = "width"

[[claims]]
claim = 'Wider is better EVIL.'
checks = ['train of width/a wide one EVIL > train of width/narrow']
comment = 'EVIL'
[[claims]]
claim = "Narrower is better, and rates do not matter."
checks = ['train of width/narrow > train of width/a wide one EVIL', 'train of rates/sane > 0.1']
[[claims]]
claim = "Madness pays."
checks = ["test of rates/mad > test of rates/sane"]

[[differences]]
rows = ['width/a wide one EVIL']
because = 'EVIL.'
checks = ['test of width/a wide one EVIL > 0.2']

[gradient_check]
of = "width/narrow"
epsilons = [0.1, 0.01]
parameters = [[0, "W[21, 2]"], [1, "b[5]"]]
published = {"1 b[5]" = -4.49e-4}
""".replace("EVIL", EVIL)
    .replace("'What", '"""What')
    .replace("paragraph.'", 'paragraph."""')
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "mine.toml").write_text(STUDY)
    return run_study(load_study(folder / "mine.toml"), folder / "out")


@pytest.fixture(scope="module")
def page(results):
    return write_report(results)


class Parsed(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.words, self._inside = [], [], []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside.append(tag)

    def handle_endtag(self, tag):
        while self._inside.pop() != tag:  # elements that are never closed
            pass

    def handle_data(self, data):
        if "style" not in self._inside:
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def parsed(page):
    return Parsed(page)


def test_nothing_in_it_points_outside_or_runs(parsed):
    assert {"script", "iframe", "object", "embed", "form", "base", "svg"}.isdisjoint(
        tag for tag, _ in parsed.elements
    )
    for tag, attributes in parsed.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "srcset", "action", "data"):
                assert value.startswith(("data:", "#")), (tag, value[:80])
    (policy,) = (one["content"] for one in parsed.all("meta") if "http-equiv" in one)
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy


def test_texts_of_the_file_stand_there_as_they_are(parsed):
    assert parsed.text.count(EVIL) > 12
    assert {"code", "wbr"} <= {tag for tag, _ in parsed.elements}
    assert len(parsed.all("img")) == 3
    assert EVIL in parsed.all("img")[0]["alt"]


def test_it_is_in_order_and_has_its_headings(parsed):
    assert parsed.all("html") == [{"lang": "en"}]
    assert len(parsed.all("h1")) == len(parsed.all("main")) == 1
    sections = [one["id"] for one in parsed.all("section")]
    assert sections == ["verdicts", "tables", "differences", "pictures", "choices", "run"]
    links = [one["href"] for one in parsed.all("a")]
    assert links == [f"#{one}" for one in sections]
    assert all("scope" in one for one in parsed.all("th"))
    assert all(one["alt"] and int(one["width"]) > 200 for one in parsed.all("img"))


def test_it_tells_verdicts_with_their_numbers(parsed, results):
    badges = [one["class"].split()[1] for one in parsed.all("span") if "badge" in one.get("class", "")]
    # How many of each; each claim, and the two checks of the second, which differ; the explanation.
    assert badges == [
        "holds", "not-measured", "does-not-hold",
        "holds", "does-not-hold", "does-not-hold", "holds", "not-measured", "holds",
    ]  # fmt: skip
    assert "Of 3 claims: 1 holds 1 not measured 1 does not hold" in parsed.text
    assert "difference +" in parsed.text


def test_of_many_checks_the_worst_are_seen_and_the_rest_is_folded_away():
    checks = [Verdict("holds", (f"check {i}",)) for i in range(8)] + [Verdict("does not hold", ("bad",))]
    stated = _Stated("claim", "", checks)
    assert [check.findings[0] for check in stated.first] == ["check 0", "check 1", "bad"]
    assert len(stated.rest) == 6
    few = _Stated("claim", "", checks[:5])
    assert (few.first, few.rest) == (checks[:5], [])


def test_numbers_have_true_minus_signs_and_keep_their_units():
    assert _numbers("train of a-1/b -2 is -0.5 % ± 1 %") == "train of a-1/b −2 is −0.5\u00a0% ±\u00a01\u00a0%"


def test_it_shows_figures_beside_the_published_ones(parsed, results):
    narrow = [record.scores["test"] for record in results.of("width/narrow")]
    assert f"{100 * sum(narrow) / 3:.2f} ±" in parsed.text
    assert "12.30" in parsed.text
    assert "Mean ± standard deviation over 3 seeds." in parsed.text
    assert "One run each." in parsed.text
    assert "−4.49e−04" in parsed.text  # of the gradient check
    assert "Not explained. The study has no reason for these." in parsed.text
    assert f"{100 * (sum(narrow) / 3 - 0.123):+.2f}" in parsed.text


def test_it_tells_how_it_was_run(parsed, results):
    assert "fastmlp study run mine.toml" in parsed.text
    assert "digits: 1,137 rows to train on, 300 for validation, 360 for testing" in parsed.text
    assert "8, 1 of them diverged" in parsed.text
    assert results.of("rates/mad")[0].diverged in parsed.text
    assert "quick" not in parsed.text


def test_a_quick_try_says_so_and_a_bare_study_has_a_page(tmp_path):
    (tmp_path / "bare.toml").write_text(
        'title = "Bare"\ndata.name = "digits"\n[runs.one]\nset.max_iter = 1\n'
    )
    results = run_study(load_study(tmp_path / "bare.toml"), tmp_path / "out", quick=True)
    parsed = Parsed(write_report(results))
    assert "A quick try. One seed, a tenth of the data: figures are not the study’s." in parsed.text
    assert "fastmlp study run bare.toml --quick" in parsed.text
    assert [one["id"] for one in parsed.all("section")] == ["run"]


def test_the_command_writes_the_page_and_prints_the_claims(results, tmp_path):
    path = results.folder.parent / "mine.toml"
    done = CliRunner().invoke(app, ["study", "run", str(path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "does not hold  Narrower is better" in done.output
    assert f"page {tmp_path / 'out' / 'report.html'}" in done.output
    assert len(list((tmp_path / "out" / "figures").iterdir())) == 6


@pytest.mark.parametrize("module", ["matplotlib", "jinja2"])
def test_what_is_not_installed_is_told_before_anything_runs(results, tmp_path, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    path = results.folder.parent / "mine.toml"
    done = CliRunner().invoke(app, ["study", "run", str(path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert f"needs {module}, which is not installed: pip install 'fastmlp[study]'" in done.output
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------------------------------- in a browser

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SIZES = {"phone": (390, 844), "desk": (1280, 900)}


@pytest.fixture(scope="module")
def browser():
    if not (CHROMIUM and DRIVER):
        pytest.skip("needs Debian's chromium and chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(params=[(size, scheme) for size in SIZES for scheme in ("light", "dark")], ids="-".join)
def opened(request, browser, page):
    """Return the browser with the page open in this size and scheme, nothing of before in its logs."""
    size, scheme = request.param
    width, height = SIZES[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    for log in ("performance", "browser"):
        browser.get_log(log)
    browser.get(page.as_uri())
    return browser


# Of every text: the contrast with what it stands on.
CONTRASTS = r"""
const numbers = color => color.match(/[\d.]+/g).map(Number);
const light = color => {
  const [r, g, b] = numbers(color).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = element => {
  for (let e = element; e; e = e.parentElement) {
    const parts = numbers(getComputedStyle(e).backgroundColor);
    if (parts.length === 3 || parts[3] === 1) return getComputedStyle(e).backgroundColor;
    if (parts[3] > 0) throw "a ground that shines through is not reckoned with";
  }
  return "rgb(255, 255, 255)";
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim()) continue;
  const [a, b] = [light(getComputedStyle(element).color), light(ground(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  found.push([walker.currentNode.data.trim().slice(0, 40), ratio]);
}
return found;
"""


def test_every_image_is_drawn_and_the_page_fits(opened):
    images = opened.execute_script(
        "return [...document.images].map(i => [i.complete, i.naturalWidth, i.getBoundingClientRect().width])"
    )
    assert len(images) == 3
    assert all(complete and natural > 200 and shown > 200 for complete, natural, shown in images)
    root = "document.documentElement"
    within, viewport = opened.execute_script(f"return [{root}.scrollWidth, {root}.clientWidth]")
    assert within == viewport
    # Nothing hangs over the edge but within a box of its own that scrolls.
    over = opened.execute_script(
        "return [...document.body.querySelectorAll('*')].filter(e => !e.closest('.scroll, .ground, .command')"
        " && e.getBoundingClientRect().right > arguments[0] + 0.5).map(e => e.outerHTML.slice(0, 80))",
        viewport,
    )
    assert not over
    boxes = "return [...document.querySelectorAll('.scroll')].some(e => e.scrollWidth > e.clientWidth)"
    assert opened.execute_script(boxes)


def test_it_asks_for_nothing_and_runs_nothing(opened, page):
    messages = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    urls = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert page.as_uri() in urls
    assert {url for url in urls if not url.startswith("data:")} == {page.as_uri()}
    assert opened.execute_script("return document.scripts.length") == 0
    assert opened.get_log("browser") == []  # neither errors nor what the policy had to refuse


def test_its_letters_can_be_read(opened):
    contrasts = opened.execute_script(CONTRASTS)
    assert len(contrasts) > 100
    assert not [one for one in contrasts if one[1] < 4.5]
    dark = opened.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches")
    ground = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") != dark
    smallest = opened.execute_script(
        "return Math.min(...[...document.querySelectorAll('main *')]"
        ".map(e => parseFloat(getComputedStyle(e).fontSize)))"
    )
    assert smallest >= 12
