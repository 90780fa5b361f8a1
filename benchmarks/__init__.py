"""Benchmarks of `make bench`: Conduit, a bare proxy and other gateways, against an upstream that costs next to nothing.

Upstream, measured program ("subject") and load run in separate processes. Figures of different runs or machines cannot be
compared; ratios within one run can.
"""
