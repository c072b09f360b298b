"""Chaotic networks of two units, and random networks of many: published numbers, mean fields by extrapolation."""

import numpy as np

from ...cells import GRU, LSTM, Antisymmetric, Cell, Elman, Rate, Stage
from .. import theory
from ..gradients import gradients
from ..lyapunov import lyapunov
from ..noise import Noise
from ..trajectory import trajectory
from .truth import EPS, Claim, pooled, truths

TRUTHS, statistical = truths("statistical")
_EXACT, exact = truths("exact")

LAURENT = "Laurent & von Brecht 2017"
MOLGEDEY = "Molgedey et al. 1992"
POOLE = "Poole et al. 2016, Schoenholz et al. 2017"
GRU_WEIGHTS = {"weight_hh": np.array([[0, 1], [1, 0], [0, -1], [-1, -1], [-5, -8], [8, 5]], float)}
LSTM_WEIGHTS = {
    "weight_hh": np.array([[-1, -4], [-3, -2], [-2, 6], [0, -6], [-1, -6], [6, -9], [4, 1], [-9, -7]], float)
}


def cloud(cell, weights, centre, run, steps=6000, runs=96):
    """Spectra of independent runs from a small cloud of starts."""
    starts = centre + 1e-3 * np.random.default_rng(1).normal(size=(runs, cell.state_size))
    return lyapunov(cell, weights, steps=steps, transient=1000, state=starts, **run)


@exact("chaotic GRU of two units: its first three states from (0.3, 0.2)", LAURENT)
def states_of_the_chaotic_gru(run):
    found = trajectory(GRU(2, reset_after=False), GRU_WEIGHTS, steps=3, state=[0.3, 0.2], **run)[1:]
    truth = [
        [-0.382163956319, 0.670407866701],
        [-0.606797542133, -0.044523191136],
        [0.141073950660, -0.366908477228],
    ]
    return Claim(found, truth, 1e-11)


@exact("chaotic LSTM of two units: its first state from all 0.5", LAURENT)
def state_of_the_chaotic_lstm(run):
    found = trajectory(LSTM(2), LSTM_WEIGHTS, steps=1, state=[0.5] * 4, **run)[1]
    return Claim(found, [0.322828964991, -0.000015063832, 0.364678580339, -0.044949962582], 1e-11)


@statistical("chaotic GRU of two units: exponents 0.2203 and -0.5400", LAURENT)
def chaotic_gru(run):
    found = cloud(GRU(2, reset_after=False), GRU_WEIGHTS, np.array([0.3, 0.2]), run)
    return pooled(found, [0.2203, -0.5400], stated=1e-3)


def largest_of_the_gru(run, stated, truth, sign=1.0, **options):
    """The claim about the largest exponent of the same matrices in another convention."""
    weights = GRU_WEIGHTS["weight_hh"] * np.repeat([1.0, sign, 1.0], 2)[:, None]
    found = cloud(GRU(2, **options), {"weight_hh": weights}, np.array([0.3, 0.2]), run)
    return pooled(found._replace(exponents=found.exponents[:, :1], stderr=found.stderr[:, :1]), truth, stated=stated)


@statistical("with the reset after the product it is another network: 0.041, not 0.2203", "design of nn.GRU")
def chaotic_gru_with_reset_after(run):
    return largest_of_the_gru(run, 5e-4, 0.041)


@statistical("with z and 1 - z exchanged it is another network: 0.069, not 0.2203", "Cho et al. 2014")
def chaotic_gru_with_gates_exchanged(run):
    return largest_of_the_gru(run, 1e-3, 0.069, sign=-1.0, reset_after=False)


@statistical("with both it is not even chaotic: -0.223", "design of nn.GRU")
def chaotic_gru_with_both(run):
    return largest_of_the_gru(run, 5e-4, -0.223, sign=-1.0)


@statistical(
    "chaotic LSTM by the block of h alone, Jacobians transposed: -0.087, a false stability", "a published code"
)
def chaotic_lstm_by_half_its_state(run):
    cell, runs, steps = LSTM(2), 64, 600
    starts = 0.5 + 1e-3 * np.random.default_rng(1).normal(size=(runs, 4))
    states = trajectory(cell, LSTM_WEIGHTS, steps=steps + 300, state=starts, **run)[:, 300:-1, None]
    jacobians = gradients(cell, LSTM_WEIGHTS, steps=1, state=states, cotangent_last=np.eye(4), **run).state
    vector, grown = np.ones((runs, 2)), np.zeros((runs, steps))
    for t in range(steps):
        vector = np.einsum("rji,rj->ri", jacobians[:, t, :2, :2], vector)
        size = np.linalg.norm(vector, axis=-1)
        grown[:, t], vector = np.log(size), vector / size[:, None]
    means = grown[:, 50:].mean(axis=1)
    return Claim(means.mean(), -0.087, 2e-3 + 4 * means.std(ddof=1) / np.sqrt(runs))


@statistical("chaotic LSTM of two units: exponents 0.1695, -0.3848, -1.677, -4.623", LAURENT)
def chaotic_lstm(run):
    found = cloud(LSTM(2), LSTM_WEIGHTS, np.full(4, 0.5), run)
    return pooled(found, [0.1695, -0.3848, -1.677, -4.623], stated=2e-3)


@statistical("chaotic neuromodule of two tanh units: exponents 0.2306 and -3.3588", "Pasemann 2002")
def neuromodule(run):
    weights = {"weight_hh": np.array([[-5, 1.5], [-1.5, 0]]), "bias_hh": np.array([-4.5, 0.0])}
    return pooled(cloud(Elman(2), weights, np.zeros(2), run), [0.2306, -3.3588], stated=1e-3)


@statistical(
    "antisymmetric cell, eps = 0.1, gamma = 0.15: a circle with exponents 0 and -0.005794", "Chang et al. 2019"
)
def antisymmetric_circle(run):
    matrix = np.zeros((3, 3))
    matrix[0, 1], matrix[1, 0] = -1.5, 0.5
    cell = Antisymmetric(3, gamma=0.15, dt=0.1)
    found = lyapunov(cell, {"weight_hh": matrix}, steps=40_000, transient=5000, **run)
    return Claim(found.exponents, [0.0, -0.005794, np.log(1 - 0.015)], 4 * found.stderr + [0, 5e-7, 1e-12])


def henon_map(x, a, s, p):
    """u <- 1 - alpha u^2 + v, v <- beta u."""
    return 1.0 - p[0] * s[0] ** 2 + s[1], p[1] * s[0]


@statistical("Henon's map as a cell of one's own: exponents 0.4192 and -1.6232, which sum to ln 0.3", "Henon 1976")
def henon(run):
    cell = Cell("Henon", 1, 0, ("u", "v"), (Stage(update=henon_map),), parameters={"alpha": 1.4, "beta": 0.3})
    found = cloud(cell, {}, np.zeros(2), run)
    claim = pooled(found, [0.4192, -1.6232], stated=1e-4)
    sums = found.exponents.sum(axis=-1)
    return Claim(
        np.append(claim.value, sums), np.append(claim.truth, np.full(len(sums), np.log(0.3))),
        np.append(claim.tolerance, np.full(len(sums), 1e4 * EPS)),
    )  # fmt: skip


# --- random networks --------------------------------------------------------------------------------------------------

SIZES = ((64, 48), (128, 24), (256, 12))  # (units, networks)
WIDTHS = ((32, 192), (64, 96), (128, 48))


def largest(gain, units, nets, run, steps, dt=None, noise=None):
    """Largest exponents of random tanh networks, per unit time of the rate cell's if `dt` is given."""
    matrices = gain / np.sqrt(units) * np.random.default_rng(units).normal(size=(nets, units, units))
    cell = Elman(units, units if noise else 0) if dt is None else Rate(units, dt=dt)
    driven = {"weight_ih": np.eye(units)} if noise else {}
    given = {"steps": steps, "transient": 300, "k": 1, "inputs": Noise(noise) if noise else None}
    found = lyapunov(cell, {"weight_hh": matrices, **driven}, **given, **run)
    return found.exponents[:, 0] / (dt or 1.0)


def extrapolated(measure, truth, sizes=SIZES):
    """The claim at 1/N = 0 of a straight line in 1/N through the means, weighted by their scatter."""
    samples = [measure(units, nets) for units, nets in sizes]
    inverse, means = [1 / units for units, _ in sizes], [np.mean(sample) for sample in samples]
    weights = [np.sqrt(len(sample)) / np.std(sample, ddof=1) for sample in samples]
    (_, limit), covariance = np.polyfit(inverse, means, 1, w=weights, cov="unscaled")
    return Claim(limit, truth, 4 * np.sqrt(covariance[1, 1]))


@statistical("random tanh networks, gain 3: lambda_1 -> 0.310249 as N -> infinity", MOLGEDEY)
def mean_field(run):
    return extrapolated(lambda units, nets: largest(3.0, units, nets, run, 1500), 0.310249)


@statistical("256 units, gain 3: mean lambda_1 0.3005, standard deviation over networks 0.0025", "numerical, twice")
def single_networks(run):
    found = largest(3.0, 256, 8, run, 1500)
    return Claim(found.mean(), 0.3005, 4 * np.hypot(0.0025, found.std(ddof=1)) / np.sqrt(len(found)))


@statistical("gain 2 with white noise of variance 1 on every unit: lambda_1 -> 0.045975", MOLGEDEY)
def mean_field_with_noise(run):
    return extrapolated(lambda units, nets: largest(2.0, units, nets, run, 1500, noise=1.0), 0.045975)


@exact("the mean-field formulas: lambda_1 at gain 1.5, 2, 3, 5; with noise; zero at the critical noise", MOLGEDEY)
def mean_field_formulas(run):
    found = theory.mean_field(
        [1.5, 2.0, 3.0, 5.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0, 1.0, float(theory.critical_noise(3.0))]
    )
    return Claim(found, [0.065217, 0.154724, 0.310249, 0.532428, 0.045975, 0.0], 1e-6)


@exact("the critical line at initialisation: sb^2 = 0.05 -> sw^2 = 1.760955, and no biases -> 1", POOLE)
def critical_line_formula(run):
    return Claim(theory.critical_initialisation(np.sqrt([0.05, 0.0])) ** 2, [1.760955, 1.0], 1e-6)


def layers(gain, bias, units, nets, run, skipped=12, counted=20):
    """ln of the growth of the squared gradient norm a layer, its mean over the last layers of each network.

    tanh layers of random weights and biases, each layer with its own; a layer is one step of a plain cell.
    """

    def weights(layer):
        rng = np.random.default_rng([units, layer])
        matrices = gain / np.sqrt(units) * rng.normal(size=(nets, units, units))
        return {"weight_hh": matrices, "bias_hh": bias * rng.normal(size=(nets, units))}

    cell, states = Elman(units), [np.random.default_rng(units).normal(size=(nets, units))]
    for layer in range(skipped + counted):
        states.append(trajectory(cell, weights(layer), steps=1, state=states[-1], **run)[:, 1])
    back, growth = np.random.default_rng(units + 1).normal(size=(nets, units)), np.zeros(nets)
    for layer in reversed(range(skipped, skipped + counted)):
        back /= np.linalg.norm(back, axis=-1, keepdims=True)
        back = gradients(cell, weights(layer), steps=1, state=states[layer], cotangent_last=back, **run).state
        growth += np.log(np.sum(back**2, axis=-1)) / counted
    return growth


@statistical(
    "tanh layers at initialisation, sb^2 = 0.05: gradients keep their size at sw^2 = 1.760955 (chi = 1)", POOLE
)
def critical_line(run):
    return extrapolated(lambda units, nets: layers(np.sqrt(1.760955), np.sqrt(0.05), units, nets, run), 0.0, WIDTHS)


@statistical("tanh layers at initialisation beside the critical line: squared gradients grow by chi a layer", POOLE)
def beside_the_critical_line(run):
    truth = float(np.log(theory.gradient_growth(2.5, 0.5)))
    return extrapolated(lambda units, nets: layers(2.5, 0.5, units, nets, run), truth, WIDTHS)


@statistical(
    "gain 3: the mean of all exponents -> ln g - 1/2 + E ln sech^2(sqrt(q) z) = -2.272805", "Engelken et al. 2023"
)
def mean_exponent(run):
    def measure(units, nets):
        matrices = 3.0 / np.sqrt(units) * np.random.default_rng(units).normal(size=(nets, units, units))
        return lyapunov(Elman(units), {"weight_hh": matrices}, steps=500, transient=200, **run).exponents.mean(axis=-1)

    return extrapolated(measure, -2.272805, ((32, 192), (64, 64), (96, 24)))


@statistical("x <- (1-d) x + d J tanh(x), gain 3, d = 0.5: lambda_1 -> 0.216124 per unit time", "mean field")
def mean_field_of_half_steps(run):
    return extrapolated(lambda units, nets: largest(3.0, units, nets, run, 1500, dt=0.5), 0.216124)


TRUTHS += _EXACT
