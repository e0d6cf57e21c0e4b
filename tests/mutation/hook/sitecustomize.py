"""Imported by Python as it starts, where this folder is in PYTHONPATH: imports the package that holds the mutants."""

import os
import sys

if "BACKPROPC_MUTATION" in os.environ:
    sys.path.insert(0, os.environ["BACKPROPC_MUTATION"])
    # An editable install has a finder of its own, which would import what ./dev test has built.
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "ScikitBuildRedirectingFinder"]
    from mutation import planting

    planting.install()
