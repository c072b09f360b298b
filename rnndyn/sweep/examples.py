"""The examples of the reference: parts that run when they stand in the place of the same tables of `BASE`."""

__all__ = ["BASE", "EXAMPLES", "FILES"]

BASE = """
[cell]
kind = "Elman"
units = 2
inputs = 1

[axes]
w = { start = 0.5, stop = 1.5, num = 3 }

[weights]
weight_hh = [["w", 0.5], [-0.5, "w"]]
weight_ih = 1.0

[run]
steps = 100

[measure.lyapunov]
"""

FILES = {
    "powers.toml": """
title = "A linear unit"

[cell]
kind = "Linear"
units = 1

[axes]
w = [0.5, 1.0, 1.5]

[weights]
weight_hh = "w"

[run]
steps = 100

[measure.lyapunov]

[[number]]
label = "Growth a step"
id = "rate"
variable = "exponents"
at = { w = 1.5 }
show = "exp"
theory = 1.5
""",
    "henon.py": '''
import rnndyn as rd


def step(x, a, s, p):
    u, v = s
    alpha, beta = p
    return 1.0 - alpha * u**2 + v, beta * u


class Henon(rd.Cell):
    """u <- 1 - alpha u^2 + v, v <- beta u: no weights, two parameters."""

    def __init__(self, units: int, inputs: int = 0, beta: float = 0.3):
        stage = rd.Stage(gates=(), update=step, sends="u", leaves=("u", "v"))
        super().__init__("Henon", units, inputs, ("u", "v"), (stage,), parameters={"alpha": 1.4, "beta": beta})
''',
}

EXAMPLES = {
    "study": """
title = "Two tanh units"
question = "When do they settle?"
answer = "Up to a weight of about one."
claim = 3
sections = ["powers.toml"]
""",
    "sections": """
title = "Two tanh units and a linear one"
answer = "The linear one grows by {powers.rate} a step at a weight of 1.5."
sections = ["powers.toml"]
""",
    "cell": """
[cell]
kind = "henon.py:Henon"   # the class Henon in henon.py beside the study; it is run
units = 1
inputs = 0
beta = 0.3                # a keyword of its constructor

[weights]
alpha = "w"
""",
    "sizes": """
[cell]
kind = "Elman"
units = "N"               # an axis: networks of several sizes, one size after another

[axes]
N = [2, 4, 8]             # always the first dimension of the result
net = [0, 1]

[weights]
weight_hh = { init = "normal", gain = 2.0, seed = "net" }

[measure.lyapunov]
keep = 1                  # all are computed, and one is kept: every size has as many
derive = ["dimension_per_unit", "entropy_per_unit", "mean_exponent"]

[[figure]]
kind = "limit"
variable = "mean_exponent"
mean = ["net"]
terms = 1
smallest = 4
theory = ["mean_field_mean"]

[[number]]
label = "Mean exponent of infinitely many units"
variable = "mean_exponent"
extrapolate = "N"
terms = 1
smallest = 4
theory = "mean_field_mean"
""",
    "steps": """
[cell]
kind = "CoRNN"
units = 2
step = "method"           # or one of them: "rk4"

[axes]
method = ["euler", "symplectic", "rk4"]
h = { start = 0.01, stop = 0.5, num = 4, scale = "log" }

[weights]
weight_hh = [[0.0, 2.0], [-2.0, 0.0]]
dt = "h"

[measure.lyapunov]
derive = ["exponent_per_time"]

[[figure]]
kind = "curve"
variable = "exponent_per_time"
x = "h"
at = { method = ["euler", "rk4"] }
log = "x"

[[number]]
label = "Exponent per unit time by RK4"
variable = "exponent_per_time"
at = { method = "rk4", h = 0.01 }

[[number]]
label = "Order of Euler's step, from what the exponent differs from 0.5 by"
variable = "exponent_per_time"
at = { method = "euler" }
order = "h"
minus = 0.5
between = [0.01, 0.2]
theory = 1
""",
    "axes": """
[axes]
w = { start = 0.5, stop = 1.5, num = 3 }
bias = { start = 0.01, stop = 1.0, num = 3, scale = "log" }
net = [0, 1, 5]

[weights]
weight_hh = { init = "normal", gain = "w", seed = "net" }
bias_hh = ["bias", "-bias"]
""",
    "weights": """
[cell]
kind = "LSTM"
units = 2
inputs = 1

[weights]
weight_hh = { f = 0.0, g = { init = "orthogonal", gain = "w" }, o = [[1.0, "w"], ["-w", 0.0]] }
weight_ih = "1 - 0.5 * w"
bias_hh = { f = 1.0 }
""",
    "init normal": """
[weights]
weight_hh = { init = "normal", gain = "w", seed = 3 }
""",
    "init uniform": """
[weights]
weight_hh = { init = "uniform", gain = "w", seed = 3 }
""",
    "init orthogonal": """
[weights]
weight_hh = { init = "orthogonal", gain = "w", seed = 3 }
""",
    "init identity": """
[weights]
weight_hh = { init = "identity", gain = "w" }
""",
    "init rotation": """
[weights]
weight_hh = { init = "rotation", gain = 0.9, angle = "w", seed = 0 }
""",
    "init antisymmetric": """
[weights]
weight_hh = { init = "antisymmetric", gain = "w", seed = 3 }
""",
    "init sparse": """
[weights]
weight_hh = { init = "sparse", gain = "w", density = 0.5, seed = 3 }
""",
    "init file": """
[weights]
weight_hh = { init = "file", file = "matrices.npy", gain = "w", seed = 1 }
""",
    "inputs none": """
[inputs]
kind = "none"
""",
    "inputs constant": """
[inputs]
kind = "constant"
value = "w"
""",
    "inputs normal": """
[inputs]
kind = "normal"
scale = 0.5
mean = 0.1
seed = 2
shared = true
hold = 1
""",
    "inputs sine": """
[inputs]
kind = "sine"
amplitude = "w"
period = 25.0
phase = [0.5]
""",
    "inputs file": """
[inputs]
kind = "file"
file = "sequence.npy"
gain = 2.0
""",
    "run": """
[run]
steps = 100
transient = 20
initial_state = [0.1, "w"]
dtype = "float64"
device = "auto"
seed = 7
""",
    "measure lyapunov": """
[measure.lyapunov]
k = 2
whole_up_to = 2
keep = 1
derive = ["dimension", "entropy", "memory_time"]
qr_every = 4
tolerance = 0.02
limit = 4000
""",
    "measure gradient": """
[measure.gradient]
horizon = 64
transient = 20
lags = [0, 1, 2, 4, 8, 16, 32, 64]
loss = "h"
slope = true
""",
    "measure trajectory": """
[measure.trajectory]
at = { w = 1.0 }
steps = 50
last = 51
fields = ["h"]
units = [1]
""",
    "measure attractors": """
[measure.attractors]
starts = 4
max_period = 2
steps = 100
""",
    "refine": """
[axes]
w = { start = 0.5, stop = 1.5, num = 5 }
b = { start = -1.0, stop = 1.0, num = 5 }
net = [0, 1]

[weights]
weight_hh = { init = "normal", gain = "w", seed = "net" }
bias_hh = "b"

[measure.attractors]
starts = 2
steps = 50

[measure.lyapunov]

[refine]
variable = ["attractors", "period"]
sign_of = "exponents"     # where it changes its sign
index = 1                 # of the largest exponent
errors = 2.0              # within two standard errors it counts as zero
num = { w = 129, b = 65 } # or one number for both
x = "w"
y = "b"
at = { net = 1 }
coarse = 9                # steps of 16 and 8 to begin with
margin = 2
most = 0.9
""",
    "measure regimes": """
[axes]
w = { start = -2.0, stop = 2.0, num = 3 }
b = { start = -1.0, stop = 1.0, num = 3 }

[weights]
weight_hh = [["w", 0.5], [0.5, "w"]]
bias_hh = "b"

[measure.regimes]
starts = 4
seeds = 1
max_period = 4
transient = 200
steps = 200

[[figure]]
kind = "map"
variable = "regime"

[[number]]
label = "Map whose networks come to rest"
variable = "regime"
region = "fixed_point"
""",
    "measure flow": """
[cell]
kind = "Leaky"
units = 2

[axes]
w = [0.5, 1.5]
h = [0.5, 0.25, 0.125]

[weights]
weight_hh = [["w", 0.5], [-0.5, "w"]]
bias_hh = 0.3
dt = "h"

[run]
steps = 100
initial_state = "zero"

[measure.flow]
time = 1.0
transient = 2.0
k = 1
tolerance = 1e-9
""",
    "measure critical_step": """
[cell]
kind = "Leaky"
units = 2

[axes]
w = [0.5, 1.0]
h = [0.1, 0.2]            # settles with the smallest; the result has no axis h

[weights]
weight_hh = [["w", 0.5], [-0.5, "w"]]
dt = "h"

[measure.critical_step]
settle = 200
""",
    "figure": """
[axes]
w = { start = 0.5, stop = 1.5, num = 3 }
b = { start = -1.0, stop = 1.0, num = 3 }

[weights]
weight_hh = { init = "rotation", angle = "w", gain = 1.2 }
bias_hh = "b"

[measure.lyapunov]

[measure.gradient]
horizon = 64
lags = "all"

[measure.trajectory]
last = 10

[[figure]]
kind = "map"
variable = "exponents"
x = "w"
y = "b"
index = 1
title = "The largest exponent"
name = "largest"

[[figure]]
kind = "curve"
variable = "exponents"
x = "w"
series = "b"
at = { b = [-1.0, 0.0] }
index = "all"

[[figure]]
kind = "profile"
series = "w"
mean = ["b"]
theory = []

[[figure]]
kind = "orbit"
x = "w"
index = 2

[[figure]]
kind = "trajectory"
plane = [1, 2]
equal = true
at = { w = 1.0, b = 0.0 }
""",
    "number": """
[cell]
kind = "Linear"
units = 1

[weights]
weight_hh = "w"

[measure.lyapunov]

[measure.gradient]
horizon = 64
slope = true

[[number]]
label = "1.5 to the 64th"
variable = "log_norms"
at = { w = 1.5, lag = 64 }
show = "exp"
theory = "linear_power"
note = "by back-propagation"

[[number]]
label = "Mean exponent"
variable = "exponents"
index = 1
reduce = "mean"

[[number]]
label = "Units that grow"
variable = "exponents"
above = 0.0

[[number]]
label = "First weight that makes it grow"
id = "border"
variable = "exponents"
first = "w"
above = 0.0
interpolate = true

[[number]]
label = "Units that shrink"
variable = "exponents"
below = 0.0

[[number]]
label = "Gradients that grow at the rate of the exponent"
variable = "gradient_slope"
agrees_with = "exponents"
theory = 1.0
""",
}
