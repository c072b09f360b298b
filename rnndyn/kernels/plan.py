"""Where everything of a cell stands: its weights in `theta`, its stages' values, pre-activations and partials.

Row blocks have N rows. `theta` holds the blocks of weight_hh, then those of weight_hh2, then a bias for each of them
(zero for those of weight_hh2), the blocks of weight_ih, a bias for each, and N numbers for each parameter.
"""

from dataclasses import dataclass

from ..cells.cell import TRANSPOSED


@dataclass(frozen=True)
class Product:
    """Consecutive gates of a stage that multiply one field with consecutive row blocks.

    place: the first of its pre-activations among the stage's. block: its first row block. count: how many. sends: the
    entering field. vector: that field among the stage's `sent`. transposed: `block` is taken transposed (count 1).
    """

    place: int
    block: int
    count: int
    sends: int
    vector: int
    transposed: bool


@dataclass(frozen=True)
class Plan:
    """Index tuples and places of one stage.

    gates: its pre-activations. drives: blocks of weight_ih. enters, leaves: fields. parameters: the cell's.
    sent: fields that are multiplied, `ranks` their numbers. products: how. index: number of the stage. first: its
    pre-activations among those of all stages. vectors: its first field among those that all stages send. entries: its
    first partial (in units of N). shares: whether some stage reads a block of weight_ih that another one reads.
    """

    gates: tuple[int, ...]
    drives: tuple[int, ...]
    enters: tuple[int, ...]
    leaves: tuple[int, ...]
    parameters: tuple[int, ...]
    sent: tuple[int, ...]
    ranks: tuple[int, ...]
    products: tuple[Product, ...]
    index: int
    first: int
    vectors: int
    entries: int
    shares: int

    @property
    def size(self):
        """Partials that the stage keeps, in units of N, whether x is seeded or not."""
        seeds = len(self.drives) + len(self.gates) + len(self.enters) + len(self.parameters)
        return len(self.leaves) * seeds


def plans(cell):
    """The plan of each stage."""
    found = []
    first = vectors = entries = 0
    entering = cell.fields
    shares = sum(len(stage.drives) for stage in cell.stages) > len(cell.drives)
    for index, stage in enumerate(cell.stages):
        sent = tuple(dict.fromkeys(entering.index(name) for name in stage.sends))
        plan = Plan(
            gates=tuple(range(len(stage.gates))),
            drives=tuple(cell.drives.index(drive) for drive in stage.drives),
            enters=tuple(range(len(entering))),
            leaves=tuple(range(len(stage.leaves))),
            parameters=tuple(range(len(cell.parameters))),
            sent=sent,
            ranks=tuple(range(len(sent))),
            products=tuple(_products(cell, stage, entering, sent)),
            index=index,
            first=first,
            vectors=vectors,
            entries=entries,
            shares=int(shares),
        )
        found.append(plan)
        first, vectors, entries = first + len(stage.gates), vectors + len(sent), entries + plan.size
        entering = stage.leaves
    return tuple(found)


def _products(cell, stage, entering, sent):
    """The gates of a stage in runs, each one product."""
    run = None
    for place, (gate, name) in enumerate(zip(stage.gates, stage.sends, strict=True)):
        transposed = gate.endswith(TRANSPOSED)
        block, sends = cell.gates.index(gate.removesuffix(TRANSPOSED)), entering.index(name)
        if run and not transposed and not run.transposed and sends == run.sends and block == run.block + run.count:
            run = Product(run.place, run.block, run.count + 1, sends, run.vector, False)
            continue
        if run:
            yield run
        run = Product(place, block, 1, sends, sent.index(sends), transposed)
    if run:
        yield run


class Layout:
    """Sizes of a cell's arrays, and where its weights stand in `theta`.

    at: starts of weight_hh, bias_hh, weight_ih, bias_ih, parameters. places: {name: (start, size)}. rows: recurrent
    pre-activations of a step; drives: those of the input. width: values that some stage enters or leaves with. sent:
    fields that a step multiplies. kept: partials of a step. plans: of the stages.
    """

    def __init__(self, cell):
        n, i = cell.units, cell.inputs
        self.plans = stages = plans(cell)
        blocks, self.drives = len(cell.gates) * n, len(cell.drives) * n
        starts = [0]
        for size in (blocks * n, blocks, self.drives * i, self.drives, len(cell.parameters) * n):
            starts.append(starts[-1] + size)
        self.at = tuple(starts[:5])
        self.size = starts[5]
        rows = sum(gate not in cell.second for gate in cell.gates) * n
        self.places = {
            "weight_hh": (0, rows * n),
            "weight_hh2": (rows * n, (blocks - rows) * n),
            "bias_hh": (starts[1], rows),
            "weight_ih": (starts[2], self.drives * i),
            "bias_ih": (starts[3], self.drives),
        } | {name: (starts[4] + k * n, n) for k, name in enumerate(cell.parameters)}
        self.rows = n * sum(len(plan.gates) for plan in stages)
        self.sent = sum(len(plan.sent) for plan in stages)
        self.kept = n * sum(plan.size for plan in stages)
        self.width = n * max(len(cell.fields), *(len(plan.leaves) for plan in stages))
