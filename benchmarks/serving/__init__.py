"""Our server beside others: throughput, latency, what each refuses, and whether it answers what was evaluated."""
