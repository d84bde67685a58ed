"""The inventory: which models there are, where their parts lie, who answers for them."""
