"""Labels: the study file, the parameter grid, the result store and the runner.

`rd.sweep(study)` calls this module: the floor and its main verb share one name, so the module is callable.
"""

import sys
import types

from rnndyn.sweep.overview import Overview
from rnndyn.sweep.reading import read_study
from rnndyn.sweep.refining import refine
from rnndyn.sweep.run import sweep
from rnndyn.sweep.study import Study

__all__ = ["Overview", "Study", "read_study", "refine", "sweep"]


class _Verb(types.ModuleType):
    __call__ = staticmethod(sweep)


sys.modules[__name__].__class__ = _Verb
