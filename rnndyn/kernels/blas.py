"""NumPy's linear algebra beside our own threads: with one thread of its own."""

import functools


@functools.lru_cache(maxsize=1)
def _controller():
    from threadpoolctl import ThreadpoolController  # only now: it looks through all loaded libraries

    return ThreadpoolController()


def alone():
    """A context in which BLAS has one thread: several would wait, spinning, for the processors that our threads have.

    Measured on two processors that others shared: 200 factorisations of 128 x 128 in two threads took 6 s, so 0.6 s.
    """
    return _controller().limit(limits=1, user_api="blas")
