"""What became of a grid point."""

import enum


class Status(enum.IntEnum):
    """OK; NOT_CONVERGED: a limit came before the tolerance; SINGULAR: an exponent is -inf, the rank is lost;
    DIVERGED: the state was not finite or above 1e12; INVALID: NaN or infinite weights, inputs or start."""

    OK = 0
    NOT_CONVERGED = 1
    SINGULAR = 2
    DIVERGED = 3
    INVALID = 4
