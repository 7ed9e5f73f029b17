"""The agreement page: κ that scikit-learn agrees with, what the machine moved, gold checks, and what to do without."""

import csv
import io
import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from sklearn.metrics import cohen_kappa_score

from labelapp.review.models import Relabel, ReviewItem, ReviewPolicy
from tests.labelapp.review.rows import write

LABELS = ["quake", "rockfall", "noise"]


@pytest.fixture
def show(client, viewer, site):
    """show() → the answer of the page"""
    client.force_login(viewer)
    return lambda query="": client.get(reverse("agreement", args=[site.pk]) + query)


@pytest.fixture
def judge_twice(make_event, classes, expert, manager):
    """judge_twice(40) → [(what the expert said, what the manager said of the same event)]"""

    def judge(number, seed=0):
        generator, said = random.Random(seed), []
        for _ in range(number):
            first = generator.choice(LABELS)
            second = first if generator.random() < 0.6 else generator.choice(LABELS)
            event = make_event("quake")
            row = write(event, expert, "correct" if first != "quake" else "confirm", classes[first])
            write(event, manager, "opinion", classes[second], about=row.sequence)
            said.append((first, second))
        return said

    return judge


def test_the_kappa_of_two_experts_is_scikit_learns(show, judge_twice):
    said = judge_twice(40)
    ((names, figure),) = show().context["pairs"]
    assert set(names) == {"a expert", "a manager"}
    assert figure["estimate"].value == pytest.approx(cohen_kappa_score(*zip(*said, strict=True)))
    assert figure["begin"] <= figure["at"] <= figure["begin"] + figure["wide"]
    assert figure["n"] == 40


def test_what_is_taken_for_what_counts_each_pair_once(show, judge_twice):
    said = judge_twice(40)
    found = show().context["confused"]
    codes = [each.code for each in found["classes"]]
    for i, row in enumerate(found["rows"]):
        for j, cell in enumerate(row["cells"]):
            expected = sum({a, b} == {codes[i], codes[j]} for a, b in said)
            assert cell["count"] == (expected if i <= j else 0)
            assert cell["is_shown"] == (i <= j)


def test_how_often_the_machine_moved_experts_and_where_to(
    show, make_event, classes, expert, make_prediction, make_model
):
    model = make_model()
    for first, machine, final in [
        ("quake", "noise", "noise"),
        ("quake", "quake", "quake"),
        ("noise", "noise", "quake"),
        ("quake", "noise", "rockfall"),
    ]:
        event = make_event("quake")
        prediction = make_prediction(event, machine, model=model)
        blind = write(event, expert, "blind", classes[first])
        write(event, expert, "confirm", classes[final], prediction=prediction, blind=blind.sequence)
    every = show().context["moved"]["every"]
    assert (every.events, every.agreed, every.changes) == (4, 2, 3)
    assert (every.towards, every.away, every.elsewhere) == (1, 1, 1)
    assert "Of 4 events" in show().text


def test_gold_checks_are_counted_by_expert_for_managers(client, show, make_event, classes, expert, manager):
    answers = {expert: ["quake", "quake", "noise", None], manager: ["quake"]}
    for who, said in answers.items():
        for code in said:
            row = ["unsure", None] if code is None else ["opinion", classes[code]]
            write(make_event("quake"), who, *row, gold={"expected": "quake"})
    assert show().context["gold"] is None
    assert "gold" not in show().text, "an expert must not learn which questions were checks"
    client.force_login(manager)
    found = {name: (figure["estimate"].value, figure["n"], unsure) for name, figure, unsure in
             show().context["gold"]["by_expert"]}  # fmt: skip
    assert found == {"a expert": (pytest.approx(2 / 3), 3, 1), "a manager": (1.0, 1, 0)}


def test_disagreements_that_are_left_lead_to_their_decision(client, expert, show, site, judge_twice):
    while "quake noise" not in {f"{a} {b}" for a, b in judge_twice(5, seed=Relabel.objects.count())}:
        pass
    second = next(row for row in Relabel.objects.filter(kind="opinion") if row.to_code != row.from_code)
    first = Relabel.objects.get(sequence=second.details["about"])
    item = ReviewItem.objects.create(
        site=site, event=second.event, reason="adjudication", about=first, against=second
    )  # fmt: skip
    answer = show()
    assert answer.context["disputes_count"] == 1
    assert "?reason=adjudication" in answer.text
    assert f"?item={item.pk}" not in answer.text, "a viewer decides nothing"
    client.force_login(expert)
    assert f"?item={item.pk}" in client.get(reverse("agreement", args=[site.pk])).text


def test_without_second_opinions_the_page_says_who_switches_them_on(client, manager, show, site):
    text = show().text
    assert "managers set the share" in text
    assert "Blind mode is off" in text
    client.force_login(manager)
    assert "/admin/review/reviewpolicy/" in client.get(reverse("agreement", args=[site.pk])).text
    ReviewPolicy.objects.create(site=site, second_opinion_share=0.25, blind=True, gold_share=0.1)
    text = show().text
    assert "25% of the decisions" in text
    assert "Blind mode is on" in text
    assert "10% of the questions" in text


def test_ten_times_the_opinions_take_no_more_queries(show, judge_twice):
    judge_twice(4)
    with CaptureQueriesContext(connection) as few:
        show()
    judge_twice(40, seed=1)
    with CaptureQueriesContext(connection) as more:
        show()
    assert len(more) == len(few) <= 25


def test_the_file_has_every_figure_of_the_page(client, show, site, judge_twice):
    said = judge_twice(30)
    answer = show()
    file = b"".join(client.get("/api/v1/agreement.csv", {"site": site.pk})).decode()
    rows = {(row["figure"], row["of"]): row for row in csv.DictReader(io.StringIO(file))}
    kappa = rows["cohen_kappa", "a expert, a manager"]
    assert float(kappa["value"]) == pytest.approx(cohen_kappa_score(*zip(*said, strict=True)), abs=1e-6)
    assert kappa["n"] == "30"
    for line in answer.context["by_class"]:
        found = rows["specific_agreement", line["code"]]
        assert float(found["value"]) == pytest.approx(line["specific"]["estimate"].value, abs=1e-6)
    assert float(rows["fleiss_kappa", "all experts"]["value"]) == pytest.approx(
        answer.context["fleiss"]["estimate"].value, abs=1e-6
    )


def test_the_file_of_what_was_said_first_is_asked_for_by_true_or_false(client, viewer, site):
    client.force_login(viewer)
    assert client.get("/api/v1/agreement.csv", {"site": site.pk, "before_machine": "true"}).status_code == 200
    refused = client.get("/api/v1/agreement.csv", {"site": site.pk, "before_machine": "perhaps"})
    assert refused.status_code == 400
    assert "true, false" in refused.json()["detail"]


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_its_figures_stand_in_one_row(open_page, manager, site, judge_twice):
    judge_twice(30)
    page = open_page(manager, reverse("agreement", args=[site.pk]))
    tops = page.locator("dl.counts > div").evaluate_all("all => all.map((one) => one.getBoundingClientRect().top)")
    assert len(tops) == 7
    assert len(set(tops)) == 1
