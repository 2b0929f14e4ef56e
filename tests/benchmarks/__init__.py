"""The benchmarks' harness."""
