"""Whatever several experts do in whatever order, the ledger verifies, and its replay gives the labels."""

from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelapp.catalogue.errors import Refused
from labelapp.catalogue.models import Event
from labelapp.catalogue.services import create_site
from labelapp.review import chain, ledger, ratings, services
from labelapp.review.exporting import relabel_lines
from labelapp.review.models import Relabel, ReviewItem, ReviewPolicy
from labelapp.review.standing import standing

CODES = ["quake", "rockfall", "noise"]
experts = st.integers(0, 2)
steps = st.one_of(
    st.tuples(st.just("decide"), experts, st.sampled_from([*CODES, None])),
    st.tuples(st.just("blind"), experts, st.sampled_from([*CODES, None])),
    st.tuples(st.just("undo"), experts),
    st.tuples(st.just("request"), experts, st.integers(0, 2)),
    st.tuples(st.just("release"), experts),
)
policies = st.fixed_dictionaries(
    {
        "blind": st.booleans(),
        "second_opinion_share": st.sampled_from([0, 0.5, 1]),
        "gold_share": st.sampled_from([0, 0.3]),
    }
)


def a_site(policy, manager):
    site = create_site(name=f"Slope {Event.objects.count()}")
    classes = {c.code: c for c in site.classes.all()}
    for number, code in enumerate([None, "quake", "rockfall"]):
        event = Event.objects.create(
            site=site, event_id=f"{number}", starttime="2026-01-01T00:00:00Z", endtime="2026-01-01T00:00:01Z",
            origin="catalogue", label=classes.get(code), catalogue_label=classes.get(code),
        )  # fmt: skip
        ReviewItem.objects.create(site=site, event=event, reason="doubt", priority=number / 3)
    ReviewPolicy.objects.create(site=site, **policy)
    services.set_gold(event=event, by=manager)
    return site, classes


def act(site, classes, people, what, who, *facts):
    """One expert does one thing to what they hold, or to the next item."""
    expert = people[who]
    if what == "undo":
        return services.undo(site=site, expert=expert)
    if what == "request":
        return services.ask_for_review(event=site.events.order_by("pk")[facts[0]], expert=expert)
    item = services.next_item(site=site, expert=expert)
    if item is None or what == "release":
        return item and services.release(item=item, expert=expert)
    return services.decide(
        item=item, expert=expert, event_class=classes.get(facts[0]), reason="so", prediction=None, blind=what == "blind"
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(policy=policies, history=st.lists(steps, max_size=14))
def test_every_history_verifies_and_replays_to_the_labels(django_user_model, expert, manager, policy, history):
    third, _ = django_user_model.objects.get_or_create(username="a third")
    third.groups.set(expert.groups.all())
    people = [expert, manager, third]
    site, classes = a_site(policy, manager)
    for what, who, *facts in history:
        with suppress(Refused):
            act(site, classes, people, what, who, *facts)

    assert ledger.verify(site) == []
    labels = dict(site.events.filter(label__isnull=False).values_list("pk", "label_id"))
    assert ledger.replay(site) == labels == slow_replay(site)
    assert list(chain.check(chain.read_export(relabel_lines(site, format="jsonl")))) == []
    open_items = ReviewItem.objects.filter(site=site, state="open")
    assert not any(
        item.about and item.about.expert_id == item.holder_id for item in open_items.filter(reason="second_opinion")
    )
    holding = set(standing(site.relabels.all()).values_list("pk", flat=True))
    assert all(row in holding for item in open_items for row in (item.about_id, item.against_id) if row)
    assert all(len(found) > 1 for found in ratings.rounds(site))


def slow_replay(site):
    """Labels by the rows that hold alone: the last of those that gave a label, on top of what was imported."""
    taken_back = {row.details["withdraws"] for row in site.relabels.filter(kind="withdraw")}
    labels = dict(site.events.values_list("pk", "catalogue_label_id"))
    for row in Relabel.objects.filter(site=site).order_by("sequence"):
        if row.kind in {"confirm", "correct", "first"} and row.sequence not in taken_back:
            labels[row.event_id] = row.to_class_id
    return {event: label for event, label in labels.items() if label}
