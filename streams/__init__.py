"""Kafka on the server side: the Faust app, the agents that price readings and take in relay results."""
