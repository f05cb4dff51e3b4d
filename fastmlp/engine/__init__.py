"""The engine: plan.py lays out memory, native.pyx walks over it, reference.py tells the same in NumPy."""
