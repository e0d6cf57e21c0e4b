"""Ours and the peers side by side in one run: `./dev bench`, described in docs/benchmarks.md."""
