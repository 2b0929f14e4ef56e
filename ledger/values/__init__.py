"""Values that both the edge and the server speak: energy, money, instants, identities, signatures.

Nothing here does I/O, reads a clock or imports more than the standard library, msgspec and cryptography.
"""
