"""What `make bench` runs: Conduit beside a bare proxy and its peers, against an upstream that costs next to nothing.

Every part is a process of its own: the upstream, the subject, the load. Numbers of different runs or machines do not
compare; ratios within one run do.
"""
