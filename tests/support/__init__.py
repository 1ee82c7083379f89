"""What several layers of tests share: model records, logs made of them, brokers that serve them, and an oracle."""
