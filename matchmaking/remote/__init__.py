"""What calls to services over HTTP stand on: the loop that they run on, and a circuit breaker."""
