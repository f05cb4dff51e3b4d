"""The engine: plan.py lays out memory, native.pyx walks over it, reference/ tells the same in NumPy."""
