"""The losses in torch: binary, multiclass, rivals, as modules, and back to probabilities."""

from focalbench.losses.binary import *
from focalbench.losses.inverse import *
from focalbench.losses.modules import *
from focalbench.losses.multiclass import *
from focalbench.losses.rivals import *
