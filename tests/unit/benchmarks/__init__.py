"""The benchmark's own arithmetic and words; the runs are in tests/integration/benchmarks."""
