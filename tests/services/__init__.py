"""Real services for tests: PostgreSQL and a Kafka-protocol broker, as pytest plugins."""
