"""What a rule may call beyond Python's operators and `math`: `where`, `logistic`, `softplus`, `relu`.

On plain floats these functions are what they say; a kernel gives the same names their meaning on SIMD lanes.
"""

import math

__all__ = ["logistic", "relu", "softplus", "where"]


def where(condition, a, b):
    """`a if condition else b`.

    Both are computed and one is taken, so that neither may be an error where it is not taken; only the slope of the one
    that is taken counts.
    """
    return a if condition else b


def logistic(x):
    """`1 / (1 + exp(-x))`, accurate in both tails."""
    q = math.exp(-abs(x))
    return q / (1 + q) if x < 0 else 1 / (1 + q)


def softplus(x):
    """`log(1 + exp(x))`, accurate in both tails; its slope is `logistic(x)`."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def relu(x):
    """`max(x, 0)`, NaN if x is; its slope at 0 is 0."""
    return 0.0 if x <= 0 else x
