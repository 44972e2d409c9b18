"""Your own loss, named as module:NAME on the command line: asked for gradients in processes of its own."""

from functools import cache

import torch
from torch import Tensor

from focalbench.training.own.asking import asked, begin, good, present
from focalbench.training.own.named import Own
from focalbench.training.own.process import CONSTANT, HASH, TRAIN
from focalbench.training.rivals import ClassCounts


class Custom:
    """One run's own copy of a loss, which may keep a state. Ask for the gradient of a batch, then take it."""

    def __init__(self, spec: str) -> None:
        self.own = Own("loss", spec)
        with present(self.own):
            self._process = begin(self.own, TRAIN)
        self._take()

    def to(self, device: str) -> "Custom":
        """Move what the loss holds to the training device, before the first batch."""
        self._process.tell(device.encode())
        self._take()
        return self

    def ask(self, logits: Tensor, targets: Tensor) -> None:
        """Hand in a batch: logits (sample,) and targets (sample,) of 0 or 1."""
        self._process.tell(torch.stack([logits, targets]).cpu().numpy().tobytes())

    def gradient(self) -> Tensor:
        """D mean loss / d logits, (sample,), of the batch that was handed in. Raises InputError if the loss fails."""
        return torch.frombuffer(bytearray(self._take()), dtype=torch.float32)

    def _take(self) -> bytes:
        with present(self.own):
            return good(self._process.answer())


def make_custom(spec: str) -> Custom:
    """Find module:NAME and give a run its own copy of the loss. Raises InputError for what is no loss (own_loss)."""
    return Custom(spec)


@cache
def source_hash(spec: str) -> str:
    """Hash of the source behind module:NAME (64 hex digits), asked once a process; see source.module_hash."""
    return asked(Own("loss", spec), HASH).decode()


@cache
def custom_constant(spec: str, counts: ClassCounts) -> float:
    """The logit that, given to every row, minimises a loss of your own; see rivals.constant_of."""
    return float(asked(Own("loss", spec), CONSTANT, *counts))
