"""Figures and the page. `rd.report(dataset, directory)` calls this module: the floor and its verb share one name."""

import sys
import types

from rnndyn.report import plot
from rnndyn.report.gallery import gallery
from rnndyn.report.write import prepare, report

__all__ = ["gallery", "plot", "prepare", "report"]


class _Verb(types.ModuleType):
    __call__ = staticmethod(report)


sys.modules[__name__].__class__ = _Verb
