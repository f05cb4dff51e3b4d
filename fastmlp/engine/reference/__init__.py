"""The engine in NumPy, file for file: native.py has a fit, walk.py the layers."""
