"""The commented study that `rnndyn new` writes."""

__all__ = ["TEMPLATE"]

TEMPLATE = """\
# A study of rnndyn. `rnndyn check` tells whether it is valid and what it takes, `rnndyn run` sweeps it and writes the
# report. `rnndyn reference` prints every key, `rnndyn cells` every cell. For a quick preview: --set axes.gain.num=8
# Other studies on the same page: sections = ["another.toml"], before the first table.
title = "When does a random network become chaotic?"
question = "Does a network of eight tanh units settle, cycle or wander, over the gain of its random weights?"

[cell]
kind = "Elman"          # or "my_cell.py:Name" for a cell of your own beside this file
units = 8
activation = "tanh"     # further keys are keywords of the cell

[axes]                  # what is swept: {start, stop, num}, with scale = "log" if you like, or a list of numbers
gain = { start = 0.5, stop = 4.0, num = 36 }
net = [0, 1, 2, 3]

[weights]               # numbers, names of axes, lists of both, or an initialiser; what is left out is zero
weight_hh = { init = "normal", gain = "gain", seed = "net" }
# bias_hh = 0.1         # fills the whole bias; for a cell with gates: bias_hh = { f = 1.0 }

# [inputs]              # what drives it (needs inputs = 1 or more in [cell], and weight_ih)
# kind = "normal"       # or "constant", "sine", "file"
# scale = 0.5

[run]
steps = 1000            # steps that count
transient = 500         # steps before them, to reach the attractor
seed = 0

[measure.lyapunov]      # exponents with error bars
k = 2

[measure.gradient]      # how far back a gradient reaches
horizon = 100
lags = "all"

[measure.trajectory]    # states, of the last steps
last = 64
at = { net = 0 }

# [measure.attractors]  # how many attractors, of which period

[[figure]]              # the first figure answers the question
variable = "exponents"
kind = "curve"
x = "gain"
mean = ["net"]
theory = ["mean_field"]

[[figure]]
kind = "profile"
series = "gain"
mean = ["net"]

[[figure]]
kind = "orbit"
x = "gain"

[[number]]              # a number that the page tells
label = "Chaotic networks"
variable = "exponents"
above = 0.0
"""
