"""fastmlp against its peers, on this machine: run `python -m benchmarks` in a checkout.

What is raced stands in `cases` and `kinds`, who races in `contenders`, and how in `runner`: every contender
in a process of its own (`worker`, `workers`), one after the other, round after round, each round beside a
look at the machine (`machine`). `results` reduces the rounds to numbers; `report`, `race_tables` and
`picture` show them, and `outputs` writes their files. `revisions` builds another fastmlp to race, `published`
checks results that somebody published.
Beside the race, ``pytest benchmarks --benchmark-only`` times the single kernels (`test_kernels`).
"""
