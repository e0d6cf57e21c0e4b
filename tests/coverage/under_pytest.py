"""Runs pytest under coverage.py on the package in a folder, not on what an editable install would import."""

import sys

import pytest

import coverage

package, *arguments = sys.argv[1:]
sys.path.insert(0, package)
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "ScikitBuildRedirectingFinder"]

counter = coverage.Coverage(branch=True, source=[f"{package}/backpropc"])
counter.start()
status = pytest.main(arguments)
counter.stop()
counter.save()
sys.exit(status)
