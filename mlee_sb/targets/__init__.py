"""Targets: what a stage learns. One file for each, with its labels, class weights, loss and output.

Only the computation of a loss imports torch.
"""

from mlee_sb.targets.base import TRAIN_SETS, Setting, Target, find_target, target_names, usable_targets
from mlee_sb.targets.outputs import DENSE, DIRICHLET, OUTPUTS, SIGMOID, SOFTMAX, Output

__all__ = [
    "DENSE",
    "DIRICHLET",
    "OUTPUTS",
    "SIGMOID",
    "SOFTMAX",
    "TRAIN_SETS",
    "Output",
    "Setting",
    "Target",
    "find_target",
    "target_names",
    "usable_targets",
]
