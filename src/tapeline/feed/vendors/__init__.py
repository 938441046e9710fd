"""One module per vendor: its wire shapes in, our nouns out. Nothing else knows what a vendor's answer looks like."""
