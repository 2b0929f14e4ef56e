"""The services Wattledger brings along: PostgreSQL and a Kafka-protocol broker as children of this process."""
