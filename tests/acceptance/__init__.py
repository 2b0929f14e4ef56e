"""The product as its users meet it: whole commands, whole processes."""
