"""Credit: policies set, top-ups applied by them, emergency credit, debt and its instalments, charges that accrue."""
