"""The control plane: keys and signatures, and the public log that every decision stands in."""
