"""Calls of every public function with arguments that nobody should give: see `machine`."""
