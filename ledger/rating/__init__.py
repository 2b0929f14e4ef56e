"""Rating: tariff in, usage in, explained lines out; exact to the micro-unit however the usage arrives grouped."""
