"""Independent opinions of a symbol, and the consensus that makes a signal of them."""
