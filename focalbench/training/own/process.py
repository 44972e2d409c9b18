"""The processes of somebody's own code: one that runs nobody's code, one for each module, one for each run.

The last are forked from the one that has imported the module, so that a run's loss or model finds the same state
whatever ran before it or runs beside it.
"""

import hashlib
import json
import os
import pickle
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import NoReturn

import numpy as np
import torch

from focalbench.errors import InputError
from focalbench.training.own.loading import Loading
from focalbench.training.own.loss import make_loss, own_constant
from focalbench.training.own.named import Own, errors_as, found_in
from focalbench.training.own.processes import serve
from focalbench.training.own.source import module_hash
from focalbench.training.rivals import ClassCounts

HASH, CONSTANT, TRAIN, ABOUT, FIT = "hash", "constant", "train", "about", "fit"  # the tasks
GOOD, BAD = b"=", b"!"  # how an answer begins: what was asked for, or a sentence that says why not


def main(handle: int) -> NoReturn:
    """Serve until nobody can ask any more. What a loss prints goes to standard error."""
    os.dup2(2, 1)
    _as_a_worker()
    serve(Connection(handle), _import)


def _as_a_worker() -> None:
    """One thread and no denormals, as where networks train."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


def _import(channel: Connection) -> None:
    """Import a module, the same way every time, and serve its runs."""
    kind, spec, folder, path = json.loads(channel.recv_bytes())
    own = Own(kind, spec)
    os.setpgid(0, 0)  # so that all of its runs can be ended with it
    os.chdir(folder)
    sys.path[:], sys.argv[1:] = path, []
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 (the one that a loss may draw from)
    torch.manual_seed(0)
    if own.kind == "model":
        import pandas  # noqa: F401 (what its runs need, once for all of them)
        import sklearn.pipeline  # noqa: F401
    loading = Loading()
    with _refusing(channel):
        found_in(own)
        channel.send_bytes(GOOD)
        serve(channel, partial(_work, own, loading))


@contextmanager
def _refusing(channel: Connection) -> Iterator[None]:
    """Answer with a sentence where what was asked for cannot be done; it is the last answer."""
    try:
        yield
    except InputError as error:
        channel.send_bytes(BAD + str(error).encode(errors="backslashreplace"))


def _work(own: Own, loading: Loading, channel: Connection) -> None:
    """Do one task."""
    _as_a_worker()  # whatever the module has made of it
    task, *arguments = json.loads(channel.recv_bytes())
    with _refusing(channel):
        if task == HASH:
            channel.send_bytes(GOOD + _hash(own.spec, loading).encode())
        elif task == CONSTANT:
            channel.send_bytes(GOOD + repr(own_constant(own.spec, ClassCounts(*arguments))).encode())
        elif task == ABOUT:
            channel.send_bytes(GOOD + _about(own, loading).encode())
        elif task == FIT:
            _fit(own, loading, channel)
        else:
            _train(own.spec, loading, channel)


def _hash(spec: str, loading: Loading) -> str:
    """Hash of the source, with what is loaded by the time that the loss has been tried."""
    make_loss(spec)
    with errors_as(f"the loss {spec}"):
        return module_hash(spec.split(":")[0], loading.modules, loading.files)


def _train(spec: str, loading: Loading, channel: Connection) -> None:
    """Move to the device that is named, then give the gradient of one batch after the other."""
    loss = make_loss(spec)
    channel.send_bytes(GOOD)
    device = channel.recv_bytes().decode()
    loss.to(device)
    channel.send_bytes(GOOD)
    before = loading.seen
    while True:
        batch = torch.frombuffer(bytearray(channel.recv_bytes()), dtype=torch.float32).view(2, -1).to(device)
        gradient = loss.gradient(*batch)
        loading.refuse_later(before, Own("loss", spec))
        channel.send_bytes(GOOD + gradient.cpu().numpy().tobytes())


def _about(own: Own, loading: Loading) -> str:
    """What is to be known of a model before it is fitted, as JSON."""
    from focalbench.training.own.model import make_models, parameters_of, takes_weights

    models = make_models(own)
    with errors_as(str(own)):
        source = module_hash(own.spec.split(":")[0], loading.modules, loading.files)
        whole = hashlib.sha256("\0".join([source, *map(parameters_of, models)]).encode()).hexdigest()
        return json.dumps([whole, all(map(takes_weights, models))])


def _fit(own: Own, loading: Loading, channel: Connection) -> None:
    """Take rows, say how many models there are, then fit and score the ones that are named."""
    from focalbench.training.own.model import fitted_scores, make_models

    models = make_models(own)
    rows = pickle.loads(channel.recv_bytes())  # which this package has sent
    channel.send_bytes(GOOD + str(len(models)).encode())
    before = loading.seen
    while True:
        place = int(channel.recv_bytes())
        answer = fitted_scores(own, models[place], rows)
        loading.refuse_later(before, own)
        channel.send_bytes(GOOD + answer)
