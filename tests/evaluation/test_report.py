"""The report: one page with all figures, and nothing from outside."""

import base64
import io
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import pytest

from dbn.evaluation import Comparison, html_report
from dbn.evaluation.study.records import display_name
from dbn.evaluation.study.table_and_verdict import definitions
from tests.evaluation.test_comparison_displays import made

VOID = {"meta", "img", "br", "hr", "link", "input"}
ORIGIN = {
    "command": "python scripts/benchmark.py --seeds 10",
    "commit": "abc1234",
    "versions": {"dbn": "0.1.0", "numpy": "2.0"},
    "cores": 2,
    "blas_threads": 1,
    "seconds": 107.4,
}
PROTOCOL = {
    "hidden_layer_sizes": [[50], [50, 50]],
    "learning_rates": [0.003, 0.01],
    "seeds": [*range(10)],
    "tune": "strict",
}


class Page(HTMLParser):
    """Tags in balance; texts of the cells; pictures; all attributes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.tables, self.pictures = [], [], [], []
        self.attributes, self.texts = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag == "img":
            kind, _, data = dict(attrs)["src"].partition(",")
            assert kind == "data:image/png;base64"
            self.pictures.append(base64.b64decode(data, validate=True))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data


@pytest.fixture(scope="module")
def result():
    result = made(nets=((50,), (50, 50)), n_seeds=4)
    result.settings |= PROTOCOL | ORIGIN
    return result


@pytest.fixture(scope="module")
def page(result):
    return Page(html_report(result))


def test_the_tables_hold_the_figures_of_the_printed_one(result, page):
    tables = [table for table in page.tables if table[0][0] == "start + activation"]
    lines = [line for table in tables for line in table[1:]]
    printed = [line for line in result.table().splitlines() if " +- " in line]
    assert len(lines) == len(printed) == 4 * 9
    for cells, line in zip(lines, printed, strict=True):
        name, error, _, *others, multiply_adds = cells
        expected = [name, error.replace("\u00b1", "+-"), *filter(None, others)]
        rest = line
        for text in expected:
            before, found, rest = rest.partition(text)
            assert found and not before.strip()
        assert not rest.strip() and multiply_adds.endswith("?")
    assert all(len({*map(len, table)}) == 1 for table in page.tables)


def test_verdict_sentences_and_explanations_are_those_of_the_text(result, page):
    texts = "".join(page.texts)
    *lines, explanation = result.table().splitlines()
    assert result.verdict() in texts
    terms = definitions(result.summary(), result.settings)
    for term, meaning in terms.items():
        assert f"{term}: {meaning}." in explanation
        assert f"{term}{meaning}." in texts
        assert texts.index(f"{term}{meaning}.") < texts.index("start + activation")
    sentences = [line.strip() for line in lines if "Holm p =" in line]
    assert len(sentences) == 4
    assert all(sentence in texts for sentence in sentences)


def test_the_error_of_every_seed_is_there(result, page):
    tables = [t for t in page.tables if t[0][1] == "seed 0"]
    assert len(tables) == 4
    for table, contenders in zip(tables, result.errors().values(), strict=True):
        assert table[0] == ["test error (%)", *(f"seed {i}" for i in range(4))]
        for line, (name, errors) in zip(table[1:], contenders.items(), strict=True):
            assert line == [
                display_name(name),
                *(f"{100 * error:.2f}" for error in errors),
            ]


def test_pictures_can_be_read_and_none_is_left_open(result, page):
    # Differences, errors; depth at two budgets; curves of four settings.
    assert len(page.pictures) == 2 + 2 + 4
    for data in page.pictures:
        image = plt.imread(io.BytesIO(data), format="png")
        assert image.shape[0] > 300 and image.std() > 0.01
    assert len([name for name, _ in page.attributes if name == "alt"]) == 8
    assert plt.get_fignums() == []


def test_protocol_and_origin_are_there(page):
    told = {line[0]: line[1] for table in page.tables[-2:] for line in table}
    assert told["command"] == ORIGIN["command"] and told["commit"] == "abc1234"
    assert told["versions"] == "dbn 0.1.0, numpy 2.0"
    assert told["seeds"] == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert told["BLAS threads per net"] == "1" and told["cores"] == "2"
    assert told["hidden layers"] == "50, 50-50"
    assert told["protocol of tuning"] == "strict" and told["fixed test split"] == "yes"


def test_nothing_comes_from_outside_and_nothing_is_run(page):
    assert not {"script", "link", "iframe", "object", "a", "base"} & {*page.tags}
    for name, value in page.attributes:
        assert not name.startswith("on")
        assert name != "href" and (name != "src" or value.startswith("data:image/png"))
    assert (
        "content",
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'",
    ) in (page.attributes)


EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>&amp;</table>"


def test_texts_of_strangers_are_shown_and_not_obeyed(result):
    """In the name of the data, of a start, of a setting, and in any setting's value."""
    records = [
        record | {"init": EVIL if record["init"] == "lsuv" else record["init"]}
        for record in result.records
    ]
    settings = result.settings | {"dataset": EVIL, EVIL: EVIL, "command": [EVIL]}
    settings["versions"] = {EVIL: EVIL}
    text = html_report(Comparison(settings, records))
    assert "<script" not in text and 'onerror=alert(1)>"' not in text
    page = Page(text)
    assert page.tags.count("img") == 8
    assert not any(name == "onerror" for name, _ in page.attributes)
    assert f"{EVIL} + relu" in page.tables[0][6][0]
    told = {line[0]: line[1] for table in page.tables[-2:] for line in table}
    assert (
        told[EVIL] == told["command"] == EVIL and told["versions"] == f"{EVIL} {EVIL}"
    )


@pytest.mark.parametrize("value", ["\ud800", [[[[1]]]], {"a": {"b": {"c": 1}}}, None])
def test_odd_settings_are_shown(value):
    result = made(n_seeds=2)
    result.settings["odd"] = value
    text = html_report(result)
    assert Page(text.encode("utf-8").decode()).tables[-2][-1][0] == "odd"


def test_what_is_none_says_what_it_means(result):
    """Settings that are known were called not known, or nothing."""
    dbns = [{"n_labels": None, "sha256": "abc"}, {"n_labels": 40, "sha256": "def"}]
    more = {"tune_updates": None, "search": [], "pretrained": dbns, "commit": None}
    more |= {"n_features": 5, "n_columns": 3}
    page = Page(html_report(Comparison(result.settings | more, result.records)))
    told = {line[0]: line[1] for table in page.tables[-2:] for line in table}
    assert told["updates of nets that are validated, if fewer"] == "not fewer"
    assert told["candidates of all nets, in place of the rates"] == "none"
    assert told["DBNs, each with its call, SHA-256 and command"] == (
        "pretrained on all training rows, sha256 abc, pretrained on 40 labelled rows, "
        "sha256 def"
    )
    assert told["features"] == "3 (5 columns of numbers)"
    assert "n columns" not in told and told["commit"] == "not known"
    assert "; ? where nobody counts them: " in "".join(page.texts)
    odd = result.settings | {"pretrained": [None, 3], "n_columns": EVIL}
    assert html_report(Comparison(odd, result.records))


def test_a_study_from_a_file_with_little_in_it(tmp_path):
    """No curves, one budget, one depth, no origin."""
    result = made(budgets=(100,), n_seeds=2)
    for record in result.records:
        record.pop("loss_curve", None)
    result.to_json(tmp_path / "results.json")
    page = Page(html_report(Comparison.from_json(tmp_path / "results.json")))
    assert len(page.pictures) == 2


def test_differences_come_first_and_labels_are_a_line_from_three_budgets_on(result):
    def pictures(budgets):
        page = Page(html_report(made(budgets=budgets, n_seeds=2)))
        return [value for name, value in page.attributes if name == "alt"]

    of_two, of_three = pictures((100, 1000)), pictures((100, 300, 1000))
    assert (
        of_two[:2]
        == of_three[:2]
        == [
            "Test error of the DBN minus that of each contender",
            "Test errors of all settings",
        ]
    )
    line = "Test error against the number of labels"
    assert line not in of_two and of_three[2] == line


def test_no_name_of_code_stands_on_the_page(result):
    settings = result.settings | {
        "inits": ["dbn + logistic", "he_normal + relu + dropout"],
        "controls": {"pca + logistic regression": "C 0.1", "mine": "learning_rate 1"},
    }
    page = Page(html_report(Comparison(settings, result.records)))
    texts = "".join(page.texts)
    for name in ("he_normal", "xavier_", "relu", "dbn +", "pca +", "learning_rate"):
        assert name not in texts
    told = {line[0]: line[1] for table in page.tables[-2:] for line in table}
    assert told["contenders"] == "DBN, He + ReLU + dropout"
    expected = "logistic regression on PCA C 0.1, mine learning rate 1"
    assert told["controls, and what is tried of each"] == expected


def test_only_boxes_scroll(page):
    """Tables and pictures stand in boxes of their own."""
    boxes = [v for k, v in page.attributes if k == "class" and "wide" in v.split()]
    assert len(boxes) == len(page.tables) + len(page.pictures)
