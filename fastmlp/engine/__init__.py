"""The engine: plan.py lays out memory, native.pyx walks over it, reference/ is the same in NumPy."""
