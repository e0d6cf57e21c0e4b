"""The lecture's algorithm in plain NumPy: what `backpropc` is held against.

Written from the lecture (lecture/backpropagation.md, corrected by its errata), with the lecture's letters, by reading
the lecture and not our sources. The rule that makes it worth something: **nothing here imports anything of ours**, only
NumPy and the standard library (tests/unit/test_oracle.py parses these files and checks it). Everything computes in
float64.

activations, losses   one entry per name: the definition, its derivative, and the stable form of both
per_element           forward, BP1 to BP4 and the update by loops over indices; the lecture's `update(x, y)` itself
optimizers            one class per name: how the parameters move by their gradients
vector                the same for whole batches, with E the mean over the samples, and a training loop around it
philox, initializers  the random numbers: initial parameters and the order of samples, from numpy.random.Philox
differences           derivatives by central differences, for those who trust no formula
tolerance             how far apart two right answers may be: from eps and the number of operations

An activation, a loss or an optimizer is added here by one entry in one dictionary.
"""
