"""What a metric and a threshold are called in headings and sentences."""

from focalbench.runs.metric import Aim, Costs, Metric, MetricName, ThresholdAt

_HEADINGS = {
    MetricName.AVERAGE_PRECISION: "AUCPR",
    MetricName.RECALL_AT_FPR: "recall",
    MetricName.PRECISION_AT: "precision",
    MetricName.RECALL_AT_PRECISION: "recall",
    MetricName.NET_BENEFIT: "net benefit",
    MetricName.COST: "cost",
    MetricName.LOG_LOSS: "log loss",
}


def heading(metric: Metric) -> str:
    """Of a column."""
    return _HEADINGS[metric.name]


def phrase(metric: Metric) -> str:
    """In a sentence.

    >>> phrase(Metric.parse("precision_at=1%")), phrase(Metric.parse("cost=1:50"))
    ('precision among the 1% of the rows with the highest scores', 'cost a 1,000 rows (1 a false alarm, 50 a miss)')
    """
    value = metric.value or 0.0
    if metric.costs is not None:
        return f"cost a 1,000 rows ({_each(metric.costs)})"
    if metric.name is MetricName.PRECISION_AT:
        which = f"{_percent(value)} of the rows" if value < 1 else f"{value:,.0f} rows"
        return f"precision among the {which} with the highest scores"
    return {
        MetricName.RECALL_AT_FPR: f"recall at a false positive rate of {_percent(value)}",
        MetricName.RECALL_AT_PRECISION: f"recall at a precision of {_percent(value)}",
        MetricName.NET_BENEFIT: f"net benefit of acting from a probability of {_percent(value)} on",
        MetricName.LOG_LOSS: "log loss",
    }.get(metric.name, "AUCPR")


def definition(metric: Metric) -> str:
    """What the column holds, with what stands beside it."""
    told = {
        MetricName.COST: "cost: of false alarms and misses, a 1,000 rows, at the threshold that costs least on "
        "validation; less is better",
        MetricName.NET_BENEFIT: "net benefit: true positives a row, less what the false alarms weigh at this threshold "
        "(Vickers & Elkin 2006), by probabilities that the loss's inverse recovers, where it has one",
        MetricName.LOG_LOSS: "log loss: mean -log of the probability of what was the case, recovered by the loss's "
        "inverse where it has one; less is better",
        MetricName.AVERAGE_PRECISION: "AUCPR: step-wise average precision, as scikit-learn's",
    }
    return told.get(metric.name, f"{heading(metric)}: {phrase(metric)}")


def plain(metric: Metric, without_skill: float) -> str:
    """What a number of the metric says, for who has not met it. without_skill: the number of scores drawn at random.

    >>> plain(Metric(), 0.0015)
    'AUCPR: the precision at each positive, averaged, from the highest score down; at random .0015, at best 1.'
    """
    if metric.name is not MetricName.AVERAGE_PRECISION:
        told = definition(metric)
        return f"{told[0].upper()}{told[1:]}."
    chance = f"{without_skill:.2g}".removeprefix("0")
    return (
        f"AUCPR: the precision at each positive, averaged, from the highest score down; at random {chance}, at best 1."
    )


def aim(at: ThresholdAt) -> str:
    """What a threshold is put for, in a heading.

    >>> aim(ThresholdAt.parse("capacity=50/day")), aim(ThresholdAt.parse("recall=90%"))
    ('at 50 alerts a day', 'at a recall of 90%')
    """
    if at.costs is not None:
        return (
            f"at the least cost ({at.costs.false_positive:,.6g} a false alarm, {at.costs.false_negative:,.6g} a miss)"
        )
    assert at.value is not None
    if at.unit:
        unit = "an hour" if at.unit == "hour" else f"a {at.unit}"
        return f"at {at.value:,.6g} alerts {unit}"
    if at.aim is Aim.CAPACITY:
        return f"with {_percent(at.value)} of the rows flagged"
    return f"at a {at.aim} of {_percent(at.value)}"


def _each(costs: Costs) -> str:
    return f"{costs.false_positive:,.6g} a false alarm, {costs.false_negative:,.6g} a miss"


def _percent(share: float) -> str:
    return f"{100 * share:.6g}%"
