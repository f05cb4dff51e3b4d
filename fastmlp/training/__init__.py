"""Training: the trainer, its epochs, history, stopping, divergence and the gradient check."""
