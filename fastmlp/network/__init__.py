"""A network: layers over one vector of parameters, its inputs and its predictions."""

from fastmlp.network.network import Network

__all__ = ["Network"]
