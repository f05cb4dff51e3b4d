# Everything here is for Cython; kernels.pyi has the faces of its functions.
