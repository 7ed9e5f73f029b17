"""What a look is worth: the probability that it changes what the catalogue says of the event. The queue's only order.

Questions of the machine lie between 0 and 1:

- a label whose suspicion was measured (disagreement, doubt or likely label error): the suspicion, which is the measured
  share of wrong labels among labels like it;
- any other label: 1 − p(label), where p is what the judge gives the class that is the label;
- no label (detection): 1 − p(class), for until somebody looks the event counts as the machine's class.

Questions of people come before all of those, for somebody waits for the answer and has spent time on it already:
second opinions are worth 1 to 2, requests 2, adjudications 3. Gold checks stand outside: they are dealt to each expert
by the share that the site's policy says, and never compete.
"""

REQUEST = 2.0
ADJUDICATION = 3.0


def of_label(probability: float, suspicion: float | None) -> float:
    """Worth of a look at a labelled event, whose label the judge gives `probability`."""
    return 1.0 - probability if suspicion is None else suspicion


def of_detection(probability: float) -> float:
    """Worth of a look at an event without a label, whose most probable class has `probability`."""
    return 1.0 - probability


def of_second_opinion(worth_of_first: float = 0.0) -> float:
    """Worth of a second look, of the same kind of event that the first was worth so much (0 to 1)."""
    return 1.0 + min(max(worth_of_first, 0.0), 1.0)
