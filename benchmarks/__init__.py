"""fastmlp against its peers, on this machine: run `python -m benchmarks` in a checkout.

What is raced stands in `cases`, who races in `contenders`, and how in `runner`: every contender in a
process of its own, one after the other, round after round, each round beside a look at the machine
(`machine`). `results` reduces the rounds to numbers and `report` shows them. Beside the race,
``pytest benchmarks --benchmark-only`` times the single kernels (`test_kernels`).
"""
