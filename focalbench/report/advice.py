"""What to do, in the order in which somebody with a deadline asks."""

from dataclasses import dataclass

from focalbench.analysis.recommendation import Lead, Recommendation, main_rows
from focalbench.analysis.rows import ArmRow, Kind, Spread, Verdict
from focalbench.base.text import in_markdown
from focalbench.report import spread
from focalbench.report.metric import aim
from focalbench.report.operating import does_alone, idle_sentence, operating_sentence
from focalbench.report.snippets import Trained, reference_snippet, snippets
from focalbench.report.words import baseline_name, begun, loss_decision, title


@dataclass(frozen=True)
class Advice:
    """What to do on one data set. title: of its table; sentences: the decision first; code: to paste, by library, what
    is advised first; model: the row that is advised, a loss's or a reference's; trained: the loss to train with, None
    with a network that there is no code for.
    """

    title: str
    sentences: tuple[str, ...]
    code: tuple[tuple[str, str], ...]
    model: ArmRow
    trained: Trained | None

    def markdown(self) -> str:
        """As a page."""
        parts = [f"**{in_markdown(self.title)}**", "", *(f"- {in_markdown(text)}" for text in self.sentences)]
        for library, code in self.code:
            parts += ["", f"With {library}:", "", "```python", code.rstrip(), "```"]
        return "\n".join([*parts, ""])

    def __str__(self) -> str:
        return "\n".join([self.title, *self.sentences])


def advise(found: Recommendation, trained: Trained | None) -> Advice:
    """The advice that a recommendation comes to. trained: its loss, with what validation chose, as in Advice."""
    model = advised(found)
    code = [] if trained is None else list(snippets(trained).items())
    code.sort(key=lambda named: named[0] != "scikit-learn")
    if model.kind is Kind.REFERENCE:
        code = [(model.arm, of_model), *code] if (of_model := reference_snippet(model.arm)) else code
    return Advice(title(found.cell), tuple(_sentences(found, model)), tuple(code), model, trained)


def advised(found: Recommendation) -> ArmRow:
    """A reference where it is shown to be better than the loss to train with, else that loss."""
    leads = found.reference is not None and found.lead is not None and found.lead.matters
    return found.reference if found.reference is not None and leads else found.network


def _sentences(found: Recommendation, model: ArmRow) -> list[str]:
    main = main_rows(found.cell)
    first = [take(found)] if model is not found.network else []
    among = "Among the losses: " if first else ""
    rest = [] if first else _other_models(found)
    return [
        *first,
        f"{among}{loss_decision(found.cell)}",
        *rest,
        *operating_sentence(main, baseline_name(main)),
        *_at_threshold(model),
        *idle_sentence(main),
    ]


def take(found: Recommendation) -> str:
    """What to take where a reference is better than the loss to train with."""
    assert found.reference is not None
    assert found.lead is not None
    lead, network = found.lead, found.network
    small = "" if lead.most > network.margin else f", less than the {_margin(network)} that matters here"
    name = network.name if network.delta is not None else baseline_name(found.cell)
    return (
        f"Take {found.reference.arm} rather than a network: better than {name}, the loss to take here, "
        f"by {_interval(lead.delta, network)}{small}."
    )


def _other_models(found: Recommendation) -> list[str]:
    """How the best reference stands to the loss that is advised."""
    if found.reference is None or found.lead is None:
        return []
    name, lead = begun(found.reference.arm), found.lead
    against = f"{name} against {found.network.name}"
    if lead.verdict is Verdict.WORSE:
        return [f"No other model does better: {against} {_interval(lead.delta, found.network)}."]
    if lead.verdict is Verdict.WITHIN:
        return [f"{name} is as good as {found.network.name}, to within {_margin(found.network)}, and simpler to train."]
    if lead.verdict is Verdict.UNDECIDED:
        return [f"{against} is undecided: {_interval(lead.delta, found.network)}{_deciding(lead)}."]
    return [f"{against}: {_interval(lead.delta, found.network)}; too few seeds for a verdict."]


def _deciding(lead: Lead) -> str:
    return f"; about {lead.seeds_to_decide:,} seeds would decide" if lead.seeds_to_decide else ""


def _interval(delta: Spread, row: ArmRow) -> str:
    return spread.phrase(delta, spread.digits(row.margin))


def _margin(row: ArmRow) -> str:
    return spread.number(row.margin, spread.digits(row.margin))


def _at_threshold(model: ArmRow) -> list[str]:
    """What the threshold of what is advised does."""
    if model.operating is None:
        costs, rows = "what errors cost (`cost=1:50`)", "how many rows can be looked at (`capacity=50/day`)"
        return [f"For a threshold, say in the same command {costs}, or {rows}."]
    where = aim(model.operating.at)
    return [f"{where[:1].upper()}{where[1:]}: {model.name} {does_alone(model.operating)}."]
